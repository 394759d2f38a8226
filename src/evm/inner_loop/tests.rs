//! Random programs, on revm's table and on this one. Each runs with plenty of gas and with every amount up to what it
//! took or 150, so that gas ends at each opcode, and on stacks that are nearly empty or nearly full.

use alloy_primitives::{Address, Bytes, TxKind, U256};
use fastrand::Rng;
use revm::{
    bytecode::{Bytecode, opcode as op},
    context::{BlockEnv, TxEnv},
    interpreter::{
        CallInput, Interpreter, InterpreterAction, SharedMemory,
        interpreter::{ExtBytecode, InputsImpl, STACK_LIMIT},
        interpreter_types::{MemoryTr, ReturnData},
    },
    primitives::hardfork::SpecId,
};

use super::frames::SHORT;
use crate::{
    context::Control,
    evm::{
        Block,
        sequential::{Machine, Shortcuts},
    },
    store::MemoryStore,
    sync::Arc,
};

const SPECS: [SpecId; 7] = [
    SpecId::FRONTIER,
    SpecId::HOMESTEAD,
    SpecId::BYZANTIUM,
    SpecId::PETERSBURG,
    SpecId::LONDON,
    SpecId::CANCUN,
    SpecId::PRAGUE,
];

/// A block that cannot be stopped, one that can be, and one that has been.
const WATCHED: [Option<bool>; 3] = [None, Some(false), Some(true)];

const CONTRACT: Address = Address::repeat_byte(0xcc);

/// Opcodes that stand together. What they push is drawn later.
const PIECES: &[&[u8]] = &[
    &[op::JUMPDEST],
    &[op::JUMPDEST],
    &[op::JUMPDEST],
    &[op::JUMP],
    &[op::JUMPI],
    &[op::PUSH1, op::JUMP],
    &[op::PUSH2, op::JUMP],
    &[op::PUSH1, op::JUMPI],
    &[op::PUSH2, op::JUMPI],
    &[op::PUSH2, op::PUSH2, op::JUMPI],
    &[op::ISZERO, op::PUSH2, op::JUMPI],
    &[op::DUP1, op::PUSH4, op::EQ, op::PUSH2, op::JUMPI],
    &[op::PUSH1, op::SWAP1, op::POP, op::JUMP],
    &[op::PUSH1, op::PUSH1, op::PUSH1, op::SHL, op::SUB, op::AND],
    &[op::PUSH1, op::MSTORE],
    &[op::PUSH1, op::MSTORE],
    &[op::PUSH1, op::MLOAD],
    &[op::PUSH2, op::MLOAD],
    &[op::MSTORE],
    &[op::MLOAD],
    &[op::PUSH1, op::CALLDATALOAD],
    &[op::PUSH1, op::PUSH1, op::CALLDATALOAD],
    &[op::PUSH1, op::PUSH1, op::PUSH1, op::CALLDATACOPY],
    &[op::PUSH1, op::PUSH1, op::PUSH1, op::CODECOPY],
    &[op::PUSH1, op::PUSH1, op::PUSH1, op::RETURNDATACOPY],
    &[op::PUSH1, op::PUSH1, op::EXP],
    &[op::PUSH1, op::SIGNEXTEND],
    &[op::PUSH1, op::SAR],
    &[op::PUSH1, op::BYTE],
    &[op::MSIZE],
    &[op::STOP],
    &[op::INVALID],
];

/// Opcodes that change the state, or run the program again within itself.
const STATEFUL: &[&[u8]] = &[
    &[op::GAS, op::PUSH1, op::SSTORE],
    &[op::PUSH1, op::SSTORE],
    &[op::PUSH1, op::SLOAD],
    &[op::PUSH1, op::PUSH1, op::KECCAK256],
    &[op::PUSH1, op::DUP1, op::DUP1, op::DUP1, op::DUP1, op::ADDRESS, op::PUSH2, op::CALL],
];

/// How many bytes an opcode pushes.
fn pushed(opcode: u8) -> usize {
    if (op::PUSH1..=op::PUSH32).contains(&opcode) { usize::from(opcode - op::PUSH0) } else { 0 }
}

/// A program of at most so many pieces. Every second one is in code that is long enough for the loop: a filler is behind
/// it, or before it and jumped over.
fn program(random: &mut Rng, pieces: &[&[&[u8]]], most: usize) -> Vec<u8> {
    const { assert!(SHORT == 256, "the filler's end, as it is pushed below") };
    let mut code: Vec<u8> = Vec::new();
    let (mut pushes, mut targets) = (Vec::new(), Vec::new());
    let long = random.bool();
    if long && random.bool() {
        code.extend([op::PUSH2, 1, 0, op::JUMP]);
        code.resize(SHORT, op::STOP);
        code.push(op::JUMPDEST);
    }
    let begin = code.len();
    let inner: Vec<_> = super::opcodes().collect();
    for _ in 0..random.usize(1..=most) {
        let pieces = pieces[random.usize(0..pieces.len())];
        let any = [inner[random.usize(0..inner.len())]];
        let piece = match random.bool() {
            true => &any,
            false => pieces[random.usize(0..pieces.len())],
        };
        for &opcode in piece {
            match opcode {
                op::JUMPDEST => targets.push(code.len()),
                opcode if pushed(opcode) > 0 => pushes.push(code.len() + 1),
                _ => {}
            }
            code.push(opcode);
            code.resize(code.len() + pushed(opcode), 0);
        }
    }
    for &at in &pushes {
        let valid = random.choice(&targets).copied();
        let word = match random.u8(0..16) {
            0 => random.usize(0..=code.len()),
            // Within what is pushed, where there may be what looks like a JUMPDEST.
            1 => random.choice(&pushes).copied().unwrap_or(at),
            2 => usize::from(op::JUMPDEST),
            3 => random.usize(0..0x1_0000),
            4 => random.usize(30..34),
            5..=7 => random.usize(0..3),
            _ => valid.unwrap_or(0),
        };
        let length = pushed(code[at - 1]);
        let mut bytes = U256::from(word).to_be_bytes::<32>();
        if length > 2 && random.bool() {
            random.fill(&mut bytes);
        }
        code[at..at + length].copy_from_slice(&bytes[32 - length..]);
    }
    if random.u8(0..4) == 0 {
        code.truncate(random.usize(begin..=code.len()));
    }
    if long {
        code.resize(code.len().max(SHORT), op::STOP);
    }
    code
}

/// A stack to begin with.
fn stack(random: &mut Rng, code: &[u8]) -> Vec<U256> {
    let length = match random.u8(0..3) {
        0 => random.usize(STACK_LIMIT - 12..=STACK_LIMIT),
        _ => random.usize(0..7),
    };
    let word = |random: &mut Rng| match random.u8(0..8) {
        0 => U256::ZERO,
        1 => U256::MAX,
        2 => U256::ONE << random.usize(0..256),
        3 => U256::from(random.u16(0..300)),
        4 => U256::from_limbs(std::array::from_fn(|_| random.u64(..))),
        // Where a jump may end, more often than by chance.
        _ => {
            let targets: Vec<_> = (0..code.len()).filter(|at| code[*at] == op::JUMPDEST).collect();
            U256::from(random.choice(&targets).copied().unwrap_or(0))
        }
    };
    (0..length).map(|_| word(random)).collect()
}

/// The memory of the frame that has called the program.
const OUTER: [u8; 64] = [7; 64];

/// What the program is called with: bytes of its own, or of its caller's memory.
fn input(random: &mut Rng) -> CallInput {
    match random.bool() {
        true => CallInput::Bytes((1..=40).collect::<Vec<u8>>().into()),
        false => CallInput::SharedBuffer(3..43),
    }
}

/// Everything that a frame leaves.
#[derive(Debug, PartialEq)]
struct Left {
    action: InterpreterAction,
    stack: Vec<U256>,
    memory: Vec<u8>,
}

fn run(
    machine: &mut Machine<'_, MemoryStore>,
    spec: SpecId,
    (code, stack, input): (&Bytecode, &[U256], &CallInput),
    gas: u64,
) -> Left {
    let bytecode = ExtBytecode::new(code.clone());
    let input = InputsImpl {
        target_address: CONTRACT,
        caller_address: Address::repeat_byte(0xaa),
        input: input.clone(),
        call_value: U256::from(5),
        ..InputsImpl::default()
    };
    // A frame that was called from another, whose memory begins behind the caller's.
    let mut outer = SharedMemory::new();
    outer.resize(64);
    outer.set(0, &OUTER);
    let memory = outer.new_child_context();
    let mut frame = Interpreter::new(memory, bytecode, input, false, spec, gas);
    frame.return_data.set_buffer(vec![9; 3].into());
    stack.iter().for_each(|word| assert!(frame.stack.push(*word)));
    let bytes = frame.bytecode.bytes_slice().len();
    let (table, costs) = machine.evm.instruction.for_code_of(bytes);
    let action = frame.run_plain(table, costs, &mut machine.evm.ctx);
    let memory = frame.memory.slice_len(0, frame.memory.size()).to_vec();
    assert_eq!(outer.slice_len(0, 64)[..], OUTER);
    Left { action, stack: frame.stack.data().clone(), memory }
}

fn spent(left: &Left) -> u64 {
    match &left.action {
        InterpreterAction::Return(result) => result.gas.total_gas_spent(),
        InterpreterAction::NewFrame(_) => unreachable!("nothing is called"),
    }
}

fn block(spec: SpecId) -> Block {
    let env = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    Block::new(spec, 1, env, Vec::<TxEnv>::new())
}

#[test]
fn programs_leave_what_they_leave_on_revms_table_whatever_the_gas() {
    const PLENTY: u64 = 1_000;
    let store = MemoryStore::default();
    let mut random = Rng::with_seed(0x5eed);
    let (mut halted, mut ended) = (0, 0);
    for (spec, stopped) in SPECS.into_iter().flat_map(|spec| WATCHED.map(|stopped| (spec, stopped)))
    {
        let block = block(spec);
        let control = stopped.map(|stopped| {
            let control = Arc::new(Control::new());
            if stopped {
                control.raise();
            }
            control
        });
        let mut plain = Machine::with_control(&block, &store, None, control.clone());
        let mut inner = Machine::with_control(&block, &store, None, control);
        inner.take_shortcuts(Shortcuts::new(&block, None));
        for _ in 0..1_000 {
            let code = program(&mut random, &[PIECES], 50);
            let stack = stack(&mut random, &code);
            let input = input(&mut random);
            let bytecode = Bytecode::new_legacy(code.clone().into());
            let program = (&bytecode, stack.as_slice(), &input);
            let mut check = |gas: u64| {
                let expected = run(&mut plain, spec, program, gas);
                let actual = run(&mut inner, spec, program, gas);
                assert_eq!(actual, expected, "{spec:?}, {stopped:?}, gas {gas}, code {code:02x?}");
                // What polling leaves for whoever executes the block.
                (plain.evm.ctx.error, inner.evm.ctx.error) = (Ok(()), Ok(()));
                expected
            };
            let whole = check(PLENTY);
            match &whole.action {
                InterpreterAction::Return(result) if result.is_ok() => ended += 1,
                _ => halted += 1,
            }
            (0..=spent(&whole).min(150)).for_each(|gas| drop(check(gas)));
        }
    }
    assert!(halted > 1_000 && ended > 1_000, "{halted} halted, {ended} ended");
}

#[test]
fn short_code_has_instructions_of_its_own_with_whatever_was_installed() {
    let (block, store) = (block(SpecId::PRAGUE), MemoryStore::default());
    let mut machine = Machine::new(&block, &store);
    let address = |machine: &mut Machine<'_, MemoryStore>, bytes| {
        std::ptr::from_ref(machine.evm.instruction.for_code_of(bytes).0).addr()
    };
    assert_eq!(
        address(&mut machine, 0),
        address(&mut machine, SHORT),
        "the reference has one table"
    );
    machine.take_shortcuts(Shortcuts::new(&block, None));
    let (short, long) = (address(&mut machine, SHORT - 1), address(&mut machine, SHORT));
    assert!(short != long && address(&mut machine, 0) == short);
    let sum = |machine: &mut Machine<'_, MemoryStore>| {
        let code = Bytecode::new_legacy(vec![op::PUSH1, 1, op::PUSH1, 2, op::ADD, op::STOP].into());
        run(machine, SpecId::PRAGUE, (&code, &[], &CallInput::default()), 100).stack
    };
    assert_eq!(sum(&mut machine), [U256::from(3)]);
    // STOP in place of another, installed when short code has run already.
    let stop = machine.evm.instruction.instruction_table()[usize::from(op::STOP)];
    machine.evm.instruction.instruction_table_mut()[usize::from(op::KECCAK256)] = stop;
    let code = Bytecode::new_legacy(vec![op::PUSH1, 0, op::PUSH1, 0, op::KECCAK256].into());
    let left = run(&mut machine, SpecId::PRAGUE, (&code, &[], &CallInput::default()), 100);
    assert_eq!(left.stack, [U256::ZERO; 2], "it stopped there");
}

#[test]
fn transactions_have_the_same_result_and_leave_the_same_state() {
    let mut random = Rng::with_seed(0xfeed);
    let mut succeeded = 0;
    for spec in SPECS {
        let block = block(spec);
        for _ in 0..200 {
            let code = program(&mut random, &[PIECES, STATEFUL], 25);
            let mut store = MemoryStore::builder();
            let store = store.code(CONTRACT, Bytes::from(code.clone())).build();
            let mut plain = Machine::new(&block, &store);
            let mut inner = Machine::new(&block, &store);
            inner.take_shortcuts(Shortcuts::new(&block, None));
            for nonce in 0..20 {
                let gas_limit = 21_000 + (1_u64 << nonce) + random.u64(0..1 << nonce);
                let kind = TxKind::Call(CONTRACT);
                let tx = TxEnv { nonce, gas_limit, kind, ..TxEnv::default() };
                let expected = plain.transact(&tx).expect("a valid transaction");
                let actual = inner.transact(&tx).expect("a valid transaction");
                assert_eq!(actual, expected, "{spec:?}, gas {gas_limit}, code {code:02x?}");
                succeeded += usize::from(expected.is_success());
            }
            assert_eq!(inner.state().diff(), plain.state().diff(), "{spec:?}, code {code:02x?}");
        }
    }
    assert!(succeeded > 1_000, "{succeeded} succeeded");
}
