//! What the lock of [`Reads`](super::Reads) guards: how far the read of each key has come, those that are queued, and
//! what whoever waits for one waits for.
//!
//! The table of states and the invariants stand with `Reads`.

use std::collections::HashMap;

use super::{
    Flight, Key, Pump,
    asked::Asked,
    states::{State, States},
};
use crate::sync::{Arc, RandomState, time::Instant, weakened};

#[derive(Debug)]
pub(super) struct Inner<K, V> {
    pub(super) states: States<K>,
    /// Of those reads that somebody waits for, and of those that are kept.
    pub(super) flights: HashMap<K, Arc<Flight<V>>, RandomState>,
    pub(super) queue: Asked<K>,
    /// How many keys are queued.
    pub(super) queued: usize,
    /// How many keys were ever queued, modulo 2^32: a mention from so long ago that is taken for a new one starts a read out
    /// of turn.
    sequence: u32,
    pub(super) started: usize,
    pub(super) most: usize,
    pub(super) total: u64,
    /// Somebody is starting reads.
    pub(super) pumping: bool,
    /// There is something new for whoever is pumping.
    pub(super) again: bool,
    pub(super) closed: bool,
}

impl<K: Ord, V> Default for Inner<K, V> {
    fn default() -> Self {
        Self {
            states: States::default(),
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

impl<K: Key, V: Clone> Inner<K, V> {
    /// `false`: the key is not known here, and `known` says that its answer lies elsewhere.
    pub(super) fn ask(&mut self, key: K, rank: u32, known: impl FnOnce() -> bool) -> bool {
        self.ask_starting(key, rank, known, None)
    }

    /// The same. With `start`, what is to be started and the time, a read that is new is put there and not queued.
    fn ask_starting(
        &mut self,
        key: K,
        rank: u32,
        known: impl FnOnce() -> bool,
        start: Option<(&mut Vec<(K, u32)>, Instant)>,
    ) -> bool {
        match self.states.get(&key) {
            State::Unknown => {}
            _ if weakened("reads.coalesce") => {}
            State::Queued { rank: old, sequence } => {
                if rank < old {
                    self.queue.push((rank, sequence, key));
                    self.states.set(&key, State::Queued { rank, sequence });
                }
                return true;
            }
            State::Started(_) | State::Kept => return true,
        }
        if known() {
            return false;
        }
        if let Some((batch, now)) = start {
            self.started += 1;
            self.total += 1;
            batch.push((key, rank));
            self.states.set(&key, State::Started(now));
            return true;
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.queue.push((rank, sequence, key));
        self.queued += 1;
        self.states.set(&key, State::Queued { rank, sequence });
        true
    }

    /// What one waits for who has asked.
    pub(super) fn flight(&mut self, key: K) -> Arc<Flight<V>> {
        if weakened("reads.one-flight") {
            self.flights.remove(&key);
        }
        self.flights.entry(key).or_default().clone()
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
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return self.begin_pumping(limit, pump);
        }
        let (mut batch, now) = (Vec::new(), pump.now());
        let may_start = !self.pumping && !self.closed;
        for (key, rank) in keys {
            let free = self.started < limit || weakened("reads.at-once-within-limit");
            let at_once = may_start && self.queued == 0 && free;
            let start = at_once.then_some((&mut batch, now));
            self.ask_starting(key, rank, || known(key), start);
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
        let started = matches!(self.states.get(key), State::Started(_));
        if !started && !weakened("reads.land-once") {
            // Not started, or answered before.
            return None;
        }
        if !weakened("reads.place-freed") {
            self.started -= 1;
        }
        if keep {
            self.states.set(key, State::Kept);
            return Some(self.flight(*key));
        }
        self.states.set(key, State::Unknown);
        self.flights.remove(key)
    }

    /// Gives up what was started at `then` or before: the keys, each with what is waited for, if anybody does. And
    /// when the oldest of the others was started.
    pub(super) fn expire(&mut self, then: Instant) -> (Vec<Expired<K, V>>, Option<Instant>) {
        let (mut late, mut oldest) = (Vec::new(), None::<Instant>);
        for (key, since) in self.states.started() {
            if since <= then {
                late.push(key);
            } else {
                oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
            }
        }
        self.started -= late.len();
        let expire = |key| {
            self.states.set(&key, State::Unknown);
            (key, self.flights.remove(&key))
        };
        (late.into_iter().map(expire).collect(), oldest)
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

    fn take_startable(&mut self, limit: usize, pump: &impl Pump<K>) -> Vec<(K, u32)> {
        let mut batch = Vec::new();
        if self.queued == 0 || self.closed {
            return batch;
        }
        let (urgent, now) = (pump.urgent(), pump.now());
        while let Some((rank, sequence, key)) = self.queue.first() {
            if self.states.get(&key) != (State::Queued { rank, sequence }) {
                // It stands there under a lower rank, too, and has been taken from there.
                self.queue.pop();
                continue;
            }
            let free = self.started == limit || weakened("reads.one-more");
            let reserved = rank <= urgent && free && !weakened("reads.reserve");
            if !(self.started < limit || reserved) {
                break;
            }
            self.queue.pop();
            self.queued -= 1;
            self.started += 1;
            self.total += 1;
            self.states.set(&key, State::Started(now));
            if batch.is_empty() {
                batch.reserve(self.queued.min(limit) + 1);
            }
            batch.push((key, rank));
        }
        self.most = self.most.max(self.started);
        batch
    }
}

/// A read that was given up, with what is waited for, if anybody does.
pub(super) type Expired<K, V> = (K, Option<Arc<Flight<V>>>);
