//! Reads that wait for their time, and nobody's timer.
//!
//! They lie in a heap by the instant at which they are due. Whoever looks after them ([`take`](Due::take))
//! gets those whose time has come; several may look at once.
//!
//! Invariants
//!
//! 1. What was put in is taken out once, not before its instant.
//! 2. `next` is the earliest instant in the heap, [`NEVER`] if it is empty. It changes under the heap's
//!    lock. A look that finds nothing due reads it without the lock, and is so cheap that an engine
//!    can afford one between any two transactions.

use std::collections::BinaryHeap;

use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// What `next` says of an empty heap.
const NEVER: u64 = u64::MAX;

/// Things with an instant, the earliest first, and of one instant the lowest rank.
#[derive(Debug)]
pub(super) struct Due<T> {
    /// What `next` counts from, in nanoseconds.
    epoch: Instant,
    heap: Mutex<BinaryHeap<Entry<T>>>,
    next: AtomicU64,
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
        let (heap, next) = (Mutex::default(), AtomicU64::new(NEVER));
        Self { epoch: Instant::now(), heap, next }
    }
}

impl<T> Due<T> {
    /// Puts things in, each with its instant and its rank.
    pub(super) fn put(&self, items: impl IntoIterator<Item = (Instant, u32, T)>) {
        let items = items.into_iter().map(|(at, rank, item)| Entry { at, rank, item });
        let items: Vec<_> = items.collect();
        let mut heap = self.heap.lock();
        heap.extend(items);
        self.publish(&heap);
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
            && let Some(mut heap) = self.heap.try_lock()
        {
            while heap.peek().is_some_and(|first| first.at <= now) {
                taken.extend(heap.pop().map(|first| first.item));
            }
            self.publish(&heap);
        }
        taken
    }

    /// Whether anything waits for its time.
    pub(super) fn is_empty(&self) -> bool {
        self.next.load(Ordering::Relaxed) == NEVER
    }

    /// How much waits for its time.
    pub(super) fn len(&self) -> usize {
        self.heap.lock().len()
    }

    fn publish(&self, heap: &BinaryHeap<Entry<T>>) {
        let next = heap.peek().map_or(NEVER, |first| self.since_epoch(first.at));
        self.next.store(next, Ordering::Relaxed);
    }

    fn since_epoch(&self, at: Instant) -> u64 {
        let nanoseconds = at.saturating_duration_since(self.epoch).as_nanos();
        // Centuries from now is as good as never, but something does wait.
        u64::try_from(nanoseconds).unwrap_or(NEVER).min(NEVER - 1)
    }
}
