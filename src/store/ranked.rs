//! A queue that gives the lowest rank first, and of one rank the oldest.

use std::{cmp::Ordering, collections::BinaryHeap};

/// What waits for somebody to do it.
pub(super) struct Ranked<T> {
    heap: BinaryHeap<Entry<T>>,
    /// How much was ever put in.
    sequence: u64,
}

struct Entry<T> {
    rank: u32,
    sequence: u64,
    item: T,
}

/// The heap gives its greatest first.
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.rank, other.sequence).cmp(&(self.rank, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0 }
    }
}

impl<T> std::fmt::Debug for Ranked<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ranked").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> Ranked<T> {
    pub(super) fn push(&mut self, rank: u32, item: T) {
        self.heap.push(Entry { rank, sequence: self.sequence, item });
        self.sequence += 1;
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|first| first.item)
    }

    /// Takes out everything, in no order.
    pub(super) fn take(&mut self) -> Vec<T> {
        self.heap.drain().map(|entry| entry.item).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}
