use chorus::region::{
    Permissions,
    error::AccessError,
    operation::{Operation, Output},
};

use crate::region_run::{Run, address, publish, word, write};

/// A region of two pages with ones in it, shared and as a snapshot.
fn both(run: &mut Run, options: u64) -> (u64, u64) {
    let handle = run.create("a", 8192, options);
    let shared = run.map(handle, 0);
    run.write(shared, 0, &[1; 8192]);
    (shared, run.map(handle, 1))
}

#[test]
fn later_writes_of_others_do_not_show_in_a_snapshot() {
    let mut run = Run::start();
    let (shared, snapshot) = both(&mut run, 0);
    run.write(shared, 0, &[2; 100]);
    assert_eq!(run.read(snapshot, 0, 100), [1; 100]);
    // Nor on a page that the snapshot has written.
    run.write(snapshot, 4096, &[3]);
    run.write(shared, 4096, &[2; 3]);
    assert_eq!(run.read(snapshot, 4096, 3), [3, 1, 1]);
    assert_eq!(run.read(shared, 4096, 3), [2, 2, 2]);
}

#[test]
fn pages_that_come_into_being_later_do_not_show_in_a_snapshot() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 0);
    let (shared, snapshot) = (run.map(handle, 0), run.map(handle, 1));
    run.write(shared, 0, &[2; 8192]);
    assert_eq!(run.read(snapshot, 0, 8192), [0; 8192]);
}

#[test]
fn pages_of_the_world_that_are_first_met_after_the_snapshot_show_in_it() {
    let mut run = Run::start();
    both(&mut run, 4);
    run.next();
    let handle = run.open(1, "a").unwrap();
    let (snapshot, shared) = (run.map(handle, 1), run.map(handle, 0));
    run.write(shared, 0, &[2; 10]);
    assert_eq!(run.read(snapshot, 0, 11), [1; 11]);
    run.write(snapshot, 4, &[3]);
    assert_eq!(run.read(snapshot, 3, 3), [1, 3, 1]);
    assert_eq!(run.read(shared, 3, 3), [2, 2, 2]);
}

#[test]
fn a_snapshots_writes_show_nowhere_else() {
    let mut run = Run::start();
    let (shared, snapshot) = both(&mut run, 0);
    let handle = run.open(1, "a").unwrap();
    run.write(snapshot, 4090, &[3; 12]);
    let window = run.window(handle, 1, 4090, 12);
    assert_eq!(run.read(shared, 4090, 12), [1; 12]);
    assert_eq!(run.read(window, 0, 12), [1; 12]);
    assert_eq!(run.read(snapshot, 4089, 14), [&[1][..], &[3; 12], &[1]].concat());
}

#[test]
fn unmap_drops_what_was_not_published() {
    let mut run = Run::start();
    let (shared, snapshot) = both(&mut run, 4);
    run.write(snapshot, 0, &[3; 12]);
    run.unmap(snapshot);
    assert_eq!(run.read(shared, 0, 12), [1; 12]);
    assert_eq!(
        run.error(publish(snapshot)),
        AccessError::NotMapped { mapping: word(2_u64) }.into()
    );
    let handle = run.open(1, "a").unwrap();
    let again = run.map(handle, 1);
    assert_eq!(run.read(again, 0, 12), [1; 12]);
}

#[test]
fn publish_applies_exactly_the_bytes_that_were_written() {
    let mut run = Run::start();
    let (shared, snapshot) = both(&mut run, 0);
    run.write(snapshot, 1, &[3; 2]);
    run.write(snapshot, 4095, &[3; 2]);
    // Written over with what is there is written all the same.
    run.write(snapshot, 10, &[1]);
    run.write(shared, 0, &[2; 8192]);
    run.publish(snapshot);
    let mut expected = vec![2; 8192];
    expected[1..3].fill(3);
    expected[4095..4097].fill(3);
    expected[10] = 1;
    assert!(run.read(shared, 0, 8192) == expected);
}

#[test]
fn after_publish_the_snapshot_is_what_it_was() {
    let mut run = Run::start();
    let (shared, snapshot) = both(&mut run, 0);
    run.write(snapshot, 0, &[3]);
    run.publish(snapshot);
    assert_eq!(run.read(snapshot, 0, 2), [3, 1]);
    run.write(shared, 0, &[2; 2]);
    assert_eq!(run.read(snapshot, 0, 2), [3, 1]);
    // Only what was written since is published.
    run.write(snapshot, 1, &[4]);
    run.publish(snapshot);
    assert_eq!(run.read(shared, 0, 3), [2, 4, 1]);
    assert_eq!(run.publish(snapshot), 100);
}

#[test]
fn a_snapshot_shows_what_the_transaction_wrote_before_it() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 0);
    let first = run.map(handle, 1);
    run.write(first, 7, &[7]);
    run.publish(first);
    let second = run.window(handle, 1, 0, 100);
    assert_eq!(run.read(second, 6, 3), [0, 7, 0]);
}

#[test]
fn publish_needs_a_copy_on_write_mapping_and_the_right_to_write() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    run.grant(handle, 2, 1);
    let shared = run.map(handle, 0);
    let error = AccessError::InvalidOption { mapping: word(shared) };
    assert_eq!(run.error(publish(shared)), error.into());
    run.enter();
    run.actor = address(2);
    let snapshot = run.map(handle, 1);
    run.write(snapshot, 0, &[1]);
    let needed = Permissions::WRITE;
    let error = AccessError::PermissionDenied { actor: address(2), needed };
    assert_eq!(run.error(publish(snapshot)), error.clone().into());
    // Rights are those of when it was mapped.
    run.actor = address(1);
    run.grant(handle, 2, 3);
    run.actor = address(2);
    assert_eq!(run.error(publish(snapshot)), error.into());
    let snapshot = run.window(handle, 1, 0, 10);
    run.write(snapshot, 0, &[1]);
    run.actor = address(1);
    run.grant(handle, 2, 0);
    run.actor = address(2);
    run.publish(snapshot);
}

#[test]
fn a_snapshot_of_nothing_written_publishes_nothing() {
    let mut run = Run::start();
    let (_, snapshot) = both(&mut run, 4);
    run.next();
    let handle = run.open(1, "a").unwrap();
    assert_eq!(run.map(handle, 1), 1);
    assert_eq!(run.ask(publish(1)).unwrap().output, Output::Done);
    run.ask(write(1, 5, 0)).unwrap();
    assert_eq!(run.publish(1), 100);
    assert!(run.next().page_changes.is_empty());
    assert_eq!(snapshot, 2);
}

#[test]
fn a_revert_takes_back_what_a_snapshot_wrote_and_published() {
    let mut run = Run::start();
    let (shared, snapshot) = both(&mut run, 0);
    run.write(snapshot, 0, &[3]);
    run.session.checkpoint(false);
    run.write(snapshot, 1, &[4]);
    run.publish(snapshot);
    run.write(snapshot, 2, &[5]);
    assert_eq!(run.read(shared, 0, 3), [3, 4, 1]);
    run.session.revert();
    assert_eq!(run.read(shared, 0, 3), [1, 1, 1]);
    assert_eq!(run.read(snapshot, 0, 3), [3, 1, 1]);
    // What was written before the checkpoint is still to be published.
    run.publish(snapshot);
    assert_eq!(run.read(shared, 0, 3), [3, 1, 1]);
}

#[test]
fn a_snapshot_outlives_the_revert_of_later_writes() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let shared = run.map(handle, 0);
    run.write(shared, 0, &[1; 100]);
    run.session.checkpoint(false);
    run.write(shared, 0, &[2; 100]);
    let inner = run.map(handle, 1);
    run.write(shared, 0, &[3; 100]);
    assert_eq!(run.read(inner, 0, 2), [2, 2]);
    run.session.revert();
    let outer = run.map(handle, 1);
    assert_eq!(run.read(outer, 0, 2), [1, 1]);
}

#[test]
fn a_snapshot_keeps_its_size() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 2);
    let (snapshot, shared) = (run.map(handle, 1), run.map(handle, 0));
    run.write(shared, 0, &[1; 200]);
    assert_eq!(run.read(snapshot, 0, 500), [0; 100]);
    let error = AccessError::OutOfBounds { offset: word(100_u64), len: word(1_u64), size: 100 };
    assert_eq!(
        run.error(Operation::Write {
            mapping: word(snapshot),
            offset: word(100_u64),
            len: word(1_u64)
        }),
        error.into()
    );
}
