//! Bytecode under construction, with data behind it.

use alloy_primitives::{Address, Bytes, U256};
use revm::bytecode::opcode as op;

/// Code, and data that it copies to memory. Every push has 32 bytes and costs 3 gas.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    code: Vec<u8>,
    /// Where the code has to know where its data begins, and at which byte of the data.
    patches: Vec<(usize, usize)>,
    data: Vec<u8>,
}

impl Code {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn ops(mut self, opcodes: &[u8]) -> Self {
        self.code.extend_from_slice(opcodes);
        self
    }

    pub(crate) fn push(mut self, word: impl TryInto<U256>) -> Self {
        let word = word.try_into().unwrap_or_else(|_| panic!("a word"));
        self.code.push(op::PUSH32);
        self.code.extend_from_slice(&word.to_be_bytes::<32>());
        self
    }

    pub(crate) fn address(self, address: Address) -> Self {
        self.push(U256::from_be_slice(address.as_slice()))
    }

    /// Stores what is on top of the stack.
    pub(crate) fn keep(self, slot: u64) -> Self {
        self.push(slot).ops(&[op::SSTORE])
    }

    /// Copies data to memory.
    pub(crate) fn data(mut self, bytes: &[u8], memory: u64) -> Self {
        self = self.push(bytes.len() as u64);
        self.patches.push((self.code.len() + 1, self.data.len()));
        self.data.extend_from_slice(bytes);
        self.push(0).push(memory).ops(&[op::CODECOPY])
    }

    /// Makes memory that large beforehand.
    pub(crate) fn memory(self, bytes: u64) -> Self {
        self.push(0).push(bytes - 32).ops(&[op::MSTORE])
    }

    /// Calls with all gas there is, `input` bytes of memory 0, no value, output to nowhere; leaves
    /// whether it worked.
    pub(crate) fn call(self, scheme: u8, to: Address, input: u64) -> Self {
        self.call_with_gas(scheme, to, input, u64::MAX)
    }

    pub(crate) fn call_with_gas(self, scheme: u8, to: Address, input: u64, gas: u64) -> Self {
        let code = self.push(0).push(0).push(input).push(0);
        let code = match scheme {
            op::CALL | op::CALLCODE => code.push(0),
            _ => code,
        };
        code.address(to).push(gas).ops(&[scheme])
    }

    /// The code as a contract has it, ending in STOP.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut code = self.code.clone();
        code.push(op::STOP);
        let start = code.len();
        for (place, offset) in &self.patches {
            let at = U256::from(start + offset).to_be_bytes::<32>();
            code[*place..*place + 32].copy_from_slice(&at);
        }
        code.extend_from_slice(&self.data);
        code.into()
    }
}
