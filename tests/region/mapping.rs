use chorus::region::{
    Permissions,
    config::ChainConfig,
    error::{AccessError, ChangeError, LookupError, MapError},
    handle::{Handle, RegionId},
    operation::Operation,
};
use ruint::aliases::U256;

use crate::{
    region_run::{Run, address, chain, map, read, word},
    region_world::MapWorld,
};

#[test]
fn mappings_are_numbered_from_one_in_their_frame() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 0);
    assert_eq!(run.map(handle, 0), 1);
    assert_eq!(run.map(handle, 2), 2);
    run.unmap(1);
    assert_eq!(run.map(handle, 0), 3);
    run.enter();
    assert_eq!(run.map(handle, 0), 1);
    run.session.commit();
    assert_eq!(run.map(handle, 1), 4);
}

#[test]
fn a_handle_that_never_was_is_invalid_and_one_that_is_no_more_is_stale() {
    let mut run = Run::start();
    let state = run.create("a", 1, 4);
    let own = run.create("b", 1, 0);
    let never = [
        Handle([7; 32]),
        Handle::default(),
        state.id().at(0),
        state.id().at(2),
        own.id().at(2),
        own.id().at(0),
        RegionId::of_sidecar(b"nobody attached it").at(0),
    ];
    for handle in never {
        let error = MapError::Lookup(LookupError::InvalidHandle { handle });
        assert_eq!(run.error(map(handle, 0, 0, 0)), error.into(), "{handle}");
    }
    run.destroy(state);
    run.destroy(own);
    for handle in [state, own] {
        let error = MapError::Lookup(LookupError::StaleHandle { handle });
        assert_eq!(run.error(map(handle, 0, 0, 0)), error.into(), "{handle}");
    }
    // A namesake is another region, and a later transaction knows that too.
    run.create("a", 1, 4);
    run.next();
    let error = MapError::Lookup(LookupError::StaleHandle { handle: state });
    assert_eq!(run.error(map(state, 0, 0, 0)), error.into());
}

#[test]
fn a_reverted_region_never_was() {
    let mut run = Run::start();
    run.enter();
    let handles = [run.create("a", 1, 4), run.create("b", 1, 0), run.alloc(1, 0)];
    run.session.revert();
    for handle in handles {
        let error = MapError::Lookup(LookupError::InvalidHandle { handle });
        assert_eq!(run.error(map(handle, 0, 0, 0)), error.into());
    }
}

#[test]
fn what_a_mapping_needs_is_told_as_what_is_lacking() {
    let mut run = Run::start();
    let handle = run.create("a", 1, 4);
    run.grant(handle, 2, 1);
    run.grant(handle, 3, 2);
    let denied = |actor: u64, needed: Permissions| {
        MapError::PermissionDenied { actor: address(actor), needed }.into()
    };
    run.actor = address(2);
    assert_eq!(run.error(map(handle, 0, 0, 0)), denied(2, Permissions::WRITE));
    run.map(handle, 1);
    run.map(handle, 2);
    run.actor = address(3);
    assert_eq!(run.error(map(handle, 0, 0, 0)), denied(3, Permissions::READ));
    assert_eq!(run.error(map(handle, 1, 0, 0)), denied(3, Permissions::READ));
    run.actor = address(4);
    let both = Permissions::READ | Permissions::WRITE;
    assert_eq!(run.error(map(handle, 0, 0, 0)), denied(4, both));
}

#[test]
fn the_same_window_with_the_same_options_is_mapped_already() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 0);
    run.map(handle, 0);
    run.window(handle, 0, 32, 64);
    let already = |mapping: u64| MapError::AlreadyMapped { mapping }.into();
    assert_eq!(run.error(map(handle, 0, 0, 0)), already(1));
    assert_eq!(run.error(map(handle, 0, 32, 64)), already(2));
    // Others are others: options, windows, regions, frames.
    run.map(handle, 2);
    run.window(handle, 0, 0, 8192);
    run.window(handle, 0, 32, 63);
    run.window(handle, 0, 33, 64);
    let other = run.create("b", 8192, 0);
    run.map(other, 0);
    run.enter();
    run.map(handle, 0);
    run.session.commit();
    run.unmap(1);
    run.map(handle, 0);
}

#[test]
fn undefined_options_of_a_mapping_are_refused() {
    let mut run = Run::start();
    let handle = run.create("a", 1, 0);
    for option in [U256::from(16), U256::from(255), U256::ONE << 64, U256::MAX] {
        let operation =
            Operation::Map { handle, options: option, offset: U256::ZERO, size: U256::ZERO };
        assert_eq!(run.error(operation), MapError::InvalidOption { option }.into());
    }
    for options in 0..16 {
        run.map(handle, options);
    }
}

#[test]
fn copy_on_write_is_refused_where_the_chain_has_it_off() {
    let config = ChainConfig { enable_copy_on_write: false, ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    let handle = run.create("a", 1, 0);
    let error = MapError::InvalidOption { option: word(1_u64) };
    assert_eq!(run.error(map(handle, 1, 0, 0)), error.into());
    run.map(handle, 0);
}

#[test]
fn a_copy_on_write_region_has_no_other_mappings() {
    let mut run = Run::start();
    let handle = run.create("a", 1, 1);
    for options in [0, 2, 4, 8] {
        let error = MapError::InvalidOption { option: word(options) };
        assert_eq!(run.error(map(handle, options, 0, 0)), error.into());
    }
    run.map(handle, 1);
    run.map(handle, 3);
}

#[test]
fn a_window_lies_within_the_region() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let huge = [U256::ONE << 64, U256::MAX, U256::from(u64::MAX)];
    let mut windows = vec![(0, 101), (100, 1), (1, 100), (100, 0), (101, 0)];
    windows.push((u64::MAX, 1));
    windows.push((u64::MAX, u64::MAX));
    let mut windows: Vec<_> =
        windows.into_iter().map(|(a, b)| (U256::from(a), U256::from(b))).collect();
    for huge in huge {
        windows.extend([(huge, U256::ZERO), (huge, U256::ONE), (U256::ZERO, huge)]);
        windows.extend([(huge, huge), (U256::ONE, huge)]);
    }
    for (offset, len) in windows {
        let operation = Operation::Map { handle, options: U256::ZERO, offset, size: len };
        let error = MapError::OutOfBounds { offset, len, size: 100 };
        assert_eq!(run.error(operation), error.into());
    }
    run.window(handle, 0, 99, 1);
    run.window(handle, 0, 99, 0);
    run.window(handle, 0, 0, 100);
}

#[test]
fn offsets_of_a_window_count_from_its_beginning_and_stop_at_its_end() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 0);
    let all = run.map(handle, 0);
    let window = run.window(handle, 0, 4090, 12);
    run.write(window, 2, &[5; 3]);
    assert_eq!(run.read(all, 4091, 5), [0, 5, 5, 5, 0]);
    assert_eq!(run.read(window, 0, 100).len(), 12);
    assert_eq!(run.try_write(window, 10, &[6; 10]).unwrap().output, output(2));
    assert_eq!(run.read(all, 4099, 4), [0, 6, 6, 0]);
    let error = AccessError::OutOfBounds { offset: word(12_u64), len: word(1_u64), size: 12 };
    assert_eq!(run.error(read(window, 12, 1)), error.into());
}

fn output(bytes: u64) -> chorus::region::Output {
    chorus::region::Output::Bytes(bytes)
}

#[test]
fn a_mapping_to_the_end_follows_the_region_and_a_window_does_not() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let open = run.window(handle, 0, 50, 0);
    let window = run.window(handle, 0, 50, 50);
    let snapshot = run.window(handle, 1, 50, 0);
    run.grow(handle, 200);
    assert_eq!(run.read(open, 0, 1000).len(), 150);
    assert_eq!(run.read(window, 0, 1000).len(), 50);
    assert_eq!(run.read(snapshot, 0, 1000).len(), 50);
}

#[test]
fn unmapped_is_not_mapped() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.unmap(mapping);
    let huge = U256::ONE << 64;
    let wrong = [word(mapping), U256::ZERO, word(2_u64), huge + U256::ONE, huge, U256::MAX];
    for mapping in wrong {
        let (offset, len) = (U256::ZERO, word(1_u64));
        let operations = [
            Operation::Unmap { mapping },
            Operation::Publish { mapping },
            Operation::Read { mapping, offset, len },
            Operation::Read { mapping, offset, len: U256::ZERO },
            Operation::ReadPadded { mapping, offset, len },
            Operation::Write { mapping, offset, len },
            Operation::Write { mapping, offset, len: U256::ZERO },
            Operation::Copy { mapping, destination: offset, source: offset, len },
        ];
        for operation in operations {
            assert_eq!(run.error(operation), AccessError::NotMapped { mapping }.into());
        }
    }
}

#[test]
fn a_region_is_pinned_by_each_mapping_once() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let first = run.map(handle, 0);
    run.map(handle, 2);
    run.enter();
    run.map(handle, 0);
    let in_use = |mappings| ChangeError::RegionInUse { mappings }.into();
    assert_eq!(run.error(Operation::Destroy { handle }), in_use(3));
    run.session.commit();
    assert_eq!(run.error(Operation::Destroy { handle }), in_use(2));
    run.unmap(first);
    assert_eq!(run.error(Operation::Destroy { handle }), in_use(1));
    run.enter();
    run.unmap_in(0, 2);
    run.destroy(handle);
    run.session.revert();
    assert_eq!(run.error(Operation::Destroy { handle }), in_use(1));
}

impl Run {
    /// As a precompile does, for the frame that called.
    fn unmap_in(&mut self, frame: usize, mapping: u64) {
        let call = self.call_in(frame);
        self.ask_as(call, &Operation::Unmap { mapping: word(mapping) }, &[]).unwrap();
    }
}

#[test]
fn hints_change_nothing_that_can_be_seen() {
    let mut run = Run::start();
    let handle = run.create("a", 100 * 4096, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 4096]);
    run.next();
    run.open(1, "a");
    let prices: Vec<u64> = [0, 4, 8, 12].map(|hint| run.price(map(handle, hint, 0, 0))).into();
    assert_eq!(prices, [200, 200, 200, 200]);
    let mapping = run.map(handle, 12);
    assert_eq!(run.price(read(mapping, 0, 32)), 50 + 3 + 2100);
    assert_eq!(run.read(mapping, 0, 2), [1, 1]);
}

#[test]
fn windows_are_taken_and_free_again_as_their_mappings_come_and_go() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let taken = |run: &mut Run| run.ask(map(handle, 0, 0, 0)).is_err();
    run.session.checkpoint(false);
    run.map(handle, 0);
    run.session.revert();
    assert!(!taken(&mut run));
    run.session.checkpoint(false);
    run.unmap(1);
    run.map(handle, 0);
    assert!(taken(&mut run));
    run.session.revert();
    assert!(taken(&mut run));
    run.unmap(1);
    assert!(!taken(&mut run));
}
