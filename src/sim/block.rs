//! What is simulated: a block's transactions as what they read and write, and when.

use std::collections::HashMap;

use super::SimError;
use crate::{state::TxIndex, sync::time::Duration};

/// A location, by a number of the block's maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(pub u32);

/// A read in the course of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// What is read.
    pub location: Location,
    /// How long the transaction has run by then.
    pub at: Duration,
}

/// One transaction: what it does whenever it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// How long it runs.
    pub work: Duration,
    /// What it reads, in the order of time, each location once.
    pub reads: Vec<Read>,
    /// What it writes, each location once. Others see it when the transaction has ended.
    pub writes: Vec<Location>,
    /// How many transactions from this one on a core takes together; 0 counts as 1.
    pub batch: u32,
}

/// A block to simulate.
///
/// Values are made up: what a transaction writes depends on everything that it has read, so that a
/// final state which equals the sequential one is worth something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The transactions, in order.
    pub transactions: Vec<Transaction>,
}

/// A made-up value.
pub(super) type Value = u64;

/// A permutation of numbers that looks like chance (SplitMix64's).
pub(super) fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Location {
    /// What it holds before the block.
    pub(super) fn before(self) -> Value {
        scatter(u64::from(self.0) | 1 << 40)
    }

    /// What `tx` writes to it, having seen `seen`.
    pub(super) fn written(self, tx: TxIndex, seen: Value) -> Value {
        scatter(seen ^ scatter(u64::from(tx.0) << 32 | u64::from(self.0)))
    }
}

/// All values that a transaction has seen, as one.
pub(super) fn seen_as_one(values: impl Iterator<Item = Value>) -> Value {
    values.fold(0, |seen, value| scatter(seen ^ value))
}

impl Block {
    /// Gives the transactions other times; what they read moves along. Those without a time keep theirs.
    pub fn set_times(&mut self, times: &[Duration]) {
        for (transaction, time) in self.transactions.iter_mut().zip(times) {
            let before = transaction.work.as_secs_f64();
            for read in &mut transaction.reads {
                let share = if before > 0.0 { read.at.as_secs_f64() / before } else { 0.0 };
                read.at = time.mul_f64(share).min(*time);
            }
            transaction.work = *time;
        }
    }

    /// How long each transaction runs.
    #[must_use]
    pub fn times(&self) -> Vec<Duration> {
        self.transactions.iter().map(|transaction| transaction.work).collect()
    }

    /// Time of all transactions one after another.
    #[must_use]
    pub fn work(&self) -> Duration {
        self.transactions.iter().map(|transaction| transaction.work).sum()
    }

    /// Time of the longest chain of transactions that each read what the one before wrote.
    #[must_use]
    pub fn longest_chain(&self) -> Duration {
        let mut written: HashMap<Location, Duration> = HashMap::new();
        let mut longest = Duration::ZERO;
        for transaction in &self.transactions {
            let sources = transaction.reads.iter().filter_map(|read| written.get(&read.location));
            let end = sources.max().copied().unwrap_or_default() + transaction.work;
            written.extend(transaction.writes.iter().map(|location| (*location, end)));
            longest = longest.max(end);
        }
        longest
    }

    /// The best speed-up that so many cores can reach, if every transaction begins when all that it
    /// reads is written: `min(cores, work ÷ longest chain)`; 1 for a block without work.
    #[must_use]
    pub fn bound(&self, cores: usize) -> f64 {
        let longest = self.longest_chain();
        if longest.is_zero() {
            return 1.0;
        }
        (self.work().as_secs_f64() / longest.as_secs_f64()).min(cores as f64)
    }

    /// What every written location holds after the block, one transaction after another, by location.
    #[must_use]
    pub fn sequential_state(&self) -> Vec<(Location, u64)> {
        let mut state: HashMap<Location, Value> = HashMap::new();
        for (index, transaction) in self.transactions.iter().enumerate() {
            let value = |read: &Read| {
                state.get(&read.location).copied().unwrap_or_else(|| read.location.before())
            };
            let seen = seen_as_one(transaction.reads.iter().map(value));
            let write =
                |location: &Location| (*location, location.written(TxIndex(index as u32), seen));
            state.extend(transaction.writes.iter().map(write));
        }
        let mut state: Vec<_> = state.into_iter().collect();
        state.sort_unstable();
        state
    }

    /// Checks what the simulation counts on.
    pub(super) fn check(&self) -> Result<(), SimError> {
        if u32::try_from(self.transactions.len()).is_err() {
            return Err(SimError::TooLong { transactions: self.transactions.len() });
        }
        for (index, transaction) in self.transactions.iter().enumerate() {
            let mut last = Duration::ZERO;
            for read in &transaction.reads {
                if read.at < last || read.at > transaction.work {
                    let (at, work) = (read.at, transaction.work);
                    return Err(SimError::Disorder { index, at, work });
                }
                last = read.at;
            }
        }
        Ok(())
    }
}
