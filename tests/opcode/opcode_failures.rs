//! What each opcode halts with, and that nothing is left then.

use alloy_primitives::{Address, U256};
use chorus::region::{
    Handle, Operation, Permissions, RegionError,
    error::{AccessError, AllocError, ChangeError, CreateError, ExecError, LookupError, MapError},
};
use revm::{
    bytecode::opcode as op,
    context::result::{HaltReason, OutOfGasError},
};

use super::shared::{
    Code, Interface, Lab, Step, block, name, opcode_of, operands,
    operation::{
        CONTRACT, alloc, copy, create, exec, grant, grow, map, open, publish, read, read_padded,
        unmap,
    },
    owner, persistent, program, transient, word,
};

const OTHER: Address = Address::repeat_byte(0x77);

/// Runs steps of which the last fails. Says why.
#[track_caller]
fn failure(steps: &[Step]) -> RegionError {
    let mut lab = Lab::new();
    let code = program(&lab.config, Interface::Opcode, steps);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    let [diagnostic] = ran.diagnostics(at) else {
        panic!("{:?} with {:?}", ran.executed(at).result, ran.diagnostics(at));
    };
    assert_eq!(diagnostic.depth, 1);
    assert_eq!(diagnostic.actor, CONTRACT);
    assert_eq!(diagnostic.operation, steps.last().unwrap().operation.kind());
    let message = diagnostic.error.to_string();
    assert_eq!(ran.halt(at), Some(&HaltReason::PrecompileErrorWithContext(message)));
    assert_eq!(ran.gas(at), super::shared::GAS, "the frame's gas is used");
    assert!(ran.changes.regions.is_empty());
    diagnostic.error.clone()
}

#[test]
fn failures_carry_what_explains_them() {
    let region = transient(CONTRACT, "a", 1);
    let made = || create("a", 100, 0).into();
    let mapped = || map(region, 0).into();
    let me = owner(CONTRACT);
    let mapping = |number| U256::from(number);
    let nothing = Handle([7; 32]);
    let invalid = LookupError::InvalidHandle { handle: nothing };
    let zero = U256::ZERO;
    let cases: Vec<(Vec<Step>, RegionError)> = vec![
        (vec![create("a", 0, 0).into()], CreateError::ZeroSize.into()),
        (
            vec![create("a", (64 << 20) + 1, 0).into()],
            CreateError::RegionTooLarge { size: word((64 << 20) + 1), max: 64 << 20 }.into(),
        ),
        (
            vec![
                Operation::Create {
                    name: [0; 32],
                    size: word(1),
                    permissions: word(7),
                    options: zero,
                }
                .into(),
            ],
            CreateError::NameInvalid.into(),
        ),
        (vec![made(), made()], CreateError::RegionExists { handle: region }.into()),
        (vec![create("a", 1, 24).into()], CreateError::InvalidOption { option: word(24) }.into()),
        (vec![alloc(0, 4).into()], AllocError::ZeroSize.into()),
        (vec![alloc(65, 0).into()], AllocError::RegionTooLarge { size: word(65), max: 64 }.into()),
        (vec![alloc(1, 5).into()], AllocError::InvalidOption { option: word(5) }.into()),
        (
            vec![made(), Operation::Free { handle: region }.into()],
            AllocError::Lookup(LookupError::InvalidHandle { handle: region }).into(),
        ),
        (
            vec![
                alloc(64, 0).into(),
                map(block(CONTRACT, 1), 0).into(),
                Operation::Free { handle: block(CONTRACT, 1) }.into(),
            ],
            AllocError::RegionInUse { mappings: 1 }.into(),
        ),
        (vec![map(nothing, 0).into()], MapError::Lookup(invalid.clone()).into()),
        (vec![made(), map(region, 16).into()], MapError::InvalidOption { option: word(16) }.into()),
        (vec![made(), mapped(), mapped()], MapError::AlreadyMapped { mapping: 1 }.into()),
        (
            vec![
                made(),
                Operation::Map { handle: region, options: zero, offset: word(90), size: word(20) }
                    .into(),
            ],
            MapError::OutOfBounds { offset: word(90), len: word(20), size: 100 }.into(),
        ),
        (vec![unmap(1).into()], AccessError::NotMapped { mapping: mapping(1) }.into()),
        (
            vec![made(), mapped(), publish(1).into()],
            AccessError::InvalidOption { mapping: mapping(1) }.into(),
        ),
        (vec![read(9, 0, 1).into()], AccessError::NotMapped { mapping: mapping(9) }.into()),
        (
            vec![made(), mapped(), read(1, 100, 1).into()],
            AccessError::OutOfBounds { offset: word(100), len: word(1), size: 100 }.into(),
        ),
        (vec![read_padded(9, 0, 1).into()], AccessError::NotMapped { mapping: mapping(9) }.into()),
        (
            vec![made(), map(region, 2).into(), Step::write(1, 0, b"x")],
            AccessError::PermissionDenied { actor: me, needed: Permissions::WRITE }.into(),
        ),
        (
            vec![made(), mapped(), copy(1, 0, 50, 51).into()],
            AccessError::OutOfBounds { offset: word(50), len: word(51), size: 100 }.into(),
        ),
        (
            vec![made(), grow(region, 99).into()],
            ChangeError::Shrink { size: word(99), current: 100 }.into(),
        ),
        (
            vec![made(), grant(region, OTHER, 8).into()],
            ChangeError::InvalidOption { option: word(8) }.into(),
        ),
        (
            vec![made(), mapped(), Operation::Destroy { handle: region }.into()],
            ChangeError::RegionInUse { mappings: 1 }.into(),
        ),
        (
            vec![
                made(),
                Operation::Destroy { handle: region }.into(),
                Operation::Info { handle: region }.into(),
            ],
            ChangeError::Lookup(LookupError::StaleHandle { handle: region }).into(),
        ),
        (vec![exec(nothing, 0, 1).into()], ExecError::Lookup(invalid).into()),
        (
            vec![made(), exec(region, 90, 11).into()],
            ExecError::OutOfBounds { offset: word(90), len: word(11), size: 100 }.into(),
        ),
        (
            vec![create("a", 100_000, 0).into(), exec(region, 0, 50_000).into()],
            ExecError::RegionTooLarge { size: word(50_000), max: 49_152 }.into(),
        ),
    ];
    for (steps, expected) in cases {
        assert_eq!(failure(&steps), expected, "{steps:?}");
    }
}

#[test]
fn old_fault_4_operands_of_256_bits_are_refused_and_not_cut() {
    let region = transient(CONTRACT, "a", 1);
    let high = U256::ONE << 64;
    let made = || create("a", 100, 0).into();
    let cases: Vec<Vec<Step>> = vec![
        vec![Operation::Alloc { size: high + word(1), class: word(4) }.into()],
        vec![Operation::Alloc { size: word(1), class: high }.into()],
        vec![
            Operation::Create {
                name: name("a"),
                size: high + word(1),
                permissions: word(7),
                options: word(0),
            }
            .into(),
        ],
        vec![
            Operation::Create {
                name: name("a"),
                size: word(1),
                permissions: high + word(7),
                options: word(0),
            }
            .into(),
        ],
        vec![
            Operation::Create {
                name: name("a"),
                size: word(1),
                permissions: word(7),
                options: high,
            }
            .into(),
        ],
        vec![
            made(),
            Operation::Map { handle: region, options: high, offset: word(0), size: word(0) }.into(),
        ],
        vec![
            made(),
            Operation::Map { handle: region, options: word(0), offset: high, size: word(0) }.into(),
        ],
        vec![
            made(),
            Operation::Map { handle: region, options: word(0), offset: U256::MAX, size: U256::MAX }
                .into(),
        ],
        vec![made(), map(region, 0).into(), Operation::Unmap { mapping: high + word(1) }.into()],
        vec![
            made(),
            map(region, 0).into(),
            Operation::Read { mapping: word(1), offset: high, len: word(1) }.into(),
        ],
        vec![made(), Operation::Grow { handle: region, size: high + word(200) }.into()],
        vec![
            made(),
            Operation::Grant { handle: region, address: U256::ONE << 160, permissions: word(1) }
                .into(),
        ],
        vec![
            made(),
            Operation::Exec { handle: region, offset: U256::MAX, len: word(2), limit: 0 }.into(),
        ],
    ];
    for steps in cases {
        failure(&steps);
    }
}

#[test]
fn a_range_of_memory_that_nobody_could_pay_runs_out_of_gas() {
    for (size, memory) in [(U256::MAX, U256::ZERO), (word(1), U256::MAX), (word(1), word(1 << 40))]
    {
        for byte in [0xE3, 0xE4, 0xD7] {
            let mut lab = Lab::new();
            let code = Code::new().push(memory).push(size).push(0).push(1).ops(&[byte]);
            lab.contract(CONTRACT, code.bytes());
            let at = lab.call(CONTRACT);
            let ran = lab.run();
            assert!(matches!(ran.halt(at), Some(HaltReason::OutOfGas(_))), "{:?}", ran.halt(at));
        }
    }
}

#[test]
fn too_few_operands_are_an_underflow() {
    let config = Lab::new().config;
    for (byte, count) in [
        (0xE0, 2),
        (0xE1, 1),
        (0xE2, 4),
        (0xE3, 4),
        (0xE4, 4),
        (0xE5, 1),
        (0xE9, 4),
        (0xEA, 2),
        (0xEB, 4),
        (0xEC, 3),
        (0xED, 1),
        (0xEE, 8),
        (0xD4, 2),
        (0xD5, 1),
        (0xD6, 1),
        (0xD7, 4),
    ] {
        assert!(config.operation(byte).is_some());
        let mut lab = Lab::new();
        let code = (1..count).fold(Code::new(), |code, _| code.push(0));
        lab.contract(CONTRACT, code.ops(&[byte]).bytes());
        let at = lab.call(CONTRACT);
        assert_eq!(lab.run().halt(at), Some(&HaltReason::StackUnderflow), "{byte:#x}");
    }
}

#[test]
fn a_stack_without_room_for_two_results_overflows() {
    let mut lab = Lab::new();
    let emit = |code: Code, operation: Operation| {
        let words = operands(&operation, 0).into_iter().rev();
        let byte = opcode_of(&Lab::new().config, operation.kind());
        words.fold(code, |code, word| code.push(word)).ops(&[byte])
    };
    let code = emit(Code::new(), create("a", 10, 0));
    let code = (0..1022).fold(code, |code, _| code.ops(&[op::DUP1]));
    let code = emit(code, Operation::Info { handle: transient(CONTRACT, "a", 1) });
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    assert_eq!(lab.run().halt(at), Some(&HaltReason::StackOverflow));
}

#[test]
fn a_static_frame_halts_at_what_changes_something_and_may_do_the_rest() {
    const CALLER: Address = Address::repeat_byte(0xca);
    let region = persistent(CONTRACT, "p", 1);
    let mut lab = Lab::new();
    let steps = [create("p", 100, 4).into(), map(region, 0).into(), Step::write(1, 0, b"x")];
    let code = program(&lab.config, Interface::Opcode, &steps);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    lab.advance();

    let mapped = || map(region, 2);
    let cases: Vec<(Vec<Operation>, bool)> = vec![
        (vec![open(CONTRACT, "p")], true),
        (vec![mapped(), read(1, 0, 1), read_padded(1, 0, 1), unmap(1)], true),
        (vec![map(region, 3)], true),
        (vec![Operation::Info { handle: region }], true),
        (vec![exec(region, 1, 1)], true),
        (vec![map(region, 0)], false),
        (vec![map(region, 1)], false),
        (vec![alloc(1, 0)], false),
        (vec![Operation::Free { handle: region }], false),
        (vec![create("q", 1, 0)], false),
        (vec![mapped(), publish(1)], false),
        (
            vec![mapped(), Operation::Write { mapping: word(1), offset: word(0), len: word(1) }],
            false,
        ),
        (
            vec![mapped(), Operation::Write { mapping: word(1), offset: word(0), len: word(0) }],
            false,
        ),
        (vec![mapped(), copy(1, 0, 0, 0)], false),
        (vec![grow(region, 200)], false),
        (vec![grant(region, OTHER, 1)], false),
        (vec![Operation::Destroy { handle: region }], false),
    ];
    for (operations, allowed) in cases {
        let mut code = Code::new();
        for operation in &operations {
            for operand in operands(operation, 0).into_iter().rev() {
                code = code.push(operand);
            }
            code = code.ops(&[opcode_of(&lab.config, operation.kind())]);
        }
        lab.contract(CONTRACT, code.bytes());
        lab.contract(
            CALLER,
            Code::new().call_with_gas(op::STATICCALL, CONTRACT, 0, 100_000).keep(0).bytes(),
        );
        let at = lab.call(CALLER);
        let ran = lab.run();
        assert_eq!(
            ran.slot(CALLER, 0),
            word(u64::from(allowed)),
            "{operations:?} {:?}",
            ran.diagnostics(at)
        );
        assert!(ran.diagnostics(at).is_empty(), "{operations:?}");
    }
}

#[test]
fn the_halt_of_a_static_frame_is_that_of_a_state_change() {
    // A transaction is never static, so its first frame shows what an inner one halts with only by
    // its gas: all of it is gone.
    const CALLER: Address = Address::repeat_byte(0xca);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, Code::new().push(0).push(64).ops(&[0xE0]).bytes());
    let code = Code::new().ops(&[op::GAS]).call_with_gas(op::STATICCALL, CONTRACT, 0, 50_000);
    lab.contract(CALLER, code.ops(&[op::GAS]).keep(0).keep(1).keep(2).bytes());
    lab.call(CALLER);
    let ran = lab.run();
    let used = ran.slot(CALLER, 2) - ran.slot(CALLER, 0);
    assert_eq!(ran.slot(CALLER, 1), U256::ZERO);
    assert_eq!(used, word(50_000 + 6 * 3 + 2_600 + 2));
}

#[test]
fn quotas_are_those_of_the_transaction() {
    let mut lab = Lab::new();
    lab.config.pool_blocks[0] = 2;
    lab.config.max_shared_regions = 3;
    let two = Code::new().push(0).push(64).ops(&[0xE0]).push(0).push(64).ops(&[0xE0]);
    lab.contract(CONTRACT, two.clone().bytes());
    lab.contract(OTHER, two.push(0).push(64).ops(&[0xE0]).bytes());
    let fine = [lab.call(CONTRACT), lab.call(CONTRACT)];
    let more = lab.call(OTHER);
    let ran = lab.run();
    assert!(fine.into_iter().all(|at| ran.succeeded(at)));
    let class = chorus::pool::Class::B64;
    assert_eq!(ran.diagnostics(more)[0].error, AllocError::PoolExhausted { class }.into());
}

#[test]
fn out_of_gas_is_out_of_gas() {
    let mut lab = Lab::new();
    // A padded read of more than anybody could pay for, to memory that is there: none.
    let code = Code::new().push(4).push(7).push(1 << 20).push(name_word()).ops(&[0xE9]);
    let code =
        code.push(0).push(0).push(0).push(super::shared::handle_word(persistent(CONTRACT, "a", 1)));
    let code = code.ops(&[0xE2]).push(1 << 19).push(0).push(1 << 18).push(1).ops(&[0xEB]);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    assert_eq!(lab.run().halt(at), Some(&HaltReason::OutOfGas(OutOfGasError::Basic)));
}

fn name_word() -> U256 {
    U256::from_be_bytes(name("a"))
}

#[test]
fn diagnostics_are_bounded_and_survive_a_caller_that_goes_on() {
    const CALLER: Address = Address::repeat_byte(0xca);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, Code::new().push(1).ops(&[0xE5]).bytes());
    let code = (0..70).fold(Code::new(), |code, _| {
        code.call_with_gas(op::CALL, CONTRACT, 0, 1_000).ops(&[op::POP])
    });
    lab.contract(CALLER, code.bytes());
    let at = lab.call(CALLER);
    let after = lab.call(OTHER);
    let ran = lab.run();
    assert!(ran.succeeded(at));
    assert_eq!(ran.diagnostics(at).len(), chorus::evm::shared::MOST_DIAGNOSTICS);
    assert_eq!(ran.diagnostics(at)[0].depth, 2);
    assert!(ran.diagnostics(after).is_empty());
}
