//! How much faster than one after another a block could run at all.
//!
//! The limit of a block on `n` threads is `min(n, work ÷ longest chain)`, where a chain is a row
//! of transactions each of which read something that the one before it wrote. Reads and writes are
//! recorded in a sequential run, of whole accounts (balance, nonce, code) and of slots. The work of a
//! transaction is the shortest of several measured times.
//!
//! The beneficiary's account is left out altogether, not only the fees: nearly every transaction
//! writes it, so a beneficiary that also sends or receives (builders do) would chain its
//! transactions to all others by fees alone. Its slots, if it is a contract, count.
//!
//! Where each cold read takes a while, the sequential run waits for all of them, and an engine that
//! overlaps the waits of different transactions still waits for those of one transaction, one after
//! another ([`Profile::limit_at`]). An engine that finds out ahead what a transaction will read can
//! pass that limit.
//!
//! Whoever makes a block can say what else its transactions read and write ([`Beside`]): words of shared
//! regions, or the beneficiary's fees where somebody looks at them.
//!
//! It bounds engines that treat an account as one value. One that merges balance deltas, or
//! predicts nonces, can pass it.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, U256};
use revm::{
    ExecuteEvm,
    context::{TxEnv, result::ExecutionResult},
    state::{Account, AccountInfo, EvmState},
};

use super::{
    Block, BlockError, StateStore, StoreError,
    rules::BlockSums,
    sequential::{Failure, Machine, prologue},
    shared::SharedRegions,
};
use crate::{
    engine::SharedMemory,
    sync::{
        atomic::{AtomicU32, Ordering},
        time::{Duration, Instant},
    },
};

/// How often each transaction is timed.
const ROUNDS: usize = 3;

/// What a transaction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Location {
    Account(Address),
    Slot(Address, U256),
    /// What only the maker of the block knows of.
    Beside(u64),
}

/// What a transaction reads and writes besides accounts and slots. The numbers are whatever the
/// maker of the block takes them for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Locations that it reads.
    pub reads: Vec<u64>,
    /// Locations that it writes. A reader waits for all writers before it.
    pub writes: Vec<u64>,
}

/// Work and dependencies of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Time of all transactions one after another.
    pub work: Duration,
    /// Time of the longest chain of dependent transactions.
    pub longest_chain: Duration,
    /// The transactions by themselves.
    pub transactions: Vec<Cost>,
    /// Cold reads outside of transactions.
    pub other_reads: u32,
}

/// What one transaction costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time without any wait.
    pub work: Duration,
    /// Locations that no transaction before it has read.
    pub cold_reads: u32,
}

impl Profile {
    /// Runs the block several times and records it. Invalid transactions are left out and cost
    /// nothing.
    ///
    /// # Errors
    ///
    /// Any [`BlockError`] but an invalid transaction.
    pub fn record<S: StateStore + ?Sized>(block: &Block, store: &S) -> Result<Self, BlockError> {
        Self::record_with(block, store, None, &[])
    }

    /// Does the same for a block that uses shared memory, or whose transactions read and write what
    /// is listed for them besides.
    ///
    /// # Errors
    ///
    /// Any [`BlockError`] but an invalid transaction.
    pub fn record_with<S: StateStore + ?Sized>(
        block: &Block,
        store: &S,
        memory: Option<&SharedMemory>,
        beside: &[Beside],
    ) -> Result<Self, BlockError> {
        let mut accesses = Vec::with_capacity(block.transactions.len());
        let mut cold_reads = Vec::with_capacity(block.transactions.len());
        let counting = Counting { store, reads: AtomicU32::new(0) };
        run(block, &counting, memory, |machine, index, tx| {
            let before = counting.count();
            let (result, mut access) = record(machine, tx);
            if let (Ok(_), Some(beside)) = (&result, beside.get(index)) {
                access.reads.extend(beside.reads.iter().copied().map(Location::Beside));
                access.writes.extend(beside.writes.iter().copied().map(Location::Beside));
            }
            accesses.push(access);
            cold_reads.push(counting.count() - before);
            result
        })?;
        let other_reads = counting.count() - cold_reads.iter().sum::<u32>();
        let mut work = vec![Duration::MAX; accesses.len()];
        for _ in 0..ROUNDS {
            let mut times = work.iter_mut();
            run(block, store, memory, |machine, _, tx| {
                let begin = Instant::now();
                let result = machine.transact(tx);
                if let Some(time) = times.next() {
                    *time = begin.elapsed().min(*time);
                }
                result
            })?;
        }
        let mut profile = Self::of(accesses.iter().zip(work.iter().copied()));
        let costs = work.iter().zip(cold_reads);
        let cost = |(work, cold_reads): (&Duration, u32)| Cost { work: *work, cold_reads };
        profile.transactions = costs.map(cost).collect();
        profile.other_reads = other_reads;
        Ok(profile)
    }

    fn of<'a>(transactions: impl Iterator<Item = (&'a Access, Duration)>) -> Self {
        let mut profile = Self::default();
        // When the last writer of a location ends, if each transaction begins as soon as all that
        // it reads is written.
        let mut written: HashMap<Location, Duration> = HashMap::new();
        for (access, work) in transactions {
            let begin = access.reads.iter().filter_map(|read| written.get(read)).max();
            let end = begin.copied().unwrap_or_default() + work;
            for write in &access.writes {
                let written = written.entry(*write).or_insert(end);
                // Of an account or slot the last value is what a reader needs.
                *written = match write {
                    Location::Beside(_) => end.max(*written),
                    Location::Account(_) | Location::Slot(..) => end,
                };
            }
            profile.work += work;
            profile.longest_chain = profile.longest_chain.max(end);
        }
        profile
    }

    /// The best ratio to a sequential run that so many threads can reach where each cold read takes
    /// `latency`, if transactions overlap their waits without end and each waits for its own reads
    /// one after another.
    pub fn limit_at(&self, threads: usize, latency: Duration) -> f64 {
        let cost = |cost: &Cost| cost.work + latency * cost.cold_reads;
        let all = self.transactions.iter().map(cost).sum::<Duration>();
        let all = all + latency * self.other_reads;
        let longest = self.transactions.iter().map(cost).max().unwrap_or_default();
        let best = longest.max(self.longest_chain).max(self.work / threads as u32);
        if best.is_zero() { 1.0 } else { (all.as_secs_f64() / best.as_secs_f64()).max(1.0) }
    }

    /// Locations that the block reads.
    pub fn cold_reads(&self) -> u32 {
        self.transactions.iter().map(|cost| cost.cold_reads).sum::<u32>() + self.other_reads
    }

    /// The best ratio to a sequential run that so many threads can reach; 1 for an empty block.
    pub fn limit(&self, threads: usize) -> f64 {
        if self.longest_chain.is_zero() {
            return 1.0;
        }
        let chains = self.work.as_secs_f64() / self.longest_chain.as_secs_f64();
        chains.min(threads as f64)
    }
}

/// Runs a block's transactions, those that the block has room for, through `transact`, which is told
/// their positions.
pub(super) fn run<S: StateStore + ?Sized>(
    block: &Block,
    store: &S,
    memory: Option<&SharedMemory>,
    mut transact: impl FnMut(&mut Machine<'_, S>, usize, &TxEnv) -> Result<ExecutionResult, Failure>,
) -> Result<(), BlockError> {
    let number = block.env.number.saturating_to();
    let mut regions = memory.and_then(|memory| Some((memory.begin_direct(number)?, memory)));
    let shared = regions
        .as_mut()
        .map(|(regions, memory)| SharedRegions { config: memory.chain().clone(), regions });
    let mut machine = Machine::with_shared(block, store, shared);
    prologue(&mut machine, block)?;
    let mut sums = BlockSums::default();
    for (index, transaction) in block.transactions.iter().enumerate() {
        let tx = &transaction.env;
        if sums.admit(block, tx).is_err() {
            continue;
        }
        match transact(&mut machine, index, tx) {
            Ok(result) => sums.add(tx, &result),
            Err(Failure::Invalid(_)) => {}
            Err(failure) => return Err(failure.at(index)),
        }
    }
    Ok(())
}

/// A store that counts what it is asked. Whoever runs a block one by one asks once per location.
struct Counting<'a, S: ?Sized> {
    store: &'a S,
    reads: AtomicU32,
}

impl<S: ?Sized> Counting<'_, S> {
    fn count(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }

    fn one(&self) -> &S {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store
    }
}

impl<S: StateStore + ?Sized> StateStore for Counting<'_, S> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        Some(self.one().account(address))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        Some(self.one().storage(address, slot))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        // Comes with the account.
        Some(self.store.has_storage(address))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        Some(self.one().block_hash(number))
    }
}

/// What one transaction read and wrote, the beneficiary's account aside.
#[derive(Clone, Debug, Default)]
struct Access {
    reads: Vec<Location>,
    writes: Vec<Location>,
}

impl Access {
    /// From what revm holds at the end of a transaction: every account and slot it loaded.
    fn of(state: &EvmState, beneficiary: Address) -> Self {
        let mut access = Self::default();
        for (address, account) in state {
            if *address != beneficiary {
                access.reads.push(Location::Account(*address));
                if is_written(account) {
                    access.writes.push(Location::Account(*address));
                }
            }
            for (key, slot) in &account.storage {
                access.reads.push(Location::Slot(*address, *key));
                if account.is_touched() && slot.is_changed() {
                    access.writes.push(Location::Slot(*address, *key));
                }
            }
        }
        access
    }
}

/// Whether the account differs from what it was before the transaction. Its slots need no thought
/// here: whoever reads one has read the account.
pub(super) fn is_written(account: &Account) -> bool {
    let removed = account.is_empty() && !account.is_loaded_as_not_existing();
    account.is_touched()
        && (account.info != account.original_info()
            || account.is_created()
            || account.is_selfdestructed()
            || removed)
}

/// Runs a transaction and looks at its final state before that is committed.
fn record<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    tx: &TxEnv,
) -> (Result<ExecutionResult, Failure>, Access) {
    let result = machine.run(tx);
    let mut changes = machine.evm.finalize();
    let access = match result {
        Ok(_) => Access::of(&changes, machine.evm.ctx.block.beneficiary),
        Err(_) => Access::default(),
    };
    (machine.commit(result, &mut changes), access)
}

#[cfg(test)]
mod tests {
    use revm::state::{EvmStorageSlot, TransactionId};

    use super::*;

    #[test]
    fn the_beneficiary_chains_nobody_but_through_its_slots() {
        let beneficiary = Address::repeat_byte(7);
        let touched = |balance: u64| {
            let mut account = Account::default();
            account.info.balance = U256::from(balance);
            account.mark_touch();
            account
        };
        let mut contract = touched(5);
        let slot = EvmStorageSlot::new_changed(U256::ZERO, U256::ONE, TransactionId::ZERO);
        contract.storage.insert(U256::from(3), slot);
        let other = Address::repeat_byte(8);
        let state = EvmState::from_iter([(beneficiary, contract), (other, touched(6))]);
        let access = Access::of(&state, beneficiary);
        let slot = Location::Slot(beneficiary, U256::from(3));
        for list in [&access.reads, &access.writes] {
            assert_eq!(list.len(), 2);
            assert!(list.contains(&Location::Account(other)) && list.contains(&slot));
        }
    }

    fn access(reads: &[u8], writes: &[u8]) -> Access {
        let location = |byte: &u8| Location::Account(Address::repeat_byte(*byte));
        Access {
            reads: reads.iter().map(location).collect(),
            writes: writes.iter().map(location).collect(),
        }
    }

    fn profile(transactions: &[(Access, u64)]) -> Profile {
        let transactions = transactions.iter();
        Profile::of(transactions.map(|(access, micros)| (access, Duration::from_micros(*micros))))
    }

    #[test]
    fn the_longest_chain_follows_reads_of_what_was_written() {
        let profile = profile(&[
            (access(&[1], &[1]), 10),
            (access(&[2], &[2]), 50),
            (access(&[1], &[3]), 20),
            (access(&[3, 9], &[4]), 30),
            (access(&[9], &[9]), 10),
        ]);
        assert_eq!(profile.work, Duration::from_micros(120));
        assert_eq!(profile.longest_chain, Duration::from_micros(60));
        assert_eq!(profile.limit(4), 2.0);
        assert_eq!(profile.limit(1), 1.0);
    }

    #[test]
    fn waits_overlap_between_transactions_and_not_within_one() {
        let mut profile = profile(&[(access(&[1], &[1]), 10), (access(&[2], &[2]), 30)]);
        let cost = |work, cold_reads| Cost { work: Duration::from_micros(work), cold_reads };
        profile.transactions = vec![cost(10, 3), cost(30, 1)];
        profile.other_reads = 2;
        assert_eq!(profile.cold_reads(), 6);
        // 40 µs and six reads, against 10 µs and three reads.
        let limit = |latency| profile.limit_at(2, Duration::from_micros(latency));
        assert!((limit(100) - 640.0 / 310.0).abs() < 1e-9, "{}", limit(100));
        assert!((limit(0) - 40.0 / 30.0).abs() < 1e-9, "{}", limit(0));
    }

    #[test]
    fn writers_that_nobody_reads_do_not_wait_for_each_other() {
        let profile = profile(&[(access(&[], &[1]), 10), (access(&[], &[1]), 10)]);
        assert_eq!(profile.longest_chain, Duration::from_micros(10));
    }

    #[test]
    fn an_empty_block_has_no_limit_above_one() {
        assert_eq!(profile(&[]).limit(8), 1.0);
    }
}
