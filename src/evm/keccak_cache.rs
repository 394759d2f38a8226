//! KECCAK256 of short inputs, remembered for a block.
//!
//! Solidity finds the entry of a mapping at the hash of its key and of the mapping's place, and computes that
//! hash anew for each access: once to check a balance, once to change it, again in the event's view function.
//! In real blocks a fifth to a quarter of all instructions compute hashes; three quarters of these are of 64 bytes, and
//! of every two one was computed less than 48 hashes before. So very few entries are enough, and more of them
//! gain nothing (32 to 1,024 measured: the direct path took 4 % less time than without, with each).
//!
//! The inputs are compared whole, so what is remembered is never wrong; what falls on the place of another
//! replaces it. The sequential reference does not use it: it runs revm's own instruction.

use std::{cell::RefCell, rc::Rc};

use alloy_primitives::{U256, keccak256};
use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    handler::instructions::EthInstructions,
    interpreter::{
        Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::system, interpreter::EthInterpreter, interpreter_types::MemoryTr,
    },
};

/// How many hashes are remembered. A power of two.
const ENTRIES: usize = 64;
/// The longest input that is remembered, in bytes: three words are what a Uniswap pool is found by.
const LONGEST: usize = 96;

/// Where the EVMs of one worker find it; they take turns.
pub(crate) type SharedKeccakCache = Rc<RefCell<KeccakCache>>;

/// Hashes of inputs of up to 96 bytes. Takes 9 KiB from the first hash on.
#[derive(Debug, Default)]
pub(crate) struct KeccakCache {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// As many bytes of it as `length` says.
    input: [u8; LONGEST],
    hash: U256,
    /// 0: nothing is remembered here.
    length: u8,
}

impl Entry {
    const EMPTY: Self = Self { input: [0; LONGEST], hash: U256::ZERO, length: 0 };
}

impl KeccakCache {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The hash of one to [`LONGEST`] bytes.
    fn hash(&mut self, input: &[u8]) -> U256 {
        if self.entries.is_empty() {
            self.entries.resize(ENTRIES, Entry::EMPTY);
        }
        let entry = &mut self.entries[place(input)];
        if usize::from(entry.length) != input.len() || entry.input[..input.len()] != *input {
            entry.hash = keccak256(input).into();
            entry.input[..input.len()].copy_from_slice(input);
            entry.length = input.len() as u8;
        }
        entry.hash
    }
}

/// Where an input is remembered: FxHash, of which the high bits are the good ones.
fn place(input: &[u8]) -> usize {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mut state = input.len() as u64;
    let mut add = |word: u64| state = (state.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = input.as_chunks::<8>();
    words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
    rest.iter().for_each(|byte| add(u64::from(*byte)));
    (state >> (u64::BITS - ENTRIES.ilog2())) as usize
}

/// Replaces the instruction that hashes. What it costs stays.
pub(crate) fn install<H>(instructions: &mut EthInstructions<EthInterpreter, H>)
where
    H: ContextTr<Chain = SharedKeccakCache> + Host,
{
    let table = instructions.instruction_table_mut();
    table[op::KECCAK256 as usize] = Instruction::new(instruction);
}

/// KECCAK256. All that is not a short input within the frame's memory as it is goes to revm's own.
pub(crate) fn instruction<H>(
    context: InstructionContext<'_, H, EthInterpreter>,
) -> InstructionExecResult
where
    H: ContextTr<Chain = SharedKeccakCache> + Host,
{
    let InstructionContext { interpreter, host } = context;
    let Some((offset, length)) = short_input(interpreter.stack.data(), interpreter.memory.size())
    else {
        return system::keccak256(InstructionContext { interpreter, host });
    };
    if !interpreter.gas.record_regular_cost(host.gas_params().keccak256_cost(length)) {
        return Err(InstructionResult::OutOfGas);
    }
    let hash = {
        let input = interpreter.memory.slice_len(offset, length);
        host.chain().borrow_mut().hash(&input)
    };
    let _offset = interpreter.stack.pop();
    if let Some(top) = interpreter.stack.data_mut().last_mut() {
        *top = hash;
    }
    Ok(())
}

/// Offset and length of the input that a stack asks for, if it is one to be remembered.
fn short_input(stack: &[U256], memory: usize) -> Option<(usize, usize)> {
    let [.., length, offset] = stack else { return None };
    let length = usize::try_from(*length).ok().filter(|length| (1..=LONGEST).contains(length))?;
    let offset = usize::try_from(*offset).ok()?;
    (offset.checked_add(length)? <= memory).then_some((offset, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_input_whatever_was_hashed_before() {
        let mut cache = KeccakCache::default();
        let input = |seed: u32, length: usize| -> Vec<u8> {
            (0..length).map(|at| (seed.wrapping_mul(31) >> (at % 24)) as u8).collect()
        };
        for seed in 0..2_000_u32 {
            // Prefixes of one input fall on places that differ, and ever other inputs on the same places.
            for length in [1, 7, 8, 31, 32, 40, 64, 64, 85, LONGEST] {
                let input = input(seed % 500, length);
                assert_eq!(cache.hash(&input), U256::from_be_bytes(keccak256(&input).0));
            }
        }
        cache.clear();
        assert_eq!(cache.hash(&[0]), U256::from_be_bytes(keccak256([0]).0));
    }

    #[test]
    fn keys_of_one_mapping_are_spread() {
        let mut used = [0_u32; ENTRIES];
        for key in 0..ENTRIES as u64 * 16 {
            let mut input = [0; 64];
            input[24..32].copy_from_slice(&key.to_be_bytes());
            input[63] = 3;
            used[place(&input)] += 1;
        }
        assert!(used.iter().all(|hits| (1..64).contains(hits)), "{used:?}");
    }

    #[test]
    fn inputs_that_are_long_empty_or_beyond_memory_are_left_to_revm() {
        let asked = |offset: U256, length: u64| short_input(&[U256::from(length), offset], 128);
        assert_eq!(asked(U256::from(64), 64), Some((64, 64)));
        assert_eq!(asked(U256::from(32), 96), Some((32, 96)));
        assert_eq!(asked(U256::from(65), 64), None);
        assert_eq!(asked(U256::ZERO, 97), None);
        assert_eq!(asked(U256::ZERO, 0), None);
        assert_eq!(asked(U256::MAX, 32), None);
        assert_eq!(asked(U256::from(u64::MAX), 32), None);
        assert_eq!(short_input(&[U256::from(32)], 128), None);
    }
}
