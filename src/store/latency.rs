//! A store that is slow on purpose, and precisely so.
//!
//! It stands in for a disk or a network of known latency, to measure how well an engine hides it. A
//! location is *cold* until it has been read once; a cold read takes as long as [`Latency`] says, a
//! later one nothing, as with a node that has a cache. [`forget`](LatencyStore::forget) makes all cold
//! again.
//!
//! | a location is | at hand | left by |
//! |---|---|---|
//! | cold | no | being asked for: it is due one latency later |
//! | due at an instant | from that instant on | `forget` |
//!
//! There is no timer: tokio's has a granularity of 1 ms, and a sleeping thread wakes 50 µs late. Whoever
//! waits looks at the clock. Reads that were fetched lie in order of the instant at which they are
//! due, and [`drive`](StateStore::drive) answers them; the blocking methods spin.
//! So parallel and sequential execution wait on the same clock, and what was achieved is counted the
//! same way for both.
//!
//! Invariants
//!
//! 1. No read is answered before it is due, and none is forgotten: a fetched read is in the heap, or in
//!    the hands of one `drive` call that answers it.
//! 2. No lock is held while a read is answered or the inner store is called.
//! 3. How long a location takes depends on the seed and the location, not on when or by whom it is
//!    read: every execution of a block waits for the same latencies.

use std::{cmp::Reverse, collections::BinaryHeap, num::NonZeroUsize};

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{
    Latency, Query, Read, ReadResult, Reply, StateStore, StoreError,
    achieved::{Achieved, Stopwatch},
    arrivals::Arrivals,
    due::Due,
};
use crate::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
    hint, thread,
    time::{Duration, Instant},
};

/// A store whose cold reads take a known time.
pub struct LatencyStore {
    inner: Arc<dyn StateStore>,
    latency: Latency,
    arrivals: Arrivals,
    /// Fetched reads, each with the instant at which it was fetched if that made it cold.
    due: Due<(Read, Option<Instant>)>,
    /// When each of the places of a bounded device is free again.
    places: Option<Mutex<BinaryHeap<Reverse<Instant>>>>,
    /// Reads that the inner store has to fetch.
    passed: Arc<AtomicUsize>,
    cold: AtomicU64,
    stopwatch: Stopwatch,
}

impl std::fmt::Debug for LatencyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LatencyStore")
            .field("latency", &self.latency)
            .field("cold_reads", &self.cold_reads())
            .finish_non_exhaustive()
    }
}

impl LatencyStore {
    /// A store with the content of `inner` whose cold reads take `latency`, any number of them at once.
    pub fn new(inner: Arc<dyn StateStore>, latency: Latency) -> Self {
        Self {
            inner,
            latency,
            arrivals: Arrivals::new(0),
            due: Due::default(),
            places: None,
            passed: Arc::default(),
            cold: AtomicU64::new(0),
            stopwatch: Stopwatch::default(),
        }
    }

    /// Draws other latencies from the distribution.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.arrivals = Arrivals::new(seed);
        self
    }

    /// Serves at most this many reads at a time, in the order in which they are asked for, as a device
    /// with a queue does. The others wait for a place first, which adds to their latency.
    #[must_use]
    pub fn with_max_parallel(mut self, places: NonZeroUsize) -> Self {
        let free = Reverse(Instant::now());
        self.places = Some(Mutex::new((0..places.get()).map(|_| free).collect()));
        self
    }

    /// Makes every location cold and begins to count anew. For the time between two blocks: what is
    /// still under way is answered, and is cold nevertheless.
    pub fn forget(&self) {
        self.arrivals.forget();
        self.cold.store(0, Ordering::Relaxed);
        self.stopwatch.reset();
    }

    /// How many cold reads there were since [`forget`](Self::forget).
    pub fn cold_reads(&self) -> u64 {
        self.cold.load(Ordering::Relaxed)
    }

    /// How long reads took that somebody waited for, from asking to answering. Reads that were
    /// merely announced ([`prefetch`](StateStore::prefetch)) are not among them.
    pub fn achieved(&self) -> Achieved {
        self.stopwatch.achieved()
    }

    /// How many fetched reads are not answered yet.
    pub fn outstanding(&self) -> usize {
        self.due.len()
    }

    /// Whether the location has arrived.
    fn is_warm(&self, query: &Query) -> bool {
        self.latency.is_zero() || self.arrivals.has_arrived(query)
    }

    /// For each location, by its hash, when it arrives, asked for at `now` if not before; and whether it was not.
    fn arrivals(&self, locations: &[u64], now: Instant) -> Vec<(Instant, bool)> {
        let mut arrivals = self.arrivals.lock();
        if locations.len() > 1 {
            arrivals.get_ready(locations);
        }
        let arrival = |location: &u64| {
            let at = |hash| self.served(self.latency.sample(|| hash), now);
            arrivals.find_or_insert(*location, at)
        };
        let found: Vec<_> = locations.iter().map(arrival).collect();
        drop(arrivals);
        let cold = found.iter().filter(|(_, fresh)| *fresh).count();
        // Relaxed: statistics.
        self.cold.fetch_add(cold as u64, Ordering::Relaxed);
        found
    }

    /// When the device has served a read that it works on for `latency`.
    fn served(&self, latency: Duration, now: Instant) -> Instant {
        let Some(places) = &self.places else {
            return later(now, latency);
        };
        let mut places = places.lock();
        let free = places.pop().map_or(now, |free| free.0.max(now));
        let end = later(free, latency);
        places.push(Reverse(end));
        end
    }

    /// Spins until the location is there. The caller asks the inner store afterwards.
    fn wait(&self, query: Query) {
        if self.is_warm(&query) {
            return;
        }
        let since = Instant::now();
        let mut now = since;
        for (due, cold) in self.arrivals(&[self.arrivals.hash(&query)], since) {
            while now < due {
                hint::spin_loop();
                now = Instant::now();
            }
            if cold {
                self.stopwatch.record(now - since);
            }
        }
        self.arrivals.arrived(&query);
    }

    /// Answers from the inner store, or passes on what that has to fetch.
    fn answer(&self, due: Vec<(Read, Option<Instant>)>) {
        let now = Instant::now();
        let mut took = Vec::with_capacity(due.len());
        let mut unread = Vec::new();
        let queries: Vec<_> = due.iter().map(|(read, _)| read.query()).collect();
        let results = self.inner.try_get_several(&queries);
        for ((read, since), result) in due.into_iter().zip(results) {
            match result {
                Some(result) => {
                    took.extend(since.map(|since| now.saturating_duration_since(since)));
                    read.answer(result);
                }
                None => {
                    self.passed.fetch_add(1, Ordering::Relaxed);
                    let (query, rank) = (read.query(), read.rank());
                    let passed = Passed { read, outstanding: self.passed.clone() };
                    unread.push(Read::new(query, rank, Box::new(passed)));
                }
            }
        }
        self.stopwatch.record_all(took);
        if !unread.is_empty() {
            self.inner.fetch(unread);
        }
    }
}

/// A read that the inner store fetches.
struct Passed {
    read: Read,
    outstanding: Arc<AtomicUsize>,
}

impl Reply for Passed {
    fn answer(self: Box<Self>, _: Query, result: ReadResult) {
        self.read.answer(result);
        // Release: what the answer led to has been fetched.
        self.outstanding.fetch_sub(1, Ordering::Release);
    }

    fn is_wanted(&self) -> bool {
        self.read.is_wanted()
    }
}

fn later(now: Instant, latency: Duration) -> Instant {
    // Beyond what the clock can say: a year is as long as anybody waits.
    now.checked_add(latency).unwrap_or_else(|| now + Duration::from_secs(365 * 86_400))
}

impl StateStore for LatencyStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.is_warm(&Query::Account(address)).then(|| self.inner.try_account(address))?
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.is_warm(&Query::Slot(address, slot)).then(|| self.inner.try_storage(address, slot))?
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.is_warm(&Query::HasStorage(address)).then(|| self.inner.try_has_storage(address))?
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.is_warm(&Query::BlockHash(number)).then(|| self.inner.try_block_hash(number))?
    }

    fn fetch(&self, reads: Vec<Read>) {
        if self.latency.is_zero() {
            return self.inner.fetch(reads);
        }
        let since = Instant::now();
        // All of them first: one hash need not wait for another, nor for the table.
        let locations: Vec<_> =
            reads.iter().map(|read| self.arrivals.hash(read.query_ref())).collect();
        let arrivals = self.arrivals(&locations, since);
        let due = reads.into_iter().zip(arrivals);
        self.due
            .put(due.map(|(read, (at, cold))| (at, read.rank(), (read, cold.then_some(since)))));
    }

    fn latency(&self) -> Option<Duration> {
        let own = (!self.latency.is_zero()).then(|| self.latency.mean());
        match (own, self.inner.latency()) {
            (Some(own), Some(inner)) => Some(own.saturating_add(inner)),
            (own, inner) => own.or(inner),
        }
    }

    fn drive(&self) -> bool {
        let due = self.due.take();
        if !due.is_empty() {
            self.answer(due);
        }
        let inner = self.inner.drive();
        // Acquire, and before the look at the heap: an answer of the inner store, from whatever
        // thread, may have fetched more, for which nobody else would come.
        let passed = self.passed.load(Ordering::Acquire) > 0;
        let due = !self.due.is_empty();
        if passed && !due && !inner {
            // The thread that answers may need this core.
            thread::yield_now();
        }
        inner | passed | due
    }

    fn prefetch(&self, queries: &[Query]) {
        let locations: Vec<_> = queries.iter().map(|query| self.arrivals.hash(query)).collect();
        self.arrivals(&locations, Instant::now());
        self.inner.prefetch(queries);
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.wait(Query::Account(address));
        self.inner.account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        self.wait(Query::Slot(address, slot));
        self.inner.storage(address, slot)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        self.wait(Query::HasStorage(address));
        self.inner.has_storage(address)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        self.wait(Query::BlockHash(number));
        self.inner.block_hash(number)
    }
}
