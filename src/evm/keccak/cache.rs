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
//! Where a processor computes eight hashes in the time of one, entries of the same mapping that will be asked
//! for soon are computed beside one that is: of 3,000 transfers of ERC-20 tokens the direct path takes 0.81 instead of
//! 0.90 of sequential's time, and two workers 1.06 instead of 1.13 of its processor time. Of real blocks, where one hash
//! of twenty is guessed, it changes neither (±0.3 %, switched on and off in one program). With 64 entries too many
//! guesses fall on each other: 305 of 400 are there when they are asked for, of 128 entries 334, of 256 no more
//! than the time of a block shows.
//!
//! The inputs are compared whole, so what is remembered is never wrong; what falls on the place of another
//! replaces it. The sequential reference does not use it: it runs revm's own instruction.

use std::{cell::RefCell, ops::Deref, rc::Rc};

use alloy_primitives::{U256, keccak256};

use super::{
    credit::Credit,
    guess::{Call, Inputs, Reason},
    lanes::{LENGTH, Lanes},
    place::place,
};
use crate::evm::Block;

/// How many hashes are remembered. A power of two.
pub(super) const ENTRIES: usize = 128;
/// The longest input that is remembered, in bytes: three words are what a Uniswap pool is found by.
pub(super) const LONGEST: usize = 96;
/// After so many misses in a row ...
const PATIENCE: u32 = 32;
/// ... so many hashes are computed without looking.
const REST: u32 = 512;

/// Where the EVMs of one worker find it; they take turns.
pub(crate) type SharedKeccakCache<B> = Rc<RefCell<KeccakCache<B>>>;

/// Hashes of inputs of up to 96 bytes. Takes 17 KiB from the first hash on.
#[derive(Debug)]
pub(crate) struct KeccakCache<B> {
    entries: Vec<Entry>,
    /// Misses since the latest hit.
    misses: u32,
    /// How many hashes are still to be computed without looking.
    resting: u32,
    /// What computes guesses, if something does.
    lanes: Option<Lanes>,
    credit: Credit,
    credit_ahead: Credit,
    /// The block, and which of its transactions asks.
    block: Option<B>,
    at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// As many bytes of it as `length` says.
    input: [u8; LONGEST],
    hash: U256,
    /// 0: nothing is remembered here.
    length: u8,
    /// Why it was guessed, if nobody has asked for it yet.
    guessed: Option<Reason>,
}

impl Entry {
    const EMPTY: Self = Self { input: [0; LONGEST], hash: U256::ZERO, length: 0, guessed: None };

    fn is_of(&self, input: &[u8]) -> bool {
        usize::from(self.length) == input.len() && self.input[..input.len()] == *input
    }

    fn set(&mut self, input: &[u8], hash: U256, guessed: Option<Reason>) {
        self.input[..input.len()].copy_from_slice(input);
        (self.hash, self.length, self.guessed) = (hash, input.len() as u8, guessed);
    }
}

impl<B> Default for KeccakCache<B> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            misses: 0,
            resting: 0,
            lanes: Lanes::detect(),
            credit: Credit::default(),
            credit_ahead: Credit::default(),
            block: None,
            at: 0,
        }
    }
}

impl<B: Deref<Target = Block>> KeccakCache<B> {
    /// Forgets all, and guesses from now on by the transactions of this block.
    pub(crate) fn turn_to(&mut self, block: Option<B>) {
        self.entries.clear();
        (self.misses, self.resting) = (0, 0);
        (self.credit, self.credit_ahead) = Default::default();
        (self.block, self.at) = (block, 0);
    }

    /// It is this transaction of the block that asks from now on, as long as it does not wait: then others ask, and
    /// what is guessed for want of knowing better may be of no use.
    #[inline]
    pub(crate) fn begin(&mut self, transaction: usize) {
        self.at = transaction;
    }

    /// Whether to look for the next hash at all.
    pub(super) fn is_worth_it(&mut self) -> bool {
        self.resting = self.resting.saturating_sub(1);
        self.resting == 0
    }

    /// The hash of one to [`LONGEST`] bytes, if it is there.
    #[inline]
    pub(super) fn find(&mut self, input: &[u8]) -> Option<U256> {
        let entry = self.entries.get_mut(place(input)).filter(|entry| entry.is_of(input))?;
        self.misses = 0;
        match entry.guessed.take() {
            None => {}
            Some(Reason::Frame) => self.credit.earn(),
            Some(Reason::Ahead) => self.credit_ahead.earn(),
        }
        Some(entry.hash)
    }

    /// The hash of an input that is not there, for which this frame asks.
    #[cold]
    pub(super) fn compute(&mut self, input: &[u8], frame: Call<'_>) -> U256 {
        if self.entries.is_empty() {
            self.entries.resize(ENTRIES, Entry::EMPTY);
        }
        self.misses += 1;
        if self.misses == PATIENCE {
            (self.misses, self.resting) = (0, REST);
        }
        let guessed = self.guess(input, frame);
        let hash = guessed.unwrap_or_else(|| keccak256(input).into());
        self.entries[place(input)].set(input, hash, None);
        hash
    }

    /// The hash of an input, computed beside others that will be asked for soon. `None`: there are none.
    fn guess(&mut self, input: &[u8], frame: Call<'_>) -> Option<U256> {
        let lanes = self.lanes?;
        let input: [u8; LENGTH] = input.try_into().ok()?;
        let mut inputs = Inputs::new(input);
        if !inputs.has_others() {
            return None;
        }
        let is_known = |guess: &[u8; LENGTH]| self.entries[place(guess)].is_of(guess);
        if self.credit.is_open() && inputs.guess(frame, is_known) {
            self.credit.spend();
        }
        if self.credit_ahead.is_open() {
            let block = self.block.as_deref().and_then(|block| block.transactions.get(self.at..));
            let transactions = block.unwrap_or_default().iter().map(|transaction| &transaction.env);
            if inputs.guess_ahead(transactions, is_known) {
                self.credit_ahead.spend();
            }
        }
        if inputs.guesses().len() == 0 {
            return None;
        }
        let [hash, guessed @ ..] = lanes.hash(inputs.lanes());
        for ((guess, reason), hash) in inputs.guesses().zip(guessed) {
            self.entries[place(guess)].set(guess, U256::from_be_bytes(hash), Some(reason));
        }
        Some(U256::from_be_bytes(hash))
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;
    use crate::evm::{Transaction, workload::Workload};

    type Cache<'a> = KeccakCache<&'a Block>;

    const NOBODY: Call<'_> = Call { caller: Address::ZERO, data: &[] };

    /// Transfers of tokens.
    fn transfers(count: usize) -> Block {
        Workload::by_name("erc20").expect("a workload").with_transactions(count).build(1).0
    }

    /// The call that a transaction makes.
    fn call(tx: &Transaction) -> Call<'_> {
        Call { caller: tx.env.caller, data: &tx.env.data }
    }

    /// One that guesses wherever the tests run.
    fn guessing(block: &Block) -> Cache<'_> {
        let mut cache = Cache { lanes: Some(Lanes::Emulated), ..Cache::default() };
        cache.turn_to(Some(block));
        cache
    }

    fn hash(cache: &mut Cache<'_>, input: &[u8]) -> U256 {
        cache.find(input).unwrap_or_else(|| cache.compute(input, NOBODY))
    }

    /// The entry of an account in the mapping at a place.
    fn entry(account: Address, place: u8) -> [u8; LENGTH] {
        let mut input = [0; LENGTH];
        input[12..32].copy_from_slice(account.as_slice());
        input[63] = place;
        input
    }

    #[test]
    fn hashes_are_those_of_the_input_whatever_was_hashed_before() {
        let mut cache = Cache::default();
        let input = |seed: u32, length: usize| -> Vec<u8> {
            (0..length).map(|at| (seed.wrapping_mul(31) >> (at % 24)) as u8).collect()
        };
        for seed in 0..2_000_u32 {
            // Prefixes of one input fall on places that differ, and ever other inputs on the same places.
            for length in [1, 7, 8, 31, 32, 40, 64, 64, 85, LONGEST] {
                let input = input(seed % 500, length);
                assert_eq!(hash(&mut cache, &input), U256::from_be_bytes(keccak256(&input).0));
            }
        }
        cache.turn_to(None);
        assert_eq!(cache.find(&[0]), None);
        assert_eq!(hash(&mut cache, &[0]), U256::from_be_bytes(keccak256([0]).0));
    }

    #[test]
    fn what_a_block_asks_for_is_there_when_it_is_and_right() {
        let block = transfers(200);
        let mut cache = guessing(&block);
        let mut found = 0;
        for (at, tx) in block.transactions.iter().enumerate() {
            cache.begin(at);
            let recipient = Address::from_slice(&tx.env.data[16..36]);
            for account in [tx.env.caller, recipient] {
                let input = entry(account, 1);
                let there = cache.find(&input);
                found += usize::from(there.is_some());
                let hash = there.unwrap_or_else(|| cache.compute(&input, call(tx)));
                assert_eq!(hash, U256::from_be_bytes(keccak256(input).0));
            }
        }
        // Of eight the first has to be computed, and what falls on the place of another.
        assert!((325..=350).contains(&found), "{found} of 400");
    }

    #[test]
    fn guesses_that_nobody_asks_for_are_rarely_made() {
        let block = transfers(2_000);
        let mut cache = guessing(&block);
        let mut guessed = 0;
        for (at, tx) in block.transactions.iter().enumerate() {
            cache.begin(at);
            // Each has a mapping of its own.
            let mut input = entry(tx.env.caller, 0);
            input[60..].copy_from_slice(&(at as u32).to_be_bytes());
            cache.compute(&input, call(tx));
            guessed += usize::from(cache.entries.iter().any(|entry| entry.guessed.is_some()));
            cache.entries.fill(Entry::EMPTY);
        }
        assert!((10..=60).contains(&guessed), "{guessed}");
    }

    #[test]
    fn it_rests_after_a_row_of_misses_and_looks_again() {
        let mut cache = Cache::default();
        for input in 0..PATIENCE {
            assert!(cache.is_worth_it(), "{input}");
            hash(&mut cache, &input.to_be_bytes());
        }
        let rested = (0..2 * REST).take_while(|_| !cache.is_worth_it()).count();
        assert_eq!(rested, REST as usize - 1);
        // A hit within the row keeps it awake.
        for input in 0..2 * PATIENCE {
            assert!(cache.is_worth_it(), "{input}");
            hash(&mut cache, &(input / 2).to_be_bytes());
        }
    }
}
