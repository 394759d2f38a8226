//! One operation, rendered as an opcode or as a call of the precompile, with what it left.

use alloy_primitives::{Address, U256, keccak256};
use chorus::region::{Operation, OperationKind, RegionError, config::ChainConfig};
use revm::bytecode::opcode as op;

use super::{Code, PRECOMPILE, Ran, handle_word};

/// Where opcodes read to and write from.
pub(crate) const MEMORY: u64 = 0x2000;
/// Where the calldata of the precompile is, and what it returns.
const RETURNED: u64 = 0x4000;
/// Memory that a program has from the start.
const ENOUGH: u64 = 0x8000;
/// Slots that a step leaves its facts in.
const SLOTS: u64 = 16;
/// Gas of a call of the precompile besides its own: seven pushes, a warm address, GAS.
const CALL_GAS: u64 = 7 * 3 + 100 + 2;

/// An operation, with the bytes that it writes.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) data: Vec<u8>,
}

impl From<Operation> for Step {
    fn from(operation: Operation) -> Self {
        Self { operation, data: Vec::new() }
    }
}

impl Step {
    pub(crate) fn write(mapping: u64, offset: u64, data: &[u8]) -> Self {
        let (mapping, offset) = (U256::from(mapping), U256::from(offset));
        let operation = Operation::Write { mapping, offset, len: U256::from(data.len()) };
        Self { operation, data: data.to_vec() }
    }
}

/// The two ways to ask for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interface {
    Opcode,
    Precompile,
}

/// What a step left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Gas of the operation itself, and of moving calldata and return data.
    pub(crate) gas: u64,
    /// It succeeded. An opcode that does not leaves nothing at all.
    pub(crate) success: bool,
    /// Its results; for reads the number of bytes.
    pub(crate) results: Vec<U256>,
    /// Hash of the bytes that were read, or of the error.
    pub(crate) hash: U256,
}

pub(crate) fn opcode_of(config: &ChainConfig, kind: OperationKind) -> u8 {
    config.opcodes[kind as usize]
}

/// The operands of an opcode, top first.
pub(crate) fn operands(operation: &Operation, memory: u64) -> Vec<U256> {
    let memory = U256::from(memory);
    match operation.clone() {
        Operation::Alloc { size, class } => vec![size, class],
        Operation::Free { handle } | Operation::Destroy { handle } | Operation::Info { handle } => {
            vec![handle_word(handle)]
        }
        Operation::Create { name, size, permissions, options } => {
            vec![U256::from_be_bytes(name), size, permissions, options]
        }
        Operation::Open { owner, name } => vec![owner, U256::from_be_bytes(name)],
        Operation::Map { handle, options, offset, size } => {
            vec![handle_word(handle), options, offset, size]
        }
        Operation::Unmap { mapping } | Operation::Publish { mapping } => vec![mapping],
        Operation::Read { mapping, offset, len }
        | Operation::ReadPadded { mapping, offset, len }
        | Operation::Write { mapping, offset, len } => vec![mapping, offset, len, memory],
        Operation::Copy { mapping, destination, source, len } => {
            vec![mapping, destination, source, len]
        }
        Operation::Grow { handle, size } => vec![handle_word(handle), size],
        Operation::Grant { handle, address, permissions } => {
            vec![handle_word(handle), address, permissions]
        }
        Operation::Exec { handle, offset, len, .. } => {
            let zero = U256::ZERO;
            vec![U256::MAX, handle_word(handle), offset, len, zero, zero, zero, zero]
        }
    }
}

/// How many words an opcode leaves.
fn results(kind: OperationKind) -> u64 {
    match kind {
        OperationKind::Info => 2,
        OperationKind::Alloc
        | OperationKind::Create
        | OperationKind::Open
        | OperationKind::Map
        | OperationKind::Read
        | OperationKind::Write
        | OperationKind::Exec => 1,
        _ => 0,
    }
}

fn signature(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Alloc => "alloc(uint256,uint8)",
        OperationKind::Free => "free(bytes32)",
        OperationKind::Create => "create(bytes32,uint256,uint8,uint8)",
        OperationKind::Open => "open(address,bytes32)",
        OperationKind::Map => "map(bytes32,uint8,uint256,uint256)",
        OperationKind::Unmap => "unmap(uint256)",
        OperationKind::Publish => "publish(uint256)",
        OperationKind::Read => "read(uint256,uint256,uint256)",
        OperationKind::ReadPadded => "readPadded(uint256,uint256,uint256)",
        OperationKind::Write => "write(uint256,uint256,bytes)",
        OperationKind::Copy => "copy(uint256,uint256,uint256,uint256)",
        OperationKind::Grow => "grow(bytes32,uint256)",
        OperationKind::Grant => "grant(bytes32,address,uint8)",
        OperationKind::Destroy => "destroy(bytes32)",
        OperationKind::Info => "info(bytes32)",
        OperationKind::Exec => panic!("the precompile does not execute"),
    }
}

/// A step as a call of the precompile.
pub(crate) fn calldata(step: &Step) -> Vec<u8> {
    let kind = step.operation.kind();
    let mut call = keccak256(signature(kind))[..4].to_vec();
    let mut words = operands(&step.operation, 0);
    match kind {
        OperationKind::Write => {
            let place = U256::from(0x60);
            words = vec![words[0], words[1], place, U256::from(step.data.len())];
        }
        OperationKind::Read | OperationKind::ReadPadded => words.truncate(3),
        _ => {}
    }
    call.extend(words.iter().flat_map(|word| word.to_be_bytes::<32>()));
    if kind == OperationKind::Write {
        call.extend_from_slice(&step.data);
        call.resize(call.len() + step.data.len().next_multiple_of(32) - step.data.len(), 0);
    }
    call
}

/// An error as the precompile returns it.
pub(crate) fn error_data(error: &RegionError) -> Vec<u8> {
    let reason = error.reason();
    let mut data = keccak256(reason.signature)[..4].to_vec();
    data.extend(reason.words.iter().flat_map(|word| word.to_be_bytes::<32>()));
    data
}

/// A program of all steps in one frame, each leaving its facts in slots of its own.
pub(crate) fn program(config: &ChainConfig, interface: Interface, steps: &[Step]) -> Code {
    let start = Code::new().memory(ENOUGH);
    steps.iter().enumerate().fold(start, |code, (at, step)| {
        let base = at as u64 * SLOTS;
        match interface {
            Interface::Opcode => opcode(code, config, step, base),
            Interface::Precompile => precompile(code, step, base),
        }
    })
}

/// A program of all steps in one frame, each by an opcode or not.
pub(crate) fn mixed(config: &ChainConfig, steps: &[Step], by_opcode: &[bool]) -> Code {
    let steps = steps.iter().zip(by_opcode).enumerate();
    steps.fold(Code::new().memory(ENOUGH), |code, (at, (step, by_opcode))| {
        let base = at as u64 * SLOTS;
        if *by_opcode { opcode(code, config, step, base) } else { precompile(code, step, base) }
    })
}

fn opcode(code: Code, config: &ChainConfig, step: &Step, base: u64) -> Code {
    let kind = step.operation.kind();
    let mut code = code.data(&step.data, MEMORY).ops(&[op::GAS]);
    for operand in operands(&step.operation, MEMORY).into_iter().rev() {
        code = code.push(operand);
    }
    code = code.ops(&[opcode_of(config, kind), op::GAS]).keep(base);
    for result in 0..results(kind) {
        code = code.keep(base + 1 + result);
    }
    code = code.keep(base + 15);
    match step.operation {
        Operation::Read { .. } => {
            let code = code.push(base + 1).ops(&[op::SLOAD]).push(MEMORY);
            code.ops(&[op::KECCAK256]).keep(base + 3)
        }
        Operation::ReadPadded { len, .. } => {
            code.push(len).push(MEMORY).ops(&[op::KECCAK256]).keep(base + 3)
        }
        _ => code,
    }
}

fn precompile(code: Code, step: &Step, base: u64) -> Code {
    let call = calldata(step);
    let code = code.data(&call, 0).ops(&[op::GAS]);
    let code = code.call_with_gas(op::CALL, PRECOMPILE, call.len() as u64, 8_000_000);
    let code = code.ops(&[op::GAS]).keep(base).keep(base + 6).keep(base + 15);
    let code = code.ops(&[op::RETURNDATASIZE]).push(0).push(RETURNED);
    let code = code.ops(&[op::RETURNDATACOPY, op::RETURNDATASIZE]).keep(base + 5);
    let code = code.push(RETURNED).ops(&[op::MLOAD]).keep(base + 1);
    let code = code.push(RETURNED + 32).ops(&[op::MLOAD]).keep(base + 2);
    let code = code.ops(&[op::RETURNDATASIZE]).push(RETURNED).ops(&[op::KECCAK256]).keep(base + 4);
    let code = code.push(RETURNED + 32).ops(&[op::MLOAD]).push(RETURNED + 64);
    match step.operation.kind() {
        OperationKind::Read | OperationKind::ReadPadded => {
            // Only if it succeeded; a length of nonsense would take all gas.
            let code = code.ops(&[op::SWAP1]).push(base + 6).ops(&[op::SLOAD, op::MUL, op::SWAP1]);
            code.ops(&[op::KECCAK256]).keep(base + 3)
        }
        _ => code.ops(&[op::POP, op::POP]),
    }
}

impl Left {
    /// What the `at`-th step of a program at `contract` left.
    pub(crate) fn of(
        ran: &Ran,
        contract: Address,
        interface: Interface,
        step: &Step,
        at: usize,
    ) -> Self {
        let base = at as u64 * SLOTS;
        let slot = |slot: u64| ran.slot(contract, base + slot);
        let between = u64::try_from(slot(15) - slot(0)).unwrap();
        let kind = step.operation.kind();
        let is_read = matches!(kind, OperationKind::Read | OperationKind::ReadPadded);
        let count = results(kind);
        match interface {
            Interface::Opcode => Self {
                gas: between - 3 * operands(&step.operation, 0).len() as u64 - 2,
                success: true,
                results: (1..=count).map(slot).collect(),
                hash: if is_read { slot(3) } else { U256::ZERO },
            },
            Interface::Precompile => {
                let success = slot(6) == U256::ONE;
                let words = match kind {
                    // The offset is always 32, then comes the length.
                    OperationKind::Read => vec![slot(2)],
                    _ => (1..=count).map(slot).collect(),
                };
                let hash = match (success, is_read) {
                    (false, _) => slot(4),
                    (true, true) => slot(3),
                    (true, false) => U256::ZERO,
                };
                let results = if success { words } else { Vec::new() };
                Self { gas: between - CALL_GAS, success, results, hash }
            }
        }
    }

    /// Bytes that the `at`-th step of a program of calls returned.
    pub(crate) fn returned(ran: &Ran, contract: Address, at: usize) -> u64 {
        u64::try_from(ran.slot(contract, at as u64 * SLOTS + 5)).unwrap()
    }
}
