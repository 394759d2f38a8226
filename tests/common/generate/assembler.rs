//! Bytecode by hand.

use revm::bytecode::opcode as op;
use revm::primitives::Address;

/// Code under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Code(Vec<u8>);

impl Code {
    pub(super) fn op(mut self, opcode: u8) -> Self {
        self.0.push(opcode);
        self
    }

    pub(super) fn ops(mut self, opcodes: &[u8]) -> Self {
        self.0.extend_from_slice(opcodes);
        self
    }

    /// Pushes a number in two bytes, whatever its size, so that lengths are known beforehand.
    pub(super) fn push(mut self, number: usize) -> Self {
        let number = u16::try_from(number).expect("code is shorter than 64 KiB");
        self.0.push(op::PUSH2);
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn push_address(mut self, address: Address) -> Self {
        self.0.push(op::PUSH20);
        self.0.extend_from_slice(address.as_slice());
        self
    }

    /// CALLCODE of `address` with `length` bytes of memory from 0 as input, one word of output to
    /// memory 0, and all but a little of the gas. Needs no fork.
    pub(super) fn run(self, address: Address, length: impl FnOnce(Self) -> Self) -> Self {
        length(self.push(32).push(0)).push(0).push(0).push_address(address).push(5_000).ops(&[
            op::GAS,
            op::SUB,
            op::CALLCODE,
            op::POP,
        ])
    }

    /// Copies the code's own bytes to memory 0.
    pub(super) fn copy(self, offset: usize, length: usize) -> Self {
        self.push(length).push(offset).push(0).op(op::CODECOPY)
    }

    /// Appends `runtime`, which the code so far then returns.
    pub(super) fn deploy(self, runtime: &[u8]) -> Self {
        // What `copy` and the return below take.
        const EPILOGUE: usize = 3 * 3 + 1 + 2 * 3 + 1;
        let offset = self.0.len() + EPILOGUE;
        self.copy(offset, runtime.len()).push(runtime.len()).push(0).op(op::RETURN).ops(runtime)
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Runs the script contract's code on the calldata, in its own context.
pub(super) fn proxy(script: Address) -> Vec<u8> {
    Code::default()
        .op(op::CALLDATASIZE)
        .push(0)
        .push(0)
        .op(op::CALLDATACOPY)
        .run(script, |code| code.op(op::CALLDATASIZE))
        .push(32)
        .push(0)
        .op(op::RETURN)
        .bytes()
}

/// Counts its calls in slot 0 and returns the count: stands in for the system contracts.
pub(super) fn tick() -> Vec<u8> {
    Code::default()
        .push(1)
        .push(0)
        .ops(&[op::SLOAD, op::ADD, op::DUP1])
        .push(0)
        .op(op::SSTORE)
        .push(0)
        .op(op::MSTORE)
        .push(32)
        .push(0)
        .op(op::RETURN)
        .bytes()
}
