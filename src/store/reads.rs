//! The reads of one block: each location is asked of the store once, and not too many at a time.
//!
//! ```text
//!  ask ──► queued (by rank) ──start──► started ──land──► landed: waiters woken
//!             ▲    │ limit reached        │
//!             └────┘                      └─ frees a place: start again
//! ```
//!
//! | state of a key | in `queue` | counts for `started` | in `flights` |
//! |---|---|---|---|
//! | unknown | no | no | no |
//! | queued | yes, at its lowest rank | no | if somebody waits |
//! | started | no | yes | if somebody waits |
//! | kept | no | no | yes, landed |
//!
//! What is asked for ahead while a place is free, nothing is queued and nobody is at starting reads is started at once,
//! and was never queued ([`ask_ahead_and_pump`](Reads::ask_ahead_and_pump), [`land_and_pump`](Reads::land_and_pump)).
//!
//! Invariants
//!
//! 1. *Coalescing*: while a key is queued or started, asking for it again joins the same flight. A
//!    key that landed and is not kept is unknown again; whoever keeps its answer elsewhere says
//!    so when asking ([`ask_and_pump`](Reads::ask_and_pump)).
//! 2. *Bounded*: at most `limit` reads are started, and one more, of a rank that cannot wait: the
//!    transaction at the commit cursor gets its read however many others are under way.
//! 3. *Nothing lies*: whoever queues a key, or frees a place, starts what can be started, or finds
//!    somebody at it who will look again ([`pump`](Reads::pump)). So when no call is under way and a
//!    key is queued, `limit` reads are started.
//! 4. *Answered once*: an answer frees one place, and of an answer and its being given up
//!    ([`expire`](Reads::expire)) one counts.
//! 5. What nobody waits for has no flight: a read that is only asked for ahead costs its place here, and
//!    whoever comes to wait for it makes the flight that its answer lands in.
//! 6. The store is called without the lock, by one thread at a time. A store may answer within that
//!    call; the recursion ends there, since the inner call finds the outer one at it.
//!
//! `loom-tests/store_reads.rs` explores this.

use smallvec::SmallVec;

use super::{Flight, Key, guarded::Inner, states::State};
use crate::sync::{Arc, Mutex, time::Instant, weakened};

/// What reads of one block are under way.
#[derive(Debug)]
pub struct Reads<K, V> {
    inner: Mutex<Inner<K, V>>,
    limit: usize,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadTotals {
    /// Reads that were started.
    pub started: u64,
    /// Most reads that were under way at a time.
    pub most_in_flight: usize,
}

impl<K: Key, V: Clone> Reads<K, V> {
    /// At most `limit` reads at a time, at least one.
    pub fn new(limit: usize) -> Self {
        Self { inner: Mutex::new(Inner::default()), limit: limit.max(1) }
    }

    /// Asks for a key, for a transaction of that rank, and leaves it to others to [`pump`](Self::pump).
    pub fn ask(&self, key: K, rank: u32) -> Arc<Flight<V>> {
        let mut inner = self.inner.lock();
        inner.ask(key, rank, || false);
        inner.flight(key)
    }

    /// Asks for several keys, each with its rank, for one who will not wait, and will pump. Not for those of
    /// which `known` says that the answer lies elsewhere.
    pub fn ask_ahead(&self, keys: impl IntoIterator<Item = (K, u32)>, known: impl Fn(K) -> bool) {
        let mut inner = self.inner.lock();
        for (key, rank) in keys {
            inner.ask(key, rank, || known(key));
        }
    }

    /// [`ask_ahead`](Self::ask_ahead) and [`pump`](Self::pump) in one, at the price of less: a key that finds
    /// a place free, and nobody before it, is not queued.
    pub fn ask_ahead_and_pump(
        &self,
        keys: impl IntoIterator<Item = (K, u32)>,
        known: impl Fn(K) -> bool,
        pump: &impl Pump<K>,
    ) {
        let batch = self.inner.lock().ask_and_begin_pumping(keys, known, self.limit, pump);
        self.keep_pumping(batch, pump);
    }

    /// Asks for a key and pumps, at the price of one, unless the key is unknown here and `known` says that
    /// its answer lies elsewhere. Whoever puts it there does so before it [lands](Self::land), so no read is
    /// made twice.
    pub fn ask_and_pump(
        &self,
        key: K,
        rank: u32,
        known: impl FnOnce() -> bool,
        pump: &impl Pump<K>,
    ) -> Option<Arc<Flight<V>>> {
        let mut known = Some(known);
        if weakened("reads.known-locked") && known.take().is_some_and(|known| known()) {
            return None;
        }
        let (flight, batch) = {
            let mut inner = self.inner.lock();
            let known = || known.is_some_and(|known| known());
            if !inner.ask(key, rank, known) {
                return None;
            }
            (inner.flight(key), inner.begin_pumping(self.limit, pump))
        };
        self.keep_pumping(batch, pump);
        Some(flight)
    }

    /// Whether the key is queued, started or kept.
    pub fn knows(&self, key: &K) -> bool {
        self.inner.lock().states.get(key) != State::Unknown
    }

    /// The answer of a key that is kept.
    pub fn kept(&self, key: &K) -> Option<V> {
        let flight = self.inner.lock().flights.get(key)?.clone();
        flight.peek()
    }

    /// Starts what can be started, lowest rank first. A read of rank [`urgent`](Pump::urgent) or lower
    /// is started even beyond the limit, one at a time.
    pub fn pump(&self, pump: &impl Pump<K>) {
        let batch = self.inner.lock().begin_pumping(self.limit, pump);
        self.keep_pumping(batch, pump);
    }

    /// Goes on until nobody counts on another look.
    fn keep_pumping(&self, mut batch: Vec<(K, u32)>, pump: &impl Pump<K>) {
        if batch.is_empty() {
            return;
        }
        let pumping = Pumping(self);
        while !batch.is_empty() {
            pump.start(batch);
            batch = self.inner.lock().look_again(self.limit, pump);
        }
        std::mem::forget(pumping);
    }

    /// The answer is there. `keep`: whoever asks later finds it.
    pub fn land(&self, key: K, value: V, keep: bool) {
        let flight = self.inner.lock().land(&key, keep);
        if let Some(flight) = flight {
            flight.land(value);
        }
    }

    /// [`land`](Self::land) of several, and then [`ask_ahead_and_pump`](Self::ask_ahead_and_pump), at the price of one. What has
    /// just landed is unknown by then, if it is not kept and `known` does not say otherwise.
    pub fn land_and_pump(
        &self,
        answers: impl IntoIterator<Item = (K, V, bool)>,
        keys: impl IntoIterator<Item = (K, u32)>,
        known: impl Fn(K) -> bool,
        pump: &impl Pump<K>,
    ) {
        let mut landed = SmallVec::<[_; 8]>::new();
        let batch = {
            let mut inner = self.inner.lock();
            for (key, value, keep) in answers {
                landed.extend(inner.land(&key, keep).map(|flight| (flight, value)));
            }
            inner.ask_and_begin_pumping(keys, known, self.limit, pump)
        };
        landed.into_iter().for_each(|(flight, value)| flight.land(value));
        self.keep_pumping(batch, pump);
    }

    /// Answers what was started at `then` or before and is under way with what `late` says. Says
    /// whether there was any, and when the oldest of the others was started. Whoever calls this calls
    /// [`pump`](Self::pump) next. What the store answers all the same is dropped.
    pub fn expire(&self, then: Instant, late: impl Fn(K) -> V) -> (bool, Option<Instant>) {
        let (expired, oldest) = self.inner.lock().expire(then);
        let any = !expired.is_empty();
        for (key, flight) in expired {
            if let Some(flight) = flight {
                flight.land(late(key));
            }
        }
        (any, oldest)
    }

    /// Whether any read is queued or under way.
    pub fn any(&self) -> bool {
        let inner = self.inner.lock();
        inner.started > 0 || inner.queued > 0
    }

    /// How many reads are under way and queued.
    pub fn load(&self) -> usize {
        let inner = self.inner.lock();
        inner.started + inner.queued
    }

    /// How much was read so far.
    pub fn totals(&self) -> ReadTotals {
        let inner = self.inner.lock();
        ReadTotals { started: inner.total, most_in_flight: inner.most }
    }

    /// The block has ended: starts nothing more, and wakes whoever waits, without an answer.
    pub fn close(&self) {
        let flights: Vec<_> = {
            let mut inner = self.inner.lock();
            inner.closed = !weakened("reads.close-first");
            inner.queue.clear();
            inner.queued = 0;
            inner.flights.values().cloned().collect()
        };
        flights.iter().for_each(|flight| flight.stir());
        if weakened("reads.close-first") {
            self.inner.lock().closed = true;
        }
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.inner.lock().closed
    }
}

/// How reads are started.
pub trait Pump<K> {
    /// The rank that cannot wait.
    fn urgent(&self) -> u32;

    /// What is noted of reads that start now, for [`Reads::expire`].
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Hands reads to the store, each with its rank.
    fn start(&self, batch: Vec<(K, u32)>);
}

/// Whoever is starting reads. Others count on it, so that it stops is noted even if the store panics.
struct Pumping<'a, K, V>(&'a Reads<K, V>);

impl<K, V> Drop for Pumping<'_, K, V> {
    fn drop(&mut self) {
        self.0.inner.lock().pumping = false;
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests;
