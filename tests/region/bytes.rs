use chorus::region::{
    Permissions,
    config::ChainConfig,
    error::{AccessError, RegionError},
    operation::{Access, Moved, Operation, Output},
};
use ruint::aliases::U256;

use crate::{
    region_run::{Run, address, chain, copy, read, read_padded, word, write},
    region_world::MapWorld,
};

fn out_of_bounds(offset: U256, len: U256, size: u64) -> RegionError {
    AccessError::OutOfBounds { offset, len, size }.into()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 + 1).collect()
}

/// Operands that have more bits than an offset could have, or just as many.
fn huge() -> [U256; 6] {
    let big = U256::ONE << 64;
    [big - U256::ONE, big, big + U256::from(5), U256::ONE << 128, U256::ONE << 255, U256::MAX]
}

#[test]
fn a_region_reads_as_zero_until_it_is_written() {
    let mut run = Run::start();
    for options in [0, 4] {
        let handle = run.create("a", 10_000, options);
        let mapping = run.map(handle, 0);
        assert_eq!(run.read(mapping, 0, 10_000), [0; 10_000]);
    }
}

#[test]
fn what_is_written_is_read_across_pages() {
    let mut run = Run::start();
    for options in [0, 4] {
        let handle = run.create("a", 20_000, options);
        let mapping = run.map(handle, 0);
        let data = pattern(9000);
        run.write(mapping, 4000, &data);
        assert_eq!(run.read(mapping, 4000, 9000), data);
        assert_eq!(run.read(mapping, 3999, 2), [0, 1]);
        assert_eq!(run.read(mapping, 13_000, 7000), [0; 7000]);
    }
}

#[test]
fn a_read_stops_at_the_end() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &pattern(100));
    for (offset, len, bytes) in [(0, 100, 100), (0, 101, 100), (99, 1, 1), (60, 5000, 40)] {
        let done = run.ask(read(mapping, offset, len)).unwrap();
        assert_eq!(done.output, Output::Bytes(bytes));
        let range = offset as usize..(offset + bytes) as usize;
        assert_eq!(done.bytes, pattern(100)[range]);
    }
}

#[test]
fn a_read_past_the_end_is_out_of_bounds() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    for offset in [U256::from(100), U256::from(101)].into_iter().chain(huge()) {
        for len in [U256::ONE].into_iter().chain(huge()) {
            let operation = Operation::Read { mapping: word(mapping), offset, len };
            assert_eq!(run.error(operation), out_of_bounds(offset, len, 100));
        }
    }
}

#[test]
fn read_padded_reads_zeros_past_the_end() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &pattern(100));
    let done = run.ask(read_padded(mapping, 90, 30)).unwrap();
    assert_eq!(done.output, Output::Bytes(10));
    assert_eq!(done.bytes, [&pattern(100)[90..], &[0; 20]].concat());
    for offset in [U256::from(100)].into_iter().chain(huge()) {
        let operation = Operation::ReadPadded { mapping: word(mapping), offset, len: word(40_u64) };
        let done = run.ask(operation).unwrap();
        assert_eq!((done.output, done.bytes), (Output::Bytes(0), vec![0; 40]));
        assert_eq!(done.gas, 50 + 2 * 3);
    }
}

#[test]
fn a_write_stops_at_the_end() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    let done = run.try_write(mapping, 90, &[9; 30]).unwrap();
    assert_eq!(done.output, Output::Bytes(10));
    assert_eq!(run.read(mapping, 89, 100), [&[0][..], &[9; 10]].concat());
    // What did not fit is nowhere.
    run.grow(handle, 200);
    assert_eq!(run.read(mapping, 100, 100), [0; 100]);
}

#[test]
fn a_write_past_the_end_is_out_of_bounds() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    for offset in [U256::from(100), U256::from(101)].into_iter().chain(huge()) {
        for len in [U256::ONE].into_iter().chain(huge()) {
            let operation = Operation::Write { mapping: word(mapping), offset, len };
            assert_eq!(run.error(operation), out_of_bounds(offset, len, 100));
        }
    }
}

#[test]
fn a_read_only_mapping_is_not_written() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    for options in [2, 3] {
        let mapping = run.map(handle, options);
        let needed = Permissions::WRITE;
        let denied = AccessError::PermissionDenied { actor: address(1), needed };
        for operation in [
            write(mapping, 0, 1),
            write(mapping, 0, 0),
            write(mapping, 1000, 1),
            copy(mapping, 0, 50, 10),
            copy(mapping, 0, 0, 0),
        ] {
            assert_eq!(run.error(operation), denied.clone().into());
        }
    }
}

#[test]
fn nothing_can_be_read_written_and_copied_anywhere() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    let (mapping, len) = (word(mapping), U256::ZERO);
    for offset in [U256::ZERO, U256::from(100), U256::from(101)].into_iter().chain(huge()) {
        let operations = [
            (50, Operation::Read { mapping, offset, len }),
            (50, Operation::ReadPadded { mapping, offset, len }),
            (100, Operation::Write { mapping, offset, len }),
            (100, Operation::Copy { mapping, destination: offset, source: U256::ZERO, len }),
            (100, Operation::Copy { mapping, destination: U256::ZERO, source: offset, len }),
            (100, Operation::Copy { mapping, destination: offset, source: offset, len }),
        ];
        for (gas, operation) in operations {
            let done = run.ask(operation.clone()).unwrap();
            assert_eq!(done.gas, gas, "{operation:?}");
            assert!(matches!(done.output, Output::Bytes(0) | Output::Done));
        }
    }
}

#[test]
fn a_copy_goes_through_a_buffer_in_both_directions() {
    for options in [0, 1] {
        for (destination, source, len) in
            [(100, 0, 9000), (0, 100, 9000), (1, 0, 5000), (0, 1, 5000), (4096, 4095, 4097)]
        {
            let mut run = Run::start();
            let handle = run.create("a", 10_000, 0);
            let mapping = run.map(handle, options);
            let mut expected = pattern(10_000);
            run.write(mapping, 0, &expected);
            run.copy(mapping, destination, source, len);
            let (from, len) = (source as usize, len as usize);
            expected.copy_within(from..from + len, destination as usize);
            assert!(run.read(mapping, 0, 10_000) == expected, "{destination} {source} {len}");
        }
    }
}

#[test]
fn a_copy_moves_all_of_it_or_nothing() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    let fail = |run: &mut Run, destination: U256, source: U256, len: U256| {
        run.error(Operation::Copy { mapping: word(mapping), destination, source, len })
    };
    let (zero, one) = (U256::ZERO, U256::ONE);
    let far: Vec<U256> = [U256::from(100)].into_iter().chain(huge()).collect();
    for at in far {
        assert_eq!(fail(&mut run, zero, at, one), out_of_bounds(at, one, 100));
        assert_eq!(fail(&mut run, at, zero, one), out_of_bounds(at, one, 100));
        assert_eq!(fail(&mut run, at, at, at), out_of_bounds(at, at, 100));
        let more = at.saturating_add(one);
        assert_eq!(fail(&mut run, zero, zero, more), out_of_bounds(zero, more, 100));
    }
    let (five, ten) = (U256::from(95), U256::from(10));
    assert_eq!(fail(&mut run, zero, five, ten), out_of_bounds(five, ten, 100));
    assert_eq!(fail(&mut run, five, zero, ten), out_of_bounds(five, ten, 100));
    run.copy(mapping, 90, 0, 10);
}

#[test]
fn an_auto_grow_region_grows_to_what_is_written() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 2);
    let mapping = run.window(handle, 0, 50, 0);
    let info = |run: &mut Run| run.info(handle).0;
    run.write(mapping, 0, &[1; 50]);
    assert_eq!(info(&mut run), 100);
    run.write(mapping, 40, &[2; 20]);
    assert_eq!(info(&mut run), 110);
    // Beyond the end, with nothing between.
    run.write(mapping, 10_000, &[3; 10]);
    assert_eq!(info(&mut run), 10_060);
    assert_eq!(run.read(mapping, 59, 3), [2, 0, 0]);
    assert_eq!(run.read(mapping, 9_999, 100), [&[0][..], &[3; 10]].concat());
    // Nothing is written, so nothing grows.
    run.ask(write(mapping, 20_000, 0)).unwrap();
    run.ask(copy(mapping, 20_000, 0, 0)).unwrap();
    assert_eq!(info(&mut run), 10_060);
    run.copy(mapping, 10_005, 10_000, 10);
    assert_eq!(info(&mut run), 10_065);
    assert_eq!(run.read(mapping, 10_000, 100), [3; 15]);
}

#[test]
fn windows_snapshots_and_reads_do_not_grow_a_region() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 2);
    for mapping in [run.window(handle, 0, 0, 100), run.map(handle, 1)] {
        assert_eq!(run.try_write(mapping, 90, &[1; 20]).unwrap().output, Output::Bytes(10));
        let error = out_of_bounds(word(100_u64), U256::ONE, 100);
        assert_eq!(run.error(write(mapping, 100, 1)), error);
    }
    let mapping = run.map(handle, 0);
    assert_eq!(run.error(read(mapping, 100, 1)), out_of_bounds(word(100_u64), U256::ONE, 100));
    // What a copy takes has to be there.
    assert_eq!(run.error(copy(mapping, 0, 95, 10)), out_of_bounds(word(95_u64), word(10_u64), 100));
}

#[test]
fn a_region_does_not_grow_beyond_what_the_chain_allows() {
    let config = ChainConfig { max_region_size: 5000, ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    let handle = run.create("a", 100, 2);
    let mapping = run.window(handle, 0, 10, 0);
    let too_large = |size: U256| AccessError::RegionTooLarge { size, max: 5000 }.into();
    assert_eq!(run.error(write(mapping, 4990, 1)), too_large(word(5001_u64)));
    assert_eq!(run.error(write(mapping, 0, 4991)), too_large(word(5001_u64)));
    assert_eq!(run.error(copy(mapping, 4981, 0, 10)), too_large(word(5001_u64)));
    for huge in huge() {
        let ten = U256::from(10);
        let write = |offset, len| Operation::Write { mapping: word(mapping), offset, len };
        let plus = |by| huge.saturating_add(U256::from(by));
        assert_eq!(run.error(write(huge, U256::ONE)), too_large(plus(11)));
        assert_eq!(run.error(write(U256::ONE, huge)), too_large(plus(11)));
        assert_eq!(run.error(write(huge, ten)), too_large(plus(20)));
        let sum = huge.saturating_add(huge).saturating_add(ten);
        assert_eq!(run.error(write(huge, huge)), too_large(sum));
    }
    assert_eq!(run.info(handle).0, 100);
    run.write(mapping, 4980, &[1; 10]);
    assert_eq!(run.info(handle).0, 5000);
}

#[test]
fn nominal_size_costs_no_pages() {
    let mut run = Run::start();
    let handle = run.create("a", 64 << 20, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 40 << 20, &[7]);
    let effects = run.next();
    assert_eq!(effects.page_changes.len(), 1);
    assert_eq!(effects.page_changes[0].key.page.0, 10_240);
}

#[test]
fn zeros_make_a_page_present() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 10, &[0]);
    run.ask(write(mapping, 5000, 0)).unwrap();
    assert_eq!(run.next().page_changes.len(), 1);
    // So the next first write is one to a present page.
    run.open(1, "a");
    let mapping = run.map(handle, 0);
    assert_eq!(run.price(write(mapping, 0, 1)), 100 + 3 + 2100 + 2900 + 416);
}

#[test]
fn what_is_at_hand_is_moved_at_once_and_costs_what_it_costs() {
    let mut run = Run::start();
    let handle = run.create("a", 20_000, 0);
    let mapping = run.map(handle, 0);
    let access = |offset, len| Access { mapping: word(mapping), offset, len: word(len) };
    let call = run.call_in(0);
    let mut bytes = [0; 64];
    // Nothing of the page is known yet.
    let first = access(word(64_u64), 32_u64);
    assert_eq!(run.session.read_now(&call, &first, &mut bytes), None);
    assert_eq!(run.session.write_now(&call, &first, &[5; 32]), None);
    run.write(mapping, 0, &pattern(64));

    let plan = run.session.analyse(&mut run.world, &call, &write(mapping, 64, 32)).unwrap();
    let written = run.session.write_now(&call, &first, &[5; 40]).unwrap();
    assert_eq!(written, Moved { gas: plan.gas, bytes: 32 });
    let plan = run.session.analyse(&mut run.world, &call, &read(mapping, 64, 32)).unwrap();
    let moved = run.session.read_now(&call, &first, &mut bytes).unwrap();
    assert_eq!(moved, Moved { gas: plan.gas, bytes: 32 });
    assert_eq!((bytes[..32].as_ref(), bytes[32..].as_ref()), ([5; 32].as_ref(), [0; 32].as_ref()));
    assert_eq!(run.read(mapping, 96, 2), [0, 0]);

    // Every gas of it has to be there.
    let poor = chorus::region::Call { gas: moved.gas - 1, ..call };
    assert_eq!(run.session.read_now(&poor, &first, &mut bytes), None);
    let just = chorus::region::Call { gas: moved.gas, ..call };
    assert!(run.session.read_now(&just, &first, &mut bytes).is_some());
    let looking = chorus::region::Call { is_static: true, ..call };
    assert!(run.session.read_now(&looking, &first, &mut bytes).is_some());
    assert_eq!(run.session.write_now(&looking, &first, &bytes), None);
    // Neither what ends on another page, nor nothing, nor past the end, nor of a number too large.
    for (offset, len) in [(word(4090_u64), 32_u64), (word(64_u64), 0), (word(20_000_u64), 1)] {
        assert_eq!(run.session.read_now(&call, &access(offset, len), &mut bytes), None);
    }
    for offset in huge() {
        assert_eq!(run.session.read_now(&call, &access(offset, 1), &mut bytes), None);
        assert_eq!(run.session.write_now(&call, &access(offset, 1), &bytes), None);
    }
    // A mapping that may only look, and one that has bytes of its own.
    for options in [1, 2] {
        let other = run.map(handle, options);
        let access = Access { mapping: word(other), ..first };
        assert_eq!(run.session.write_now(&call, &access, &bytes), None);
    }
    run.unmap(mapping);
    assert_eq!(run.session.read_now(&call, &first, &mut bytes), None);
}

#[test]
fn what_is_written_at_once_is_taken_back() {
    let mut run = Run::start();
    let handle = run.create("a", 4096, 0);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 32]);
    let call = run.call_in(0);
    let access = Access { mapping: word(mapping), offset: U256::ZERO, len: word(32_u64) };
    run.session.checkpoint(false);
    assert!(run.session.write_now(&call, &access, &[2; 32]).is_some());
    assert_eq!(run.read(mapping, 0, 2), [2, 2]);
    run.session.revert();
    assert_eq!(run.read(mapping, 0, 32), [1; 32]);
}

#[test]
fn pages_that_are_handed_over_are_those_that_are_read() {
    let mut run = Run::start();
    let handle = run.create("a", 10_000, 0);
    let mapping = run.map(handle, 0);
    let page = chorus::region::page::Page::from_bytes(&[7; 4096]);
    let call = run.call_in(0);
    let plan = run.session.analyse(&mut run.world, &call, &write(mapping, 4096, 4096)).unwrap();
    let output = run.session.write_pages(plan, std::slice::from_ref(&page));
    assert_eq!(output, Some(Output::Bytes(4096)));
    let plan = run.session.analyse(&mut run.world, &call, &read(mapping, 0, 10_000)).unwrap();
    let pages = run.session.read_pages(plan).unwrap();
    assert_eq!(pages.len(), 3);
    assert!(std::sync::Arc::ptr_eq(&pages[1], &page));
    // What was handed over is not changed by later writes.
    run.write(mapping, 5000, &[8]);
    assert_eq!(page.bytes(), &[7; 4096]);
    assert_eq!(run.read(mapping, 4999, 3), [7, 8, 7]);
}

#[test]
fn pages_handed_over_to_a_snapshot_are_its_own() {
    let mut run = Run::start();
    let handle = run.create("a", 4096, 0);
    let (shared, snapshot) = (run.map(handle, 0), run.map(handle, 1));
    let page = chorus::region::page::Page::from_bytes(&[7; 4096]);
    let call = run.call_in(0);
    run.enter();
    let plan = run.session.analyse(&mut run.world, &call, &write(snapshot, 0, 4096)).unwrap();
    run.session.write_pages(plan, &[page]).unwrap();
    run.session.commit();
    assert_eq!(run.read(shared, 0, 2), [0, 0]);
    assert_eq!(run.read(snapshot, 4095, 1), [7]);
}
