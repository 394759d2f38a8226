use chorus::region::{
    error::{AccessError, ChangeError},
    operation::Operation,
    session::Session,
};

use crate::region_run::{PLENTY, Run, address, read, word, write};

#[test]
fn a_shared_write_shows_at_once_in_every_frame_that_maps_the_region() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let outer = run.map(handle, 0);
    run.write(outer, 0, &[1]);
    run.enter();
    let inner = run.map(handle, 0);
    assert_eq!(run.read(inner, 0, 2), [1, 0]);
    run.write(inner, 1, &[2]);
    run.session.commit();
    assert_eq!(run.read(outer, 0, 2), [1, 2]);
}

#[test]
fn mappings_end_when_their_frame_returns() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    for end in [Session::commit, Session::revert] {
        run.enter();
        run.map(handle, 0);
        assert!(run.ask(Operation::Destroy { handle }).is_err());
        end(&mut run.session);
        run.enter();
        let error = AccessError::NotMapped { mapping: word(1_u64) };
        assert_eq!(run.error(read(1, 0, 1)), error.into());
        run.session.commit();
        run.enter();
        run.destroy(handle);
        run.session.revert();
    }
}

#[test]
fn a_checkpoint_without_a_frame_keeps_the_mappings() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    run.session.checkpoint(false);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1]);
    run.session.commit();
    assert_eq!(run.read(mapping, 0, 1), [1]);
}

#[test]
fn a_revert_takes_everything_back_that_a_frame_and_its_children_did() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 6);
    let gone = run.create("gone", 100, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 100]);
    run.grant(handle, 2, 1);
    let price = run.price(write(mapping, 5000, 1));

    run.enter();
    run.grant(handle, 2, 7);
    run.grant(handle, 3, 7);
    let inner = run.map(handle, 0);
    run.write(inner, 50, &[2; 100]);
    run.create("b", 1, 4);
    run.destroy(gone);
    run.enter();
    let inner = run.map(handle, 0);
    run.write(inner, 4000, &[3; 5000]);
    run.create("gone", 1, 4);
    run.alloc(1, 0);
    run.session.commit();
    assert_eq!(run.info(handle).0, 9000);
    run.session.revert();

    assert_eq!(run.info(handle).0, 100);
    assert_eq!(run.read(mapping, 0, 200), [1; 100]);
    assert_eq!(run.open(1, "b"), None);
    assert_eq!(run.open(1, "gone"), Some(gone));
    assert_eq!(run.price(write(mapping, 5000, 1)), price);
    run.actor = address(2);
    assert_eq!(run.info(handle).1, 1);
    run.actor = address(3);
    assert_eq!(run.info(handle).1, 0);
    run.actor = address(1);
    let error = ChangeError::RegionInUse { mappings: 1 };
    assert_eq!(run.error(Operation::Destroy { handle }), error.into());
    let effects = run.next();
    assert_eq!(effects.page_changes.len(), 1);
    assert_eq!(effects.meta_changes.len(), 2);
}

#[test]
fn a_committed_child_is_reverted_with_its_parent() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    for depth in 1..6 {
        for _ in 0..depth {
            run.enter();
            let inner = run.map(handle, 0);
            run.write(inner, 0, &[9]);
        }
        for _ in 1..depth {
            run.session.commit();
        }
        run.session.revert();
        assert_eq!(run.read(mapping, 0, 1), [0]);
    }
}

#[test]
fn each_revert_goes_back_to_its_own_checkpoint() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    let mapping = run.map(handle, 0);
    for value in 0..20 {
        run.write(mapping, 0, &[value]);
        run.session.checkpoint(false);
    }
    run.write(mapping, 0, &[99]);
    for value in (0..20).rev() {
        run.session.revert();
        assert_eq!(run.read(mapping, 0, 1), [value]);
    }
}

#[test]
fn a_region_is_unmapped_in_an_elder_sister_only_as_long_as_that_stands() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    run.enter();
    for _ in 0..2 {
        run.enter();
        let snapshot = run.map(handle, 1);
        run.write(snapshot, 0, &[1]);
        run.unmap(snapshot);
        run.map(handle, 0);
        run.session.commit();
    }
    run.enter();
    run.session.commit();
    run.session.revert();
    run.destroy(handle);
}

#[test]
fn nothing_is_left_of_what_was_warm_in_a_reverted_frame() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 4);
    run.next();
    run.enter();
    assert_eq!(run.price(Operation::Info { handle }), 50 + 2600);
    let mapping = run.map(handle, 0);
    assert_eq!(run.price(Operation::Info { handle }), 50);
    let cold = run.price(write(mapping, 0, 1));
    run.write(mapping, 0, &[1]);
    assert!(run.price(write(mapping, 0, 1)) < cold);
    run.session.revert();
    assert_eq!(run.price(Operation::Info { handle }), 50 + 2600);
    let mapping = run.map(handle, 0);
    assert_eq!(run.price(write(mapping, 0, 1)), cold);
}

#[test]
fn commits_and_reverts_without_a_checkpoint_are_nothing() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    run.session.commit();
    run.session.revert();
    assert_eq!((run.session.depth(), run.session.checkpoints()), (0, 0));
    run.map(handle, 0);
}

#[test]
fn a_precompile_acts_for_the_frame_that_called_it() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    run.enter();
    let call = run.call_in(0);
    run.ask_as(call, &crate::region_run::map(handle, 0, 0, 0), &[]).unwrap();
    run.session.commit();
    run.write(1, 0, &[1]);
    // And what it did goes with its own frame.
    run.enter();
    run.ask_as(call, &Operation::Unmap { mapping: word(1_u64) }, &[]).unwrap();
    run.session.revert();
    assert_eq!(run.read(1, 0, 1), [1]);
    assert_eq!(call.gas, PLENTY);
}

#[test]
fn a_session_can_begin_within_frames() {
    let run = Run::start();
    let mut session = Session::new(run.session.config().clone(), 3);
    assert_eq!((session.depth(), session.checkpoints()), (3, 3));
    session.commit();
    session.revert();
    assert_eq!((session.depth(), session.checkpoints()), (1, 1));
}
