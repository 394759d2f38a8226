//! Bytecode by hand, for Frontier and later.

use alloy_primitives::{Address, Bytes, U256};
use revm::bytecode::opcode as op;

/// Code under construction. The methods push what an operation takes, last operand first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code(Vec<u8>);

impl Code {
    /// No code yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Code that takes its time first, so that those behind run ahead of it: some 8,000 gas. It
    /// jumps within itself, so it can only be where code begins.
    pub(crate) fn slow() -> Self {
        let start = Self::new().push(300).ops(&[op::JUMPDEST]).push(1).ops(&[op::SWAP1, op::SUB]);
        // The JUMPDEST is behind PUSH2 300.
        start.ops(&[op::DUP1]).push(3).ops(&[op::JUMPI, op::POP])
    }

    pub(crate) fn ops(mut self, opcodes: &[u8]) -> Self {
        self.0.extend_from_slice(opcodes);
        self
    }

    /// Pushes a number.
    pub(crate) fn push(mut self, number: u64) -> Self {
        let bytes = number.to_be_bytes();
        let zeros = (number.leading_zeros() as usize / 8).min(7);
        self.0.push(op::PUSH1 + 7 - zeros as u8);
        self.0.extend_from_slice(&bytes[zeros..]);
        self
    }

    pub(crate) fn address(mut self, address: Address) -> Self {
        self.0.push(op::PUSH20);
        self.0.extend_from_slice(address.as_slice());
        self
    }

    /// Stores what is on top of the stack.
    pub(crate) fn store(self, slot: u64) -> Self {
        self.push(slot).ops(&[op::SSTORE])
    }

    /// Loads a slot.
    pub(crate) fn load(self, slot: u64) -> Self {
        self.push(slot).ops(&[op::SLOAD])
    }

    /// Calls with some wei and no input; the stack has one item more, whether it worked.
    pub(crate) fn call(self, to: Address, wei: u64) -> Self {
        let code = self.push(0).push(0).push(0).push(0).push(wei).address(to);
        code.push(80_000).ops(&[op::CALL])
    }

    /// Calls the address in the first word of the input with some wei; leaves whether it worked.
    pub(crate) fn call_given(self, wei: u64) -> Self {
        let code = self.push(0).push(0).push(0).push(0).push(wei).push(0);
        code.ops(&[op::CALLDATALOAD]).push(80_000).ops(&[op::CALL])
    }

    /// Creates a contract with CREATE2, salt 0; leaves its address.
    pub(crate) fn create2(self, init: &[u8]) -> Self {
        self.keep(init).push(0).push(init.len() as u64).push(0).push(0).ops(&[op::CREATE2])
    }

    /// Creates a contract with CREATE; leaves its address.
    pub(crate) fn create(self, init: &[u8]) -> Self {
        self.keep(init).push(init.len() as u64).push(0).push(0).ops(&[op::CREATE])
    }

    /// Runs `then` if there is input, else `otherwise`.
    pub(crate) fn branch(self, then: Self, otherwise: Self) -> Self {
        let target = self.0.len() + 5 + otherwise.0.len() + 1;
        let target = u16::try_from(target).unwrap().to_be_bytes();
        let code = self.ops(&[op::CALLDATASIZE, op::PUSH2]).ops(&target).ops(&[op::JUMPI]);
        code.ops(&otherwise.0).ops(&[op::STOP, op::JUMPDEST]).ops(&then.0)
    }

    /// Init code that leaves this code.
    pub(crate) fn init(&self) -> Bytes {
        let length = self.0.len() as u64;
        Self::new().keep(&self.0).push(length).push(0).ops(&[op::RETURN]).into()
    }

    /// Writes bytes to memory from 0 on, 32 at a time.
    fn keep(mut self, bytes: &[u8]) -> Self {
        for (at, chunk) in bytes.chunks(32).enumerate() {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            self = self.ops(&[op::PUSH32]).ops(&word).push(32 * at as u64).ops(&[op::MSTORE]);
        }
        self
    }
}

impl From<Code> for Bytes {
    fn from(code: Code) -> Self {
        code.0.into()
    }
}

/// A word of input.
pub(crate) fn word(address: Address) -> Bytes {
    U256::from_be_slice(address.as_slice()).to_be_bytes::<32>().into()
}

/// The code of an account that is delegated (EIP-7702).
pub(crate) fn delegation(to: Address) -> Bytes {
    [&[0xef, 0x01, 0x00], to.as_slice()].concat().into()
}
