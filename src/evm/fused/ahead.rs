//! What is ahead in the code, and what it costs.

use revm::{
    bytecode::opcode as op,
    interpreter::{
        GasTable, gas_table,
        interpreter_types::{Immediates, Jumps},
    },
};

use super::Frame;

/// revm's costs, without those that a fork changed.
const GAS: GasTable = gas_table();

/// The opcodes that are executed with one before them, whose cost is taken from [`GAS`].
const FUSED: [u8; 14] = [
    op::ADD,
    op::AND,
    op::EQ,
    op::GT,
    op::ISZERO,
    op::JUMP,
    op::JUMPDEST,
    op::JUMPI,
    op::POP,
    op::PUSH1,
    op::SHL,
    op::SUB,
    op::PUSH2,
    op::PUSH4,
];

/// What these opcodes cost together.
pub(super) const fn gas(opcodes: &[u8]) -> u64 {
    let (mut sum, mut at) = (0, 0);
    while at < opcodes.len() {
        sum += GAS[opcodes[at] as usize] as u64;
        at += 1;
    }
    sum
}

/// Whether a table has what [`gas`] counts on.
pub(super) fn costs_are_those_of(table: &GasTable) -> bool {
    FUSED.into_iter().map(usize::from).all(|opcode| table[opcode] == GAS[opcode])
}

/// The opcode that is next.
#[inline(always)]
pub(super) fn next(frame: &Frame) -> u8 {
    frame.bytecode.opcode()
}

/// The target of a branch that begins so many bytes ahead: `PUSH2 target JUMPI`. There must be an opcode.
#[inline(always)]
pub(super) fn branch<const AT: usize>(frame: &Frame) -> Option<usize> {
    if frame.bytecode.read_slice(AT + 1)[AT] != op::PUSH2 {
        return None;
    }
    let code = &frame.bytecode.read_slice(AT + 4)[AT..];
    let target = u16::from_be_bytes([code[1], code[2]]);
    (code[3] == op::JUMPI).then_some(usize::from(target))
}

/// How long a branch is, in bytes.
pub(super) const BRANCH: isize = 4;
