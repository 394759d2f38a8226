//! What each opcode costs, by hand from the schedule.

use chorus::region::Operation;
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Interface, Lab, Left, Step, block, opcode_of, operands,
    operation::{
        CONTRACT, alloc, copy, create, exec, grant, grow, map, open, publish, read, read_padded,
        unmap,
    },
    persistent, program, transient, word,
};
use alloy_primitives::{Address, U256};

/// A page of a transaction's own that comes into being: touched first, and 128 words of memory.
const NEW_PAGE: u64 = 100 + 3 * 128 + 32;
const PERSISTENT: u64 = 4;
const OTHER: Address = Address::repeat_byte(0x77);

/// Gas of each step of a program that runs in one frame, in a block of its own.
fn gas(lab: &mut Lab, steps: &[Step]) -> Vec<u64> {
    let code = program(&lab.config, Interface::Opcode, steps);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.advance();
    assert!(ran.succeeded(at), "{:?} {:?}", ran.halt(at), ran.diagnostics(at));
    let left = |(at, step): (usize, &Step)| Left::of(&ran, CONTRACT, Interface::Opcode, step, at);
    steps.iter().enumerate().map(left).map(|left| left.gas).collect()
}

#[test]
fn creation_costs_its_lookup_and_a_persistent_region_its_place_in_the_state() {
    let steps = [
        create("a", 100, 0).into(),
        create("b", 1 << 20, 0).into(),
        create("c", 100, PERSISTENT).into(),
        // The name is warm: it was looked up for the region of the same name.
        create("a", 100, PERSISTENT).into(),
    ];
    assert_eq!(gas(&mut Lab::new(), &steps), [2_800, 2_800, 34_800, 32_200]);
}

#[test]
fn an_allocation_costs_its_block_at_once_and_its_pages_never_again() {
    let block = block(CONTRACT, 2);
    let steps = [
        alloc(64, 0).into(),
        alloc(4096, 1).into(),
        map(block, 0).into(),
        Step::write(1, 0, &[1; 32]),
        Step::write(1, 32, &[1; 32]),
        unmap(1).into(),
        Operation::Free { handle: block }.into(),
    ];
    // 2 words, then 128 more: 3·130 + 130²/512 − (3·2 + 0).
    let gas = gas(&mut Lab::new(), &steps);
    assert_eq!(gas, [106, 100 + 384 + 33, 200, 100 + 3 + 100, 103, 50, 50]);
}

#[test]
fn the_first_touch_of_a_page_is_cold_and_its_first_write_makes_it() {
    let steps = [
        create("a", 3 * 4096, 0).into(),
        map(transient(CONTRACT, "a", 1), 0).into(),
        read(1, 0, 32).into(),
        read(1, 32, 33).into(),
        Step::write(1, 0, &[1; 32]),
        Step::write(1, 0, &[1; 64]),
        // Across two pages, one of them present: the second page is new, at the marginal price.
        Step::write(1, 4080, &[1; 32]),
        read_padded(1, 8192, 32).into(),
        read_padded(1, 3 * 4096, 64).into(),
        copy(1, 64, 0, 32).into(),
        copy(1, 8192, 0, 32).into(),
    ];
    let second = 3 * 128 + (256 * 256 - 128 * 128) / 512;
    let third = 3 * 128 + (384 * 384 - 256 * 256) / 512;
    let expected = [
        2_800,
        200,
        50 + 3 + 100,
        50 + 6,
        100 + 3 + NEW_PAGE - 100,
        100 + 6,
        100 + 3 + 100 + second,
        50 + 3 + 100,
        50 + 6,
        100 + 3,
        100 + 3 + third,
    ];
    assert_eq!(gas(&mut Lab::new(), &steps), expected);
}

#[test]
fn state_costs_more_to_touch_to_write_and_to_make() {
    let region = persistent(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    let first = gas(
        &mut lab,
        &[
            create("a", 8192, PERSISTENT).into(),
            map(region, 0).into(),
            Step::write(1, 0, &[1; 32]),
            Step::write(1, 0, &[2; 32]),
        ],
    );
    let new = 100 + 3 + 2_000 + NEW_PAGE + 819_200;
    assert_eq!(first, [34_800, 200, new, 103]);
    // A block later everything is cold, and the page is present.
    let second = gas(
        &mut lab,
        &[
            open(CONTRACT, "a").into(),
            open(CONTRACT, "a").into(),
            map(region, 0).into(),
            read(1, 0, 32).into(),
            Step::write(1, 32, &[2; 32]),
            Step::write(1, 64, &[2; 32]),
        ],
    );
    let copied = 3 * 128 + 32;
    assert_eq!(second, [2_700, 100, 200, 50 + 3 + 2_100, 103 + copied + 2_900, 103]);
}

#[test]
fn other_operations_cost_their_base_and_what_they_look_up() {
    let region = persistent(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    gas(&mut lab, &[create("a", 100, PERSISTENT).into()]);
    let steps = [
        Operation::Info { handle: region }.into(),
        Operation::Info { handle: region }.into(),
        grow(region, 200).into(),
        grant(region, OTHER, 1).into(),
        grant(region, OTHER, 3).into(),
        grant(region, OTHER, 0).into(),
        open(OTHER, "nothing").into(),
        open(OTHER, "nothing").into(),
        Operation::Destroy { handle: region }.into(),
    ];
    let expected = [2_650, 50, 100, 20_200, 200, 200, 2_700, 100, 200];
    assert_eq!(gas(&mut lab, &steps), expected);
}

#[test]
fn publishing_pays_what_the_same_writes_would() {
    let region = transient(CONTRACT, "a", 1);
    let steps = [
        create("a", 8192, 0).into(),
        map(region, 1).into(),
        Step::write(1, 0, &[1; 33]),
        publish(1).into(),
        publish(1).into(),
        unmap(1).into(),
    ];
    let second = 3 * 128 + (256 * 256 - 128 * 128) / 512;
    // The private page first, then the region's own. Two words were written.
    let expected = [2_800, 200, 100 + 6 + NEW_PAGE, 100 + 6 + second, 100, 50];
    assert_eq!(gas(&mut Lab::new(), &steps), expected);
}

#[test]
fn code_costs_its_words_and_its_page() {
    let region = transient(CONTRACT, "a", 1);
    let steps = [
        create("a", 8192, 0).into(),
        // Zeros: STOP at once. The child gives all its gas back.
        exec(region, 0, 64).into(),
        exec(region, 0, 64).into(),
        exec(region, 0, 0).into(),
    ];
    let expected = [2_800, 100 + 2 * (3 + 8) + 100, 100 + 2 * (3 + 8), 100];
    assert_eq!(gas(&mut Lab::new(), &steps), expected);
}

#[test]
fn memory_expands_for_the_requested_range_as_for_every_opcode() {
    // A read of 64 bytes, of which there are 10, to memory 96: five words.
    let lab = Lab::new();
    let byte = |operation: &Operation| opcode_of(&lab.config, operation.kind());
    let emit = |code: Code, operation: Operation, memory: u64| {
        let words = operands(&operation, memory).into_iter().rev();
        words.fold(code, |code, word| code.push(word)).ops(&[byte(&operation)])
    };
    let cost = |operation: Operation, memory: u64| {
        let mut lab = Lab::new();
        let code = emit(Code::new(), create("a", 10, 0), 0);
        let code = emit(code, map(transient(CONTRACT, "a", 1), 0), 0);
        let code = emit(code.ops(&[op::GAS]), operation, memory).ops(&[op::GAS, op::MSIZE]).keep(0);
        let code = code.keep(1).ops(&[op::DUP2]).keep(2).keep(3);
        // With a result on top, g0 is below it.
        lab.contract(CONTRACT, code.bytes());
        let at = lab.call(CONTRACT);
        let ran = lab.run();
        assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
        let before = [ran.slot(CONTRACT, 2), ran.slot(CONTRACT, 3)].into_iter().max().unwrap();
        let gas = before - ran.slot(CONTRACT, 1) - U256::from(4 * 3 + 2);
        (u64::try_from(gas).unwrap(), u64::try_from(ran.slot(CONTRACT, 0)).unwrap())
    };
    assert_eq!(cost(read(1, 0, 64), 96), (50 + 6 + 100 + 5 * 3, 160));
    assert_eq!(cost(read(1, 0, 10), 0), (50 + 3 + 100 + 3, 32));
    // Nothing to copy expands nothing, wherever it is.
    let nowhere = Operation::Read { mapping: word(1), offset: U256::MAX, len: U256::ZERO };
    assert_eq!(cost(nowhere, u64::MAX), (50, 0));
    let write = Operation::Write { mapping: word(1), offset: word(0), len: word(64) };
    assert_eq!(cost(write, 1024), (100 + 6 + NEW_PAGE + 34 * 3 + 2, 1088));
}

#[test]
fn whatever_gas_is_short_of_the_frame_runs_out_and_nothing_is_left() {
    let region = transient(CONTRACT, "a", 1);
    let all: Vec<Vec<Step>> = vec![
        vec![create("a", 8192, 0).into()],
        vec![create("a", 8192, PERSISTENT).into()],
        vec![alloc(4096, 4).into()],
        vec![open(OTHER, "nothing").into()],
        vec![create("a", 8192, 0).into(), map(region, 0).into()],
        vec![create("a", 8192, 0).into(), map(region, 0).into(), read(1, 0, 64).into()],
        vec![create("a", 8192, 0).into(), map(region, 0).into(), read_padded(1, 0, 64).into()],
        vec![create("a", 8192, 0).into(), map(region, 0).into(), Step::write(1, 0, &[1; 64])],
        vec![create("a", 8192, 0).into(), map(region, 0).into(), copy(1, 64, 0, 64).into()],
        vec![
            create("a", 8192, 0).into(),
            map(region, 1).into(),
            Step::write(1, 0, &[1; 64]),
            publish(1).into(),
        ],
        vec![create("a", 8192, PERSISTENT).into(), {
            grant(persistent(CONTRACT, "a", 1), OTHER, 1).into()
        }],
        vec![create("a", 8192, 0).into(), Operation::Destroy { handle: region }.into()],
        vec![create("a", 8192, 0).into(), grow(region, 9000).into()],
        vec![create("a", 8192, 0).into(), Operation::Info { handle: region }.into()],
        vec![create("a", 8192, 0).into(), exec(region, 0, 64).into()],
        vec![alloc(64, 0).into(), Operation::Free { handle: block(CONTRACT, 1) }.into()],
        vec![create("a", 8192, 0).into(), map(region, 0).into(), unmap(1).into()],
    ];
    const CALLER: Address = Address::repeat_byte(0xca);
    for steps in all {
        // A program without measurements, in a frame that gets exactly so much gas.
        let config = Lab::new().config;
        let mut code = Code::new();
        for step in &steps {
            for operand in operands(&step.operation, 0).into_iter().rev() {
                code = code.push(operand);
            }
            code = code.ops(&[opcode_of(&config, step.operation.kind())]);
        }
        let with = |gas: u64| {
            let mut lab = Lab::new();
            lab.contract(CONTRACT, code.bytes());
            let caller = Code::new().call_with_gas(op::CALL, CONTRACT, 0, gas).keep(0);
            lab.contract(CALLER, caller.ops(&[op::GAS]).keep(1).bytes());
            let at = lab.call(CALLER);
            let ran = lab.run();
            assert!(ran.succeeded(at) && ran.diagnostics(at).is_empty(), "{steps:?}");
            let worked = ran.slot(CALLER, 0) == U256::ONE;
            if !worked {
                assert!(ran.changes.regions.is_empty(), "{steps:?} with {gas}");
            }
            worked
        };
        // The least gas it runs with.
        let (mut short, mut enough) = (0, 1_000_000);
        assert!(with(enough) && !with(short), "{steps:?}");
        while enough - short > 1 {
            let middle = (short + enough) / 2;
            if with(middle) { enough = middle } else { short = middle }
        }
        for less in [1, 2, 3, 10, 50, 100, 150, 200, 400, 1_000, 2_600] {
            assert!(!with(enough.saturating_sub(less)), "{steps:?} with {less} less");
        }
    }
}
