//! Keys that wait to be asked for, by rank, and of one rank by the order in which they came.
//!
//! Whoever reads ahead asks in the order of the block, so most lie in a line in that order; those that
//! overtake others lie in a heap beside it. A key that is wanted sooner is put in again under its new
//! rank, and the owner passes the older mention over: a search for it would cost every other key more.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// A key with its rank and its number.
type Mention<K> = (u32, u32, K);

/// A queue of keys.
#[derive(Debug)]
pub(super) struct Asked<K> {
    /// Each greater than the one before it.
    line: VecDeque<Mention<K>>,
    heap: BinaryHeap<Reverse<Mention<K>>>,
}

impl<K: Ord> Default for Asked<K> {
    fn default() -> Self {
        Self { line: VecDeque::new(), heap: BinaryHeap::new() }
    }
}

impl<K: Copy + Ord> Asked<K> {
    pub(super) fn push(&mut self, mention: Mention<K>) {
        match self.line.back() {
            Some(last) if mention < *last => self.heap.push(Reverse(mention)),
            _ => self.line.push_back(mention),
        }
    }

    /// The lowest.
    pub(super) fn first(&self) -> Option<Mention<K>> {
        match (self.line.front(), self.heap.peek()) {
            (Some(first), Some(Reverse(other))) => Some(*first.min(other)),
            (Some(first), None) => Some(*first),
            (None, other) => other.map(|first| first.0),
        }
    }

    /// Drops the lowest.
    pub(super) fn pop(&mut self) {
        match (self.line.front(), self.heap.peek()) {
            (Some(first), Some(Reverse(other))) if other < first => drop(self.heap.pop()),
            (None, _) => drop(self.heap.pop()),
            _ => drop(self.line.pop_front()),
        }
    }

    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.heap.clear();
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn keys_come_by_rank_and_then_in_their_order() {
        let mut asked = Asked::default();
        let ranks = [4, 4, 2, 7, 7, 5, 0, 7, 9, 3];
        let mut mentions: Vec<_> = (0_u32..).zip(ranks).map(|(at, rank)| (rank, at, at)).collect();
        mentions.iter().for_each(|mention| asked.push(*mention));
        mentions.sort_unstable();
        for mention in mentions {
            assert_eq!(asked.first(), Some(mention));
            asked.pop();
        }
        assert_eq!(asked.first(), None);
        asked.pop();
        asked.push((1, 0, 0));
        asked.clear();
        assert_eq!(asked.first(), None);
    }
}
