//! KECCAK256 of short inputs, remembered for a block.
//!
//! Solidity finds the entry of a mapping at the hash of its key and of the mapping's place, and often computes that
//! hash anew for each access: once to read a balance, once to change it. Of the instructions of the real blocks
//! 17034869 and 12243999, 23 and 28 % compute hashes (callgrind). Over 27 blocks three quarters of the hashes are of
//! 64 bytes, and half of these repeat one of the 48 hashes before. So few entries are enough, and more of
//! them gain nothing (32 to 1,024 measured: the direct path took 3 to 4 % less time than without, with each).
//!
//! To look in vain takes a tenth of a hash. Where nothing repeats (mints, each to another owner; loops of
//! hashes), that came to 3 to 5 % of a block, so after a row of misses the cache rests for a while.
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
/// After so many misses in a row ...
const PATIENCE: u32 = 32;
/// ... so many hashes are computed without looking.
const REST: u32 = 512;

/// Where the EVMs of one worker find it; they take turns.
pub(crate) type SharedKeccakCache = Rc<RefCell<KeccakCache>>;

/// Hashes of inputs of up to 96 bytes. Takes 9 KiB from the first hash on.
#[derive(Debug, Default)]
pub(crate) struct KeccakCache {
    entries: Vec<Entry>,
    /// Misses since the latest hit.
    misses: u32,
    /// How many hashes are still to be computed without looking.
    resting: u32,
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
        (self.misses, self.resting) = (0, 0);
    }

    /// Whether to look for the next hash at all.
    fn is_worth_it(&mut self) -> bool {
        self.resting = self.resting.saturating_sub(1);
        self.resting == 0
    }

    /// The hash of one to [`LONGEST`] bytes.
    fn hash(&mut self, input: &[u8]) -> U256 {
        if self.entries.is_empty() {
            self.entries.resize(ENTRIES, Entry::EMPTY);
        }
        let entry = &mut self.entries[place(input)];
        if usize::from(entry.length) == input.len() && entry.input[..input.len()] == *input {
            self.misses = 0;
        } else {
            self.misses += 1;
            if self.misses == PATIENCE {
                (self.misses, self.resting) = (0, REST);
            }
            entry.hash = keccak256(input).into();
            entry.input[..input.len()].copy_from_slice(input);
            entry.length = input.len() as u8;
        }
        entry.hash
    }
}

/// Where an input is remembered: the high bits of its words' products with odd numbers, which a processor
/// computes side by side. What falls on one place only hashes again.
fn place(input: &[u8]) -> usize {
    // The fractions of the square roots of the first primes, as in SHA-384 and SHA-512.
    const FACTORS: [u64; LONGEST / 8] = [
        0x6a09_e667_f3bc_c909,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
        0x510e_527f_ade6_82d1,
        0x9b05_688c_2b3e_6c1f,
        0x1f83_d9ab_fb41_bd6b,
        0x5be0_cd19_137e_2179,
        0xcbbb_9d5d_c105_9ed9,
        0x629a_292a_367c_d507,
        0x9159_015a_3070_dd17,
        0x152f_ecd8_f70e_5939,
    ];
    let (words, rest) = input.as_chunks::<8>();
    let terms = words.iter().zip(FACTORS);
    let sum = terms.map(|(word, factor)| u64::from_le_bytes(*word).wrapping_mul(factor));
    let rest = rest.iter().fold(input.len() as u64, |state, byte| state << 8 | u64::from(*byte));
    let sum = sum.fold(rest.wrapping_mul(FACTORS[0]), u64::wrapping_add);
    // What differs in high bytes only has to reach the high bits of the sum's last product, too.
    ((sum ^ sum >> 32).wrapping_mul(FACTORS[1]) >> (u64::BITS - ENTRIES.ilog2())) as usize
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
    instruction_beside(context, |_, _| None)
}

/// The same, where the hash of a short input may be `known` otherwise.
#[inline]
pub(crate) fn instruction_beside<H>(
    context: InstructionContext<'_, H, EthInterpreter>,
    known: impl FnOnce(&H, &[u8]) -> Option<U256>,
) -> InstructionExecResult
where
    H: ContextTr<Chain = SharedKeccakCache> + Host,
{
    let InstructionContext { interpreter, host } = context;
    let short = short_input(interpreter.stack.data(), interpreter.memory.size());
    let known = short
        .and_then(|(offset, length)| known(host, &interpreter.memory.slice_len(offset, length)));
    let worth_it = || known.is_some() || host.chain().borrow_mut().is_worth_it();
    let Some((offset, length)) = short.filter(|_| worth_it()) else {
        return system::keccak256(InstructionContext { interpreter, host });
    };
    if !interpreter.gas.record_regular_cost(host.gas_params().keccak256_cost(length)) {
        return Err(InstructionResult::OutOfGas);
    }
    let hash = known.unwrap_or_else(|| {
        let input = interpreter.memory.slice_len(offset, length);
        host.chain().borrow_mut().hash(&input)
    });
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
    fn it_rests_after_a_row_of_misses_and_looks_again() {
        let mut cache = KeccakCache::default();
        for input in 0..PATIENCE {
            assert!(cache.is_worth_it(), "{input}");
            cache.hash(&input.to_be_bytes());
        }
        let rested = (0..2 * REST).take_while(|_| !cache.is_worth_it()).count();
        assert_eq!(rested, REST as usize - 1);
        // A hit within the row keeps it awake.
        for input in 0..2 * PATIENCE {
            assert!(cache.is_worth_it(), "{input}");
            cache.hash(&(input / 2).to_be_bytes());
        }
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
