//! What each opcode leaves on the stack, in memory and in the regions.

use alloy_primitives::{Address, U256, keccak256};
use chorus::region::Operation;
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Interface, Lab, Left, MEMORY, Step, block, handle_word, opcode_of,
    operation::{
        CONTRACT, alloc, copy, create, grant, grow, map, open, publish, read, read_padded, unmap,
    },
    persistent, program, transient, word,
};

const OTHER: Address = Address::repeat_byte(0x77);

/// What each step of a program that runs in one frame left.
fn left(steps: &[Step]) -> Vec<Left> {
    let mut lab = Lab::new();
    let code = program(&lab.config, Interface::Opcode, steps);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?} {:?}", ran.halt(at), ran.diagnostics(at));
    let left = |(at, step): (usize, &Step)| Left::of(&ran, CONTRACT, Interface::Opcode, step, at);
    steps.iter().enumerate().map(left).collect()
}

fn results(steps: &[Step]) -> Vec<Vec<U256>> {
    left(steps).into_iter().map(|left| left.results).collect()
}

#[test]
fn handles_are_the_identity_and_the_ordinal() {
    let steps = [
        create("a", 1, 0).into(),
        alloc(64, 0).into(),
        alloc(64, 4).into(),
        create("p", 1, 4).into(),
    ];
    let expected = [
        vec![handle_word(transient(CONTRACT, "a", 1))],
        vec![handle_word(block(CONTRACT, 2))],
        vec![handle_word(block(CONTRACT, 3))],
        vec![handle_word(persistent(CONTRACT, "p", 1))],
    ];
    assert_eq!(results(&steps), expected);
}

#[test]
fn open_finds_what_there_is_and_zero_otherwise() {
    let steps = [
        open(CONTRACT, "a").into(),
        create("a", 1, 0).into(),
        open(CONTRACT, "a").into(),
        open(OTHER, "a").into(),
    ];
    let results = results(&steps);
    assert_eq!(results[0], [U256::ZERO]);
    assert_eq!(results[2], results[1]);
    assert_eq!(results[3], [U256::ZERO]);
}

#[test]
fn mappings_count_from_one_in_their_frame() {
    let region = transient(CONTRACT, "a", 1);
    let steps = [
        create("a", 100, 0).into(),
        map(region, 0).into(),
        map(region, 2).into(),
        unmap(1).into(),
        map(region, 0).into(),
    ];
    let results = results(&steps);
    assert_eq!(results[1], [word(1)]);
    assert_eq!(results[2], [word(2)]);
    assert!(results[3].is_empty());
    assert_eq!(results[4], [word(3)]);
}

#[test]
fn bytes_written_are_bytes_read_up_to_the_end() {
    let region = transient(CONTRACT, "a", 1);
    let steps = [
        create("a", 100, 0).into(),
        map(region, 0).into(),
        Step::write(1, 0, b"hello, region"),
        Step::write(1, 90, &[9; 40]),
        read(1, 0, 13).into(),
        read(1, 7, 1000).into(),
        read_padded(1, 95, 10).into(),
        read_padded(1, 1 << 40, 10).into(),
        read(1, 0, 0).into(),
        copy(1, 20, 0, 13).into(),
        read(1, 20, 13).into(),
    ];
    let left = left(&steps);
    assert_eq!(left[2].results, [word(13)]);
    assert_eq!(left[3].results, [word(10)], "clipped to the size");
    let hash = |bytes: &[u8]| U256::from_be_bytes(keccak256(bytes).0);
    assert_eq!(left[4].hash, hash(b"hello, region"));
    assert_eq!(left[5].results, [word(93)]);
    assert_eq!(left[6].hash, hash(&[9, 9, 9, 9, 9, 0, 0, 0, 0, 0]));
    assert_eq!(left[7].hash, hash(&[0; 10]));
    assert_eq!(left[8].results, [word(0)]);
    assert_eq!(left[10].hash, hash(b"hello, region"));
}

#[test]
fn size_is_on_top_and_the_permissions_below() {
    let region = transient(CONTRACT, "a", 1);
    let info = || Operation::Info { handle: region }.into();
    let steps = [create("a", 100, 0).into(), info(), grow(region, 5000).into(), info()];
    let results = results(&steps);
    assert_eq!(results[1], [word(100), word(7)]);
    assert_eq!(results[3], [word(5000), word(7)]);
}

#[test]
fn a_snapshot_shows_its_own_writes_until_they_are_published() {
    let region = transient(CONTRACT, "a", 1);
    let steps = [
        create("a", 100, 0).into(),
        map(region, 0).into(),
        map(region, 1).into(),
        Step::write(2, 0, b"mine"),
        read(1, 0, 4).into(),
        read(2, 0, 4).into(),
        publish(2).into(),
        read(1, 0, 4).into(),
    ];
    let left = left(&steps);
    let hash = |bytes: &[u8]| U256::from_be_bytes(keccak256(bytes).0);
    assert_eq!(left[4].hash, hash(&[0; 4]));
    assert_eq!(left[5].hash, hash(b"mine"));
    assert_eq!(left[7].hash, hash(b"mine"));
}

#[test]
fn a_read_leaves_memory_behind_its_bytes_alone_and_a_padded_one_clears_it() {
    let region = transient(CONTRACT, "a", 1);
    let lab = Lab::new();
    let emit = |code: Code, operation: Operation| {
        let words = super::shared::operands(&operation, MEMORY).into_iter().rev();
        let byte = opcode_of(&lab.config, operation.kind());
        words.fold(code, |code, word| code.push(word)).ops(&[byte])
    };
    let code = emit(Code::new(), create("a", 16, 0));
    let code = emit(code, map(region, 0)).push(U256::MAX).push(MEMORY).ops(&[op::MSTORE]);
    let code = emit(code, read(1, 0, 32)).push(MEMORY).ops(&[op::MLOAD]).keep(0);
    let code = emit(code, read_padded(1, 0, 24)).push(MEMORY).ops(&[op::MLOAD]).keep(1);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!(ran.slot(CONTRACT, 0), U256::from(u128::MAX));
    assert_eq!(ran.slot(CONTRACT, 1), U256::from(u64::MAX));
}

#[test]
fn state_is_there_in_the_next_block_and_the_rest_is_not() {
    let mut lab = Lab::new();
    let region = persistent(CONTRACT, "p", 1);
    let steps = [
        create("p", 100, 4).into(),
        create("t", 100, 0).into(),
        map(region, 0).into(),
        Step::write(1, 0, b"kept"),
        grant(region, OTHER, 1).into(),
    ];
    let code = program(&lab.config, Interface::Opcode, &steps);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    lab.advance();
    let steps: [Step; 4] = [
        open(CONTRACT, "t").into(),
        open(CONTRACT, "p").into(),
        map(region, 2).into(),
        read(1, 0, 4).into(),
    ];
    let code = program(&lab.config, Interface::Opcode, &steps);
    lab.contract(OTHER, code.bytes());
    let at = lab.call(OTHER);
    let ran = lab.advance();
    assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
    let left = |at: usize| Left::of(&ran, OTHER, Interface::Opcode, &steps[at], at);
    assert_eq!(left(0).results, [U256::ZERO]);
    assert_eq!(left(1).results, [handle_word(region)]);
    assert_eq!(left(3).hash, U256::from_be_bytes(keccak256(b"kept").0));
}

#[test]
fn later_transactions_of_the_block_see_what_earlier_ones_did() {
    let mut lab = Lab::new();
    let region = persistent(CONTRACT, "p", 1);
    let steps = [create("p", 100, 4).into(), map(region, 0).into(), Step::write(1, 0, b"first")];
    let code = program(&lab.config, Interface::Opcode, &steps);
    lab.contract(CONTRACT, code.bytes());
    // The owner grants nothing, so only its own address can read: the same code by another route.
    const READER: Address = Address::repeat_byte(0x4e);
    let steps: [Step; 1] = [open(CONTRACT, "p").into()];
    let code = program(&lab.config, Interface::Opcode, &steps);
    lab.contract(READER, code.bytes());
    let before = lab.call(READER);
    lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(before));
    assert_eq!(Left::of(&ran, READER, Interface::Opcode, &steps[0], 0).results, [U256::ZERO]);
    lab.call(READER);
    let ran = lab.run();
    let left = Left::of(&ran, READER, Interface::Opcode, &steps[0], 0);
    assert_eq!(left.results, [handle_word(region)]);
}
