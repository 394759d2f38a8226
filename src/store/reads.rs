//! The reads of one block: each location is asked of the store once, and not too many at a time.
//!
//! ```text
//!  ask ──► queued (by rank) ──start──► started ──land──► landed: waiters woken
//!             ▲    │ limit reached        │
//!             └────┘                      └─ frees a place: start again
//! ```
//!
//! | state of a key | in `flights` | in `queue` | counts for `started` |
//! |---|---|---|---|
//! | unknown | no | no | no |
//! | queued | yes | yes, at its lowest rank | no |
//! | started | yes | no | yes |
//! | kept | yes, landed | no | no |
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

use std::hash::Hash;

use smallvec::SmallVec;

use super::{Flight, places::Inner};
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

impl<K: Copy + Ord + Hash, V: Clone> Reads<K, V> {
    /// At most `limit` reads at a time, at least one.
    pub fn new(limit: usize) -> Self {
        Self { inner: Mutex::new(Inner::default()), limit: limit.max(1) }
    }

    /// Asks for a key, for a transaction of that rank, and leaves it to others to [`pump`](Self::pump).
    pub fn ask(&self, key: K, rank: u32) -> Arc<Flight<V>> {
        let mut inner = self.inner.lock();
        inner.ask(key, rank, || false).expect("nothing speaks against it").flight()
    }

    /// Asks for several keys, each with its rank, for one who will not wait, and will pump. Not for those of
    /// which `known` says that the answer lies elsewhere.
    pub fn ask_ahead(&self, keys: impl IntoIterator<Item = (K, u32)>, known: impl Fn(K) -> bool) {
        let mut inner = self.inner.lock();
        for (key, rank) in keys {
            let _ = inner.ask(key, rank, || known(key));
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
            let flight = inner.ask(key, rank, known)?.flight();
            (flight, inner.begin_pumping(self.limit, pump))
        };
        self.keep_pumping(batch, pump);
        Some(flight)
    }

    /// Whether the key is queued, started or kept.
    pub fn knows(&self, key: &K) -> bool {
        self.inner.lock().flights.contains_key(key)
    }

    /// The answer of a key that is kept.
    pub fn kept(&self, key: &K) -> Option<V> {
        let flight = self.inner.lock().flights.get(key)?.flight.clone();
        flight?.peek()
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

    /// [`land`](Self::land) of several and [`pump`](Self::pump) in one, at the price of one.
    pub fn land_and_pump(
        &self,
        answers: impl IntoIterator<Item = (K, V, bool)>,
        pump: &impl Pump<K>,
    ) {
        let mut landed = SmallVec::<[_; 8]>::new();
        let batch = {
            let mut inner = self.inner.lock();
            for (key, value, keep) in answers {
                landed.extend(inner.land(&key, keep).map(|flight| (flight, value)));
            }
            inner.begin_pumping(self.limit, pump)
        };
        landed.into_iter().for_each(|(flight, value)| flight.land(value));
        self.keep_pumping(batch, pump);
    }

    /// Answers what was started at `then` or before and is under way with what `late` says. Says
    /// whether there was any, and when the oldest of the others was started. Whoever calls this calls
    /// [`pump`](Self::pump) next. What the store answers all the same is dropped.
    pub fn expire(&self, then: Instant, late: impl Fn(K) -> V) -> (bool, Option<Instant>) {
        let (expired, oldest) = {
            let mut inner = self.inner.lock();
            let mut oldest = None;
            let mut expired = Vec::new();
            inner.flights.retain(|key, place| match place.since {
                Some(since) if since <= then => {
                    expired.push((*key, place.flight.clone()));
                    false
                }
                Some(since) => {
                    oldest = Some(oldest.map_or(since, |oldest| since.min(oldest)));
                    true
                }
                None => true,
            });
            inner.started -= expired.len();
            (expired, oldest)
        };
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
            inner.flights.values().filter_map(|place| place.flight.clone()).collect()
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
mod tests {
    use std::{cell::RefCell, task::Waker};

    use super::*;
    use crate::sync::time::Duration;

    /// A store that answers in its own time, or as `F` does.
    struct Store<F>(u32, F);

    impl<F: Fn(Vec<(u32, u32)>)> Pump<u32> for Store<F> {
        fn urgent(&self) -> u32 {
            self.0
        }

        fn start(&self, batch: Vec<(u32, u32)>) {
            self.1(batch);
        }
    }

    fn pump(reads: &Reads<u32, u32>, urgent: u32) -> Vec<(u32, u32)> {
        let started = RefCell::new(Vec::new());
        reads.pump(&Store(urgent, |batch| started.borrow_mut().extend(batch)));
        started.into_inner()
    }

    #[test]
    fn several_answers_land_at_once_and_let_others_start() {
        let reads = Reads::<u32, u32>::new(2);
        let started = RefCell::new(Vec::new());
        let store = Store(0, |batch| started.borrow_mut().extend(batch));
        let ask = |key| reads.ask_and_pump(key, key, || false, &store).unwrap();
        let flights = [1, 2, 3, 4].map(ask);
        assert_eq!(started.take(), [(1, 1), (2, 2)]);
        reads.land_and_pump([(1, 10, true), (2, 20, false), (2, 21, false)], &store);
        assert_eq!(started.take(), [(3, 3), (4, 4)]);
        assert_eq!(flights.map(|flight| flight.peek()), [Some(10), Some(20), None, None]);
        assert!(reads.ask_and_pump(5, 5, || true, &store).is_none() && !reads.knows(&5));
        assert_eq!((reads.kept(&1), reads.load()), (Some(10), 2));
    }

    #[test]
    fn what_is_asked_ahead_starts_at_once_as_far_as_there_is_room() {
        let reads = Reads::<u32, u32>::new(2);
        let started = RefCell::new(Vec::new());
        let store = Store(0, |batch| started.borrow_mut().push(batch));
        let ask = |keys: &[u32]| {
            let keys = keys.iter().map(|key| (*key, *key));
            reads.ask_ahead_and_pump(keys, |key| key == 8, &store);
            started.take()
        };
        assert_eq!(ask(&[8, 4, 5, 6]), [[(4, 4), (5, 5)]]);
        assert_eq!((reads.load(), reads.knows(&8)), (3, false));
        // Asked for already, and behind those that wait; one that cannot wait goes beyond the limit.
        assert!(ask(&[5, 6, 7]).is_empty());
        assert_eq!(ask(&[9, 0]), [[(0, 0)]]);
        reads.land_and_pump([4, 5, 0].map(|key| (key, key, false)), &store);
        assert_eq!(started.take(), [[(6, 6), (7, 7)]]);
        assert_eq!(reads.totals(), ReadTotals { started: 5, most_in_flight: 3 });
        reads.land_and_pump([6, 7].map(|key| (key, key, false)), &store);
        assert_eq!(started.take(), [[(9, 9)]]);
        // One that cannot wait is behind the limit in the same call.
        assert_eq!(ask(&[12, 13, 0]), vec![vec![(12, 12)], vec![(0, 0)]]);
        reads.close();
        assert!(ask(&[10]).is_empty(), "it has ended");
    }

    #[test]
    fn one_key_is_one_read_and_the_lowest_rank_goes_first() {
        let reads = Reads::new(1);
        let (first, _) = (reads.ask(7, 5), reads.ask(8, 4));
        let second = reads.ask(7, 3);
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(pump(&reads, 0), [(7, 3)]);
        assert_eq!(pump(&reads, 0), []);
        reads.land(7, 70, false);
        assert_eq!(first.poll(Waker::noop()), Some(70));
        assert_eq!(pump(&reads, 0), [(8, 4)]);
        assert_eq!(reads.totals(), ReadTotals { started: 2, most_in_flight: 1 });
    }

    #[test]
    fn the_frontier_passes_a_full_limit_once() {
        let reads = Reads::new(2);
        for key in 10..14 {
            reads.ask(key, key);
        }
        assert_eq!(pump(&reads, 0), [(10, 10), (11, 11)]);
        reads.ask(1, 0);
        reads.ask(2, 0);
        assert_eq!(pump(&reads, 0), [(1, 0)]);
        assert_eq!(pump(&reads, 0), []);
        reads.land(10, 0, false);
        reads.land(11, 0, false);
        assert_eq!(pump(&reads, 0), [(2, 0)]);
    }

    #[test]
    fn a_kept_answer_is_found_and_another_is_asked_again() {
        let reads = Reads::new(4);
        reads.ask(1, 0);
        reads.ask(2, 0);
        pump(&reads, 0);
        reads.land(1, 10, true);
        reads.land(2, 20, false);
        reads.land(2, 21, false);
        assert_eq!((reads.kept(&1), reads.kept(&2)), (Some(10), None));
        assert!(reads.ask(1, 9).peek().is_some());
        reads.ask(2, 0);
        assert_eq!(pump(&reads, 0), [(2, 0)]);
        assert!(reads.any());
    }

    #[test]
    fn a_store_that_answers_at_once_does_not_recurse() {
        let reads = Reads::<u32, u32>::new(1);
        for key in 0..10_000 {
            reads.ask(key, key);
        }
        fn go(reads: &Reads<u32, u32>, depth: usize) {
            assert!(depth < 3);
            reads.pump(&Store(0, |batch| {
                for (key, _) in batch {
                    reads.land(key, key, false);
                    go(reads, depth + 1);
                }
            }));
        }
        go(&reads, 0);
        assert!(!reads.any());
        assert_eq!(reads.totals().started, 10_000);
    }

    #[test]
    fn what_is_late_is_answered_for_and_frees_its_place() {
        let reads = Reads::<u32, u32>::new(2);
        let (old, new) = (reads.ask(1, 0), reads.ask(2, 1));
        let next = reads.ask(3, 2);
        let begin = Instant::now();
        pump(&reads, 0);
        assert!(!reads.expire(begin - Duration::from_millis(1), |_| 99).0);
        reads.land(2, 20, false);
        reads.ask(4, 1);
        let later = Instant::now();
        assert_eq!(pump(&reads, 0), [(4, 1)]);
        let (any, oldest) = reads.expire(later, |key| 100 + key);
        assert!(any && oldest.is_none_or(|oldest| oldest > later));
        assert_eq!((old.peek(), new.peek(), next.peek()), (Some(101), Some(20), None));
        assert_eq!(pump(&reads, 0)[0], (3, 2));
        reads.land(1, 10, false);
        assert_eq!(old.peek(), Some(101));
    }

    #[test]
    fn a_store_that_panics_leaves_the_reads_to_the_next_caller() {
        let reads = Reads::<u32, u32>::new(1);
        reads.ask(1, 0);
        let panics = || reads.pump(&Store(0, |_| panic!("a store's fault")));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        reads.land(1, 10, false);
        reads.ask(2, 0);
        assert_eq!(pump(&reads, 0), [(2, 0)]);
    }

    #[test]
    fn closing_wakes_those_who_wait_and_starts_nothing() {
        let reads = Reads::<u32, u32>::new(1);
        let flight = reads.ask(1, 0);
        reads.close();
        assert_eq!(flight.wait(|| false, || reads.is_closed()), None);
        assert_eq!(pump(&reads, 9), []);
    }
}
