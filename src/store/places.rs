//! What the lock of [`Reads`](super::Reads) guards: the keys that are queued, started or kept, each in its place.
//!
//! The table of states and the invariants stand with `Reads`.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
};

use super::{Flight, Pump, asked::Asked};
use crate::sync::{Arc, RandomState, time::Instant, weakened};

#[derive(Debug)]
pub(super) struct Inner<K, V> {
    pub(super) flights: HashMap<K, Place<V>, RandomState>,
    pub(super) queue: Asked<K>,
    /// How many keys are queued.
    pub(super) queued: usize,
    pub(super) sequence: u64,
    pub(super) started: usize,
    pub(super) most: usize,
    pub(super) total: u64,
    /// Somebody is starting reads.
    pub(super) pumping: bool,
    /// There is something new for whoever is pumping.
    pub(super) again: bool,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Place<V> {
    /// `None`: nobody waits.
    pub(super) flight: Option<Arc<Flight<V>>>,
    /// Rank and number under which it stands in the queue. Under any other it is passed over.
    pub(super) queued: Option<(u32, u64)>,
    pub(super) since: Option<Instant>,
}

impl<K: Ord, V> Default for Inner<K, V> {
    fn default() -> Self {
        Self {
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
        }
    }
}

impl<V: Clone> Place<V> {
    /// For one who waits.
    pub(super) fn flight(&mut self) -> Arc<Flight<V>> {
        if weakened("reads.one-flight") {
            self.flight = None;
        }
        self.flight.get_or_insert_default().clone()
    }
}

impl<K: Copy + Ord + Hash, V: Clone> Inner<K, V> {
    pub(super) fn ask(
        &mut self,
        key: K,
        rank: u32,
        known: impl FnOnce() -> bool,
    ) -> Option<&mut Place<V>> {
        self.ask_starting(key, rank, known, None)
    }

    /// The same. With `start`, what is to be started and the time, a read that is new is put there and not queued.
    fn ask_starting(
        &mut self,
        key: K,
        rank: u32,
        known: impl FnOnce() -> bool,
        start: Option<(&mut Vec<(K, u32)>, Instant)>,
    ) -> Option<&mut Place<V>> {
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
        if let Some((batch, now)) = start {
            self.started += 1;
            self.total += 1;
            batch.push((key, rank));
            let place = Place { flight: None, queued: None, since: Some(now) };
            return Some(entry.insert_entry(place).into_mut());
        }
        let sequence = self.sequence;
        self.sequence += 1;
        self.queue.push((rank, sequence, key));
        self.queued += 1;
        let queued = Some((rank, sequence));
        Some(entry.insert_entry(Place { flight: None, queued, since: None }).into_mut())
    }

    /// Asks for keys that nobody waits for. What the caller is to start of them, and of what was queued, as
    /// [`begin_pumping`](Self::begin_pumping) says it. Those that find a place free and nobody before them are
    /// never queued.
    pub(super) fn ask_and_begin_pumping(
        &mut self,
        keys: impl IntoIterator<Item = (K, u32)>,
        known: impl Fn(K) -> bool,
        limit: usize,
        pump: &impl Pump<K>,
    ) -> Vec<(K, u32)> {
        let (mut batch, now) = (Vec::new(), pump.now());
        let may_start = !self.pumping && !self.closed;
        for (key, rank) in keys {
            let free = self.started < limit || weakened("reads.at-once-within-limit");
            let at_once = may_start && self.queued == 0 && free;
            let start = at_once.then_some((&mut batch, now));
            let _ = self.ask_starting(key, rank, || known(key), start);
        }
        self.most = self.most.max(self.started);
        if batch.is_empty() {
            return self.begin_pumping(limit, pump);
        }
        self.pumping = true;
        // What is queued behind them waits for a place, or is urgent.
        self.again = self.queued > 0;
        batch
    }

    /// Takes note of an answer; whoever called puts it into the flight, without the lock.
    pub(super) fn land(&mut self, key: &K, keep: bool) -> Option<Arc<Flight<V>>> {
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
    pub(super) fn begin_pumping(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
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
    pub(super) fn look_again(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
        let again = std::mem::take(&mut self.again);
        let batch = if again { self.take_startable(limit, pump) } else { Vec::new() };
        self.pumping = !batch.is_empty();
        batch
    }

    pub(super) fn take_startable(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
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
