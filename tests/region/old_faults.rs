//! The faults of the design that this one grew from, each with a test that would have found it. Faults
//! 7 and 8 are those of pools and counters, and are tested there.

use std::process::Command;

use chorus::region::{
    error::{AccessError, ChangeError, MapError},
    handle::Handle,
    operation::{Operation, Output},
};
use ruint::aliases::U256;
use sha3::{Digest, Keccak256};

use crate::region_run::{Run, address, copy, word};

/// Copy-on-write reads returned the shared bytes and ignored the context's private pages.
#[test]
fn old_fault_1_a_copy_on_write_read_shows_the_private_page() {
    let mut run = Run::start();
    let handle = run.create("a", 8192, 4);
    let shared = run.map(handle, 0);
    run.write(shared, 0, &[1; 8192]);
    let snapshot = run.map(handle, 1);
    run.write(snapshot, 4090, &[2; 12]);
    assert_eq!(run.read(snapshot, 4089, 14), [&[1][..], &[2; 12], &[1]].concat());
    run.copy(snapshot, 0, 4090, 12);
    assert_eq!(run.read(snapshot, 0, 13), [&[2; 12][..], &[1]].concat());
    assert_eq!(run.read(shared, 0, 8192), [1; 8192]);
}

/// The page key packed context, region and page number into 64 bits with a constant region id, so
/// different pages collided.
#[test]
fn old_fault_2_pages_of_different_regions_and_numbers_never_collide() {
    let mut run = Run::start();
    let offsets: Vec<u64> = (0..26).map(|shift| (1 << shift) - 1).collect();
    for options in [0, 4] {
        let handles: Vec<_> =
            (0..8).map(|at| run.create(&format!("region {at}"), 64 << 20, options)).collect();
        let mappings: Vec<_> = handles.iter().map(|handle| run.map(*handle, 0)).collect();
        for (at, mapping) in (0..).zip(&mappings) {
            for (number, offset) in (1..).zip(&offsets) {
                run.write(*mapping, *offset, &[at * 26 + number]);
            }
        }
        for (at, mapping) in (0..).zip(&mappings) {
            for (number, offset) in (1..).zip(&offsets) {
                assert_eq!(run.read(*mapping, *offset, 1), [at * 26_u8 + number]);
            }
        }
        for mapping in mappings {
            run.unmap(mapping);
        }
    }
    // Nor do those of two generations of one name.
    let handle = run.open(1, "region 0").unwrap();
    run.destroy(handle);
    run.next();
    let old = run.open(1, "region 0").unwrap();
    run.destroy(old);
    let new = run.create("region 0", 64 << 20, 4);
    let mapping = run.map(new, 0);
    for offset in offsets {
        assert_eq!(run.read(mapping, offset, 1), [0]);
    }
}

/// Mapping twice counted the reference twice, and one unmap then left the region pinned for ever.
#[test]
fn old_fault_3_a_second_map_does_not_pin_the_region() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    let mapping = run.map(handle, 0);
    let error = MapError::AlreadyMapped { mapping };
    assert_eq!(run.error(crate::region_run::map(handle, 0, 0, 0)), error.into());
    run.unmap(mapping);
    run.destroy(handle);

    // Nor do a frame that returns without unmapping, or one that reverts.
    let handle = run.create("a", 100, 4);
    for revert in [false, true] {
        run.enter();
        run.map(handle, 0);
        run.map(handle, 1);
        if revert { run.session.revert() } else { run.session.commit() }
    }
    run.destroy(handle);
}

/// Offset plus size could overflow; opcode arguments were cut to 32 bits instead of being refused.
#[test]
fn old_fault_4_no_operand_is_cut_and_no_sum_overflows() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[7; 100]);
    let mut operands = vec![U256::MAX, U256::MAX - U256::from(99), U256::ONE << 255];
    for bits in [32, 63, 64, 65, 128] {
        let big = U256::ONE << bits;
        operands.extend([big, big + U256::from(1), big - U256::from(1), big - U256::from(100)]);
    }
    let zero = U256::ZERO;
    let mapped = word(mapping);
    for big in operands {
        for (offset, len) in [(big, U256::ONE), (big, big), (big, U256::from(100))] {
            let error = AccessError::OutOfBounds { offset, len, size: 100 };
            let read = Operation::Read { mapping: mapped, offset, len };
            assert_eq!(run.error(read), error.clone().into());
            let write = Operation::Write { mapping: mapped, offset, len };
            assert_eq!(run.error(write), error.clone().into());
            let copy = Operation::Copy { mapping: mapped, destination: zero, source: offset, len };
            assert_eq!(run.error(copy), error.into());
            let map = Operation::Map { handle, options: U256::from(2), offset, size: len };
            let error = MapError::OutOfBounds { offset, len, size: 100 };
            assert_eq!(run.error(map), error.into());
        }
        let error = AccessError::NotMapped { mapping: big };
        assert_eq!(run.error(Operation::Unmap { mapping: big }), error.into());
        let error = ChangeError::RegionTooLarge { size: big, max: 64 << 20 };
        assert_eq!(run.error(Operation::Grow { handle, size: big }), error.into());
    }
    assert_eq!(run.read(mapping, 0, 1000), [7; 100]);
}

/// Overlapping copies in one direction corrupted data.
#[test]
fn old_fault_5_overlapping_copies_are_right_in_both_directions() {
    let data: Vec<u8> = (0..12_000).map(|at| (at % 251) as u8).collect();
    for shift in [1, 31, 32, 4095, 4096, 4097, 5000] {
        for forwards in [true, false] {
            let mut run = Run::start();
            let handle = run.create("a", 12_000, 4);
            let mapping = run.map(handle, 0);
            run.write(mapping, 0, &data);
            let (from, to) = if forwards { (0, shift) } else { (shift, 0) };
            run.ask(copy(mapping, to, from, 6000)).unwrap();
            let mut expected = data.clone();
            let (from, to) = (from as usize, to as usize);
            expected.copy_within(from..from + 6000, to);
            assert!(run.read(mapping, 0, 12_000) == expected, "{shift} {forwards}");
        }
    }
}

/// Handles of a few regions, as text.
fn some_handles() -> String {
    let mut run = Run::start();
    let mut handles = vec![run.create("a", 1, 4), run.create("a", 1, 0), run.alloc(1, 4)];
    run.actor = address(2);
    handles.push(run.create("b", 1, 4));
    handles.push(run.world.attach(b"sidecar"));
    handles.iter().map(|handle| format!("{handle} ")).collect()
}

/// Opcodes returned host addresses to the contract.
#[test]
fn old_fault_6_handles_are_no_addresses_of_the_host() {
    // The specification's formula gives them without any host...
    let formula = |preimage: &[&[u8]], generation: u64| {
        let mut hash = Keccak256::new();
        preimage.iter().for_each(|part| hash.update(part));
        let mut bytes = [0; 32];
        bytes[..24].copy_from_slice(&hash.finalize()[..24]);
        bytes[24..].copy_from_slice(&generation.to_be_bytes());
        format!("{} ", Handle(bytes))
    };
    let (mut ann, mut bob) = ([0; 20], [0; 20]);
    (ann[19], bob[19]) = (1, 2);
    let (a, b) = (crate::region_run::name("a"), crate::region_run::name("b"));
    let expected = formula(&[&[0], &ann, &a], 1)
        + &formula(&[&[1], &ann, &a], 1)
        + &formula(&[&[1], &ann, &[0; 32]], 2)
        + &formula(&[&[0], &bob, &b], 1)
        + &formula(&[&[2], &7_u64.to_be_bytes(), b"sidecar"], 0);
    assert_eq!(some_handles(), expected);

    // ... and so does another process, in which everything lies somewhere else.
    if std::env::var_os("CHORUS_TEST_HANDLES").is_some() {
        println!("handles: {}", some_handles());
        return;
    }
    let test = "region::old_faults::old_fault_6_handles_are_no_addresses_of_the_host";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("CHORUS_TEST_HANDLES", "1")
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains(&format!("handles: {}", some_handles())), "{output}");

    // What else an operation gives back is small numbers.
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let outputs = [
        run.ask(crate::region_run::map(handle, 0, 0, 0)).unwrap().output,
        run.try_write(1, 0, &[1]).unwrap().output,
        run.ask(Operation::Info { handle }).unwrap().output,
    ];
    let expected =
        [Output::Mapping(1), Output::Bytes(1), Output::Info { size: 100, permissions: 7 }];
    assert_eq!(outputs, expected);
}

/// Age, not reachability, decided which private pages the collector freed. A session's private
/// pages live as long as their mapping does, however old they are.
#[test]
fn old_fault_9_a_private_page_lives_as_long_as_its_mapping() {
    let mut run = Run::start();
    let handle = run.create("a", 4096, 4);
    let snapshot = run.map(handle, 1);
    run.write(snapshot, 0, &[7]);
    let shared = run.map(handle, 0);
    for turn in 0..1000 {
        run.enter();
        let inner = run.map(handle, 1);
        run.write(inner, 0, &[8]);
        if turn % 2 == 0 { run.session.commit() } else { run.session.revert() }
    }
    run.write(shared, 0, &[9]);
    assert_eq!(run.read(snapshot, 0, 1), [7]);
    run.publish(snapshot);
    assert_eq!(run.read(shared, 0, 1), [7]);
}

/// A reverted call kept the regions and mappings it had made.
#[test]
fn old_fault_10_a_reverted_call_keeps_nothing_that_it_made() {
    let mut run = Run::start();
    let kept = run.create("kept", 100, 4);
    run.enter();
    run.map(kept, 0);
    for options in [0, 4] {
        let made = run.create("made", 100, options);
        run.map(made, 0);
    }
    let block = run.alloc(64, 0);
    run.map(block, 0);
    run.session.revert();
    assert_eq!(run.open(1, "made"), None);
    assert!(run.ask(Operation::Info { handle: block }).is_err());
    run.destroy(kept);
    let effects = run.next();
    assert!(effects.page_changes.is_empty());
    assert!(run.world.meta.values().all(|meta| meta.live.is_none()));
}
