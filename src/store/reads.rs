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
//!    key that landed and is not kept is unknown again; whoever keeps its answer elsewhere asks with
//!    [`ask_unless`](Reads::ask_unless).
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

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use smallvec::SmallVec;

use super::{Flight, asked::Asked};
use crate::sync::{Arc, Mutex, RandomState, time::Instant, weakened};

/// What reads of one block are under way.
#[derive(Debug)]
pub struct Reads<K, V> {
    inner: Mutex<Inner<K, V>>,
    limit: usize,
}

#[derive(Debug)]
struct Inner<K, V> {
    flights: HashMap<K, Place<V>, RandomState>,
    queue: Asked<K>,
    /// How many keys are queued.
    queued: usize,
    sequence: u64,
    started: usize,
    most: usize,
    total: u64,
    /// Somebody is starting reads.
    pumping: bool,
    /// There is something new for whoever is pumping.
    again: bool,
    closed: bool,
}

#[derive(Debug)]
struct Place<V> {
    /// `None`: nobody waits.
    flight: Option<Arc<Flight<V>>>,
    /// Rank and number under which it stands in the queue. Under any other it is passed over.
    queued: Option<(u32, u64)>,
    since: Option<Instant>,
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
        Self {
            inner: Mutex::new(Inner {
                flights: HashMap::default(),
                queue: Asked::default(),
                queued: 0,
                sequence: 0,
                started: 0,
                most: 0,
                total: 0,
                pumping: false,
                again: false,
                closed: false,
            }),
            limit: limit.max(1),
        }
    }

    /// Asks for a key, for a transaction of that rank. Whoever asks calls [`pump`](Self::pump) next.
    pub fn ask(&self, key: K, rank: u32) -> Arc<Flight<V>> {
        self.ask_unless(key, rank, || false).expect("nothing speaks against it")
    }

    /// The same, unless the key is unknown here and `known` says that its answer lies elsewhere.
    /// Whoever puts it there does so before it [lands](Self::land), so no read is made twice.
    pub fn ask_unless(
        &self,
        key: K,
        rank: u32,
        known: impl FnOnce() -> bool,
    ) -> Option<Arc<Flight<V>>> {
        let mut known = Some(known);
        if weakened("reads.known-locked") && known.take().is_some_and(|known| known()) {
            return None;
        }
        let mut inner = self.inner.lock();
        inner.ask(key, rank, || known.is_some_and(|known| known())).map(Place::flight)
    }

    /// The same of several keys, each with its rank, for one who will not wait.
    pub fn ask_ahead(&self, keys: impl IntoIterator<Item = (K, u32)>, known: impl Fn(K) -> bool) {
        let mut inner = self.inner.lock();
        for (key, rank) in keys {
            let _ = inner.ask(key, rank, || known(key));
        }
    }

    /// [`ask_unless`](Self::ask_unless) and [`pump`](Self::pump) in one, at the price of one.
    pub fn ask_and_pump(
        &self,
        key: K,
        rank: u32,
        known: impl FnOnce() -> bool,
        pump: &impl Pump<K>,
    ) -> Option<Arc<Flight<V>>> {
        let (flight, batch) = {
            let mut inner = self.inner.lock();
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

impl<V: Clone> Place<V> {
    /// For one who waits.
    fn flight(&mut self) -> Arc<Flight<V>> {
        if weakened("reads.one-flight") {
            self.flight = None;
        }
        self.flight.get_or_insert_default().clone()
    }
}

impl<K: Copy + Ord + Hash, V: Clone> Inner<K, V> {
    fn ask(&mut self, key: K, rank: u32, known: impl FnOnce() -> bool) -> Option<&mut Place<V>> {
        let entry = match self.flights.entry(key) {
            Entry::Occupied(place) if !weakened("reads.coalesce") => {
                let place = place.into_mut();
                if let Some((old, sequence)) = place.queued
                    && rank < old
                {
                    self.queue.push((rank, sequence, key));
                    place.queued = Some((rank, sequence));
                }
                return Some(place);
            }
            entry => entry,
        };
        if known() {
            return None;
        }
        let sequence = self.sequence;
        self.sequence += 1;
        self.queue.push((rank, sequence, key));
        self.queued += 1;
        let queued = Some((rank, sequence));
        Some(entry.insert_entry(Place { flight: None, queued, since: None }).into_mut())
    }

    /// Takes note of an answer; whoever called puts it into the flight, without the lock.
    fn land(&mut self, key: &K, keep: bool) -> Option<Arc<Flight<V>>> {
        let Entry::Occupied(mut place) = self.flights.entry(*key) else { return None };
        if place.get_mut().since.take().is_none() && !weakened("reads.land-once") {
            // Not started, or answered before.
            return None;
        }
        let flight = if keep { Some(place.get_mut().flight()) } else { place.remove().flight };
        if !weakened("reads.place-freed") {
            self.started -= 1;
        }
        flight
    }

    /// What the caller is to start, unless somebody is at it, who will look again.
    fn begin_pumping(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
        if self.pumping {
            self.again = !weakened("reads.again");
            return Vec::new();
        }
        let batch = self.take_startable(limit, pump);
        self.pumping = !batch.is_empty();
        self.again = false;
        batch
    }

    /// What else the caller is to start, who has been at it; if nothing, it stops in the same step.
    fn look_again(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
        let again = std::mem::take(&mut self.again);
        let batch = if again { self.take_startable(limit, pump) } else { Vec::new() };
        self.pumping = !batch.is_empty();
        batch
    }

    fn take_startable(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
        let mut batch = Vec::new();
        if self.queued == 0 || self.closed {
            return batch;
        }
        let (urgent, now) = (pump.urgent(), pump.now());
        while let Some((rank, sequence, key)) = self.queue.first() {
            let place = self.flights.get_mut(&key);
            let Some(place) = place.filter(|place| place.queued == Some((rank, sequence))) else {
                // It stands there under a lower rank, too, and has been taken from there.
                self.queue.pop();
                continue;
            };
            let free = self.started == limit || weakened("reads.one-more");
            let reserved = rank <= urgent && free && !weakened("reads.reserve");
            if !(self.started < limit || reserved) {
                break;
            }
            self.queue.pop();
            self.queued -= 1;
            self.started += 1;
            self.total += 1;
            place.queued = None;
            place.since = Some(now);
            if batch.is_empty() {
                batch.reserve(self.queued.min(limit) + 1);
            }
            batch.push((key, rank));
        }
        self.most = self.most.max(self.started);
        batch
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
