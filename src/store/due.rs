//! Reads that wait for their time, and nobody's timer.
//!
//! They lie in a line in the order in which they are due, which is the order in which they come where
//! every read takes the same time; those that overtake others lie in a heap beside it. Whoever looks
//! after them ([`take`](Due::take)) gets those whose time has come; several may look at once.
//!
//! Invariants
//!
//! 1. What was put in is taken out once, not before its instant.
//! 2. `next` is the earliest instant in line and heap, [`NEVER`] if both are empty. It changes under
//!    their lock. A look that finds nothing due reads it without the lock, and is so cheap that an engine
//!    can afford one between any two transactions.

use std::collections::{BinaryHeap, VecDeque};

use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// What `next` says where nothing waits.
const NEVER: u64 = u64::MAX;

/// Things with an instant, the earliest first, and of one instant the lowest rank.
#[derive(Debug)]
pub(super) struct Due<T> {
    /// What `next` counts from, in nanoseconds.
    epoch: Instant,
    waiting: Mutex<Waiting<T>>,
    next: AtomicU64,
}

/// What waits for its time: the first of the two has the earliest.
#[derive(Debug)]
struct Waiting<T> {
    /// Each due no earlier than the one before it.
    line: VecDeque<Entry<T>>,
    heap: BinaryHeap<Entry<T>>,
}

impl<T> Waiting<T> {
    fn push(&mut self, entry: Entry<T>) {
        // The entry that is greater is due earlier.
        match self.line.back() {
            Some(last) if *last < entry => self.heap.push(entry),
            _ => self.line.push_back(entry),
        }
    }

    fn peek(&self) -> Option<&Entry<T>> {
        self.line.front().max(self.heap.peek())
    }

    fn pop(&mut self) -> Option<Entry<T>> {
        if self.line.front() >= self.heap.peek() { self.line.pop_front() } else { self.heap.pop() }
    }
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    rank: u32,
    item: T,
}

/// The heap gives its greatest first.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.rank).cmp(&(self.at, self.rank))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> Default for Due<T> {
    fn default() -> Self {
        let waiting = Waiting { line: VecDeque::new(), heap: BinaryHeap::new() };
        let (waiting, next) = (Mutex::new(waiting), AtomicU64::new(NEVER));
        Self { epoch: Instant::now(), waiting, next }
    }
}

impl<T> Due<T> {
    /// Puts things in, each with its instant and its rank. They are looked at under the lock.
    pub(super) fn put(&self, items: impl IntoIterator<Item = (Instant, u32, T)>) {
        let mut waiting = self.waiting.lock();
        for (at, rank, item) in items {
            waiting.push(Entry { at, rank, item });
        }
        self.publish(&waiting);
    }

    /// Takes out what is due; nothing if somebody else is at it.
    pub(super) fn take(&self) -> Vec<T> {
        let mut taken = Vec::new();
        let next = self.next.load(Ordering::Relaxed);
        if next == NEVER {
            return taken;
        }
        let now = Instant::now();
        if next <= self.since_epoch(now)
            && let Some(mut waiting) = self.waiting.try_lock()
        {
            while waiting.peek().is_some_and(|first| first.at <= now) {
                taken.extend(waiting.pop().map(|first| first.item));
            }
            self.publish(&waiting);
        }
        taken
    }

    /// Whether anything waits for its time.
    pub(super) fn is_empty(&self) -> bool {
        self.next.load(Ordering::Relaxed) == NEVER
    }

    /// How much waits for its time.
    pub(super) fn len(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.line.len() + waiting.heap.len()
    }

    fn publish(&self, waiting: &Waiting<T>) {
        let next = waiting.peek().map_or(NEVER, |first| self.since_epoch(first.at));
        self.next.store(next, Ordering::Relaxed);
    }

    fn since_epoch(&self, at: Instant) -> u64 {
        let nanoseconds = at.saturating_duration_since(self.epoch).as_nanos();
        // Centuries from now is as good as never, but something does wait.
        u64::try_from(nanoseconds).unwrap_or(NEVER).min(NEVER - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::time::Duration;

    #[test]
    fn what_is_due_comes_by_instant_and_rank_in_whatever_order_it_was_put() {
        let due = Due::default();
        let begin = Instant::now();
        let at = |microseconds| begin + Duration::from_micros(microseconds);
        let items = [(3, 0), (1, 5), (1, 2), (4, 1), (2, 0), (4, 0), (5, 9), (5, 9)];
        for (microseconds, rank) in items {
            due.put([(at(microseconds), rank, (microseconds, rank))]);
        }
        let far = begin + Duration::from_secs(3600);
        due.put([(far, 0, (0, 0)), (at(6), 1, (6, 1))]);
        while begin.elapsed() < Duration::from_micros(6) {
            crate::sync::hint::spin_loop();
        }
        let mut expected = items.to_vec();
        expected.push((6, 1));
        expected.sort_unstable();
        assert_eq!(due.take(), expected);
        assert_eq!((due.len(), due.is_empty()), (1, false));
        assert_eq!(due.take(), []);
    }
}
