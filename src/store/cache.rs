//! A store that keeps what it has read, in bounded memory.
//!
//! ```text
//!   try_… ──► kept? ─ or ─► at hand in the inner store?
//!   fetch ──► kept? ─ or ─► on its way? join it ─ or ─► fetch from the inner store
//!               ▲                                            │
//!               └────────── every answer, no error ──────────┘
//! ```
//!
//! That an account does not exist and that a slot is zero are answers and are kept. Errors are not: the
//! next reader tries again. What a look finds at hand in the inner store is left there.
//!
//! Invariants
//!
//! 1. *One read*: of one location and generation at most one read of the inner store is on its way. A
//!    reader looks at what is kept and at what is on its way under the lock of the location's shard,
//!    and an answer is kept and its flight taken away in one step under the same lock.
//! 2. *No stale answer is kept*: [`apply`](CachedStore::apply) begins a generation. An answer is kept only
//!    in the generation that asked for it. `apply` takes each shard's lock after that, so an answer
//!    of the old generation is kept before `apply` corrects it, or never.
//! 3. No lock is held while a read is answered or the inner store is called.
//!
//! A reader that joins a read does not make it more urgent: the inner store has it with the rank of the
//! first reader.

use std::{collections::HashMap, hash::BuildHasher};

use alloy_primitives::{Address, B256, U256};
use crossbeam_utils::CachePadded;
use revm::state::AccountInfo;

use super::{Answer, Query, Read, ReadResult, Reply, StateStore, StoreError, kept::Kept};
use crate::{
    evm::StateDiff,
    sync::{
        Arc, Mutex, RandomState,
        atomic::{AtomicU64, Ordering},
        time::Duration,
    },
};

/// Locks of what is on its way. More than threads, so that they seldom meet.
const SHARDS: usize = 64;

/// What a [`CachedStore`] did since it was made, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads answered from what was kept.
    pub hits: u64,
    /// Reads, also of [`prefetch`](StateStore::prefetch), that went to the inner store.
    pub misses: u64,
    /// Reads that joined one on its way.
    pub joined: u64,
    /// Locations that are kept.
    pub entries: usize,
    /// Bytes that they take, about.
    pub bytes: u64,
    /// Bytes that they may take.
    pub capacity: u64,
}

/// A read-through cache around a store.
pub struct CachedStore {
    inner: Arc<dyn StateStore>,
    shared: Arc<Shared>,
}

/// What an answer needs that may arrive when the store is gone.
struct Shared {
    kept: Kept,
    shards: Box<[CachePadded<Shard>]>,
    choose: RandomState,
    generation: AtomicU64,
}

#[derive(Default)]
struct Shard {
    /// What is on its way, by location and generation, and who waits.
    flights: Mutex<HashMap<(Query, u64), Vec<Read>, RandomState>>,
    hits: AtomicU64,
    misses: AtomicU64,
    joined: AtomicU64,
}

impl std::fmt::Debug for CachedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedStore").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl CachedStore {
    /// Keeps answers of `inner` in about `bytes` of memory.
    pub fn new(inner: Arc<dyn StateStore>, bytes: u64) -> Self {
        let shared = Shared {
            kept: Kept::new(bytes),
            shards: (0..SHARDS).map(|_| CachePadded::default()).collect(),
            choose: RandomState::default(),
            generation: AtomicU64::new(0),
        };
        Self { inner, shared: Arc::new(shared) }
    }

    /// What it did and what it holds.
    pub fn stats(&self) -> CacheStats {
        let sum = |count: fn(&Shard) -> &AtomicU64| {
            self.shared.shards.iter().map(|shard| count(shard).load(Ordering::Relaxed)).sum()
        };
        CacheStats {
            hits: sum(|shard| &shard.hits),
            misses: sum(|shard| &shard.misses),
            joined: sum(|shard| &shard.joined),
            entries: self.shared.kept.len(),
            bytes: self.shared.kept.bytes(),
            capacity: self.shared.kept.capacity(),
        }
    }

    /// Moves on to the state after a block with these changes, when the inner store has done so. What is
    /// kept is corrected rather than forgotten, and what the block wrote is kept. For the time
    /// between two blocks; reads ahead (`prefetch`) may go on meanwhile.
    pub fn apply(&self, diff: &StateDiff) {
        self.shared.begin_generation();
        self.shared.kept.apply(diff);
    }

    /// Forgets everything. What is on its way is not joined any more, so this also gets past reads that the
    /// inner store never answers.
    pub fn clear(&self) {
        self.shared.begin_generation();
        self.shared.kept.clear();
    }

    /// What is kept.
    fn kept(&self, query: Query) -> Option<Answer> {
        let answer = self.shared.kept.get(query)?;
        self.shared.shard(query).hits.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }
}

/// What became of a read.
enum Found {
    Kept(Read, Answer),
    Joined,
    /// To be fetched from the inner store.
    Missing(Read),
}

impl Shared {
    fn shard(&self, query: Query) -> &Shard {
        &self.shards[self.choose.hash_one(query) as usize % SHARDS]
    }

    /// What is asked from now on is of another generation.
    fn begin_generation(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        // Whoever takes one of these locks later sees the new generation.
        for shard in &self.shards {
            drop(shard.flights.lock());
        }
    }

    fn find(self: &Arc<Self>, read: Read) -> Found {
        let (query, rank) = (read.query(), read.rank());
        let shard = self.shard(query);
        let mut flights = shard.flights.lock();
        let generation = self.generation.load(Ordering::Relaxed);
        if let Some(waiting) = flights.get_mut(&(query, generation)) {
            waiting.push(read);
            shard.joined.fetch_add(1, Ordering::Relaxed);
            return Found::Joined;
        }
        if let Some(answer) = self.kept.get(query) {
            shard.hits.fetch_add(1, Ordering::Relaxed);
            return Found::Kept(read, answer);
        }
        flights.insert((query, generation), vec![read]);
        shard.misses.fetch_add(1, Ordering::Relaxed);
        Found::Missing(self.below(query, rank, generation))
    }

    /// Announces a read that nobody waits for, unless it is known or on its way.
    fn announce(self: &Arc<Self>, query: Query) -> Option<Read> {
        let shard = self.shard(query);
        let mut flights = shard.flights.lock();
        let generation = self.generation.load(Ordering::Relaxed);
        if flights.contains_key(&(query, generation)) || self.kept.get(query).is_some() {
            return None;
        }
        flights.insert((query, generation), Vec::new());
        shard.misses.fetch_add(1, Ordering::Relaxed);
        Some(self.below(query, Read::LAST, generation))
    }

    fn below(self: &Arc<Self>, query: Query, rank: u32, generation: u64) -> Read {
        Read::new(query, rank, Box::new(Arrival { shared: self.clone(), generation }))
    }
}

/// Keeps what arrives, and passes it to whoever waits. It is wanted even if nobody does.
struct Arrival {
    shared: Arc<Shared>,
    generation: u64,
}

impl Reply for Arrival {
    fn answer(self: Box<Self>, query: Query, result: ReadResult) {
        let waiting = {
            let mut flights = self.shared.shard(query).flights.lock();
            if let Ok(answer) = &result
                && self.generation == self.shared.generation.load(Ordering::Relaxed)
            {
                self.shared.kept.insert(query, answer);
            }
            flights.remove(&(query, self.generation))
        };
        for read in waiting.into_iter().flatten() {
            read.answer(result.clone());
        }
    }
}

impl StateStore for CachedStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        let query = Query::Account(address);
        match self.kept(query) {
            Some(answer) => Some(answer.into_account(query)),
            None => self.inner.try_account(address),
        }
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        let query = Query::Slot(address, slot);
        match self.kept(query) {
            Some(answer) => Some(answer.into_slot(query)),
            None => self.inner.try_storage(address, slot),
        }
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        let query = Query::HasStorage(address);
        match self.kept(query) {
            Some(answer) => Some(answer.into_has_storage(query)),
            None => self.inner.try_has_storage(address),
        }
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        let query = Query::BlockHash(number);
        match self.kept(query) {
            Some(answer) => Some(answer.into_block_hash(query)),
            None => self.inner.try_block_hash(number),
        }
    }

    fn fetch(&self, reads: Vec<Read>) {
        let (mut kept, mut missing) = (Vec::new(), Vec::new());
        for read in reads {
            match self.shared.find(read) {
                Found::Kept(read, answer) => kept.push((read, answer)),
                Found::Joined => {}
                Found::Missing(read) => missing.push(read),
            }
        }
        // Started before anybody is answered, who may take his time.
        if !missing.is_empty() {
            self.inner.fetch(missing);
        }
        for (read, answer) in kept {
            read.answer(Ok(answer));
        }
    }

    fn latency(&self) -> Option<Duration> {
        self.inner.latency()
    }

    fn drive(&self) -> bool {
        self.inner.drive()
    }

    fn prefetch(&self, queries: &[Query]) {
        let cold = queries.iter().copied().filter(|query| self.inner.try_get(*query).is_none());
        let reads: Vec<_> = cold.filter_map(|query| self.shared.announce(query)).collect();
        if !reads.is_empty() {
            self.inner.fetch(reads);
        }
    }
}
