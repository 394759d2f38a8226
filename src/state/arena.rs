//! Where entries lie: leaves that are made when first used, and never move.

use super::{Cell, Entry};
use crate::sync::{
    OnceCell,
    atomic::{AtomicU32, Ordering},
    brief,
};

/// Entries in a leaf.
pub(super) const LEAF: u32 = 32;
/// Leaves in the first chunk; each chunk has twice as many as the one before.
const FIRST_CHUNK: u32 = 16;
const CHUNKS: usize = 23;

/// Places for entries, by number.
pub(super) struct Arena<C: Cell> {
    chunks: [OnceCell<Box<[Leaf<C>]>>; CHUNKS],
    /// How many places are given away.
    len: AtomicU32,
}

type Leaf<C> = OnceCell<Box<[Slot<C>]>>;

/// A place: an entry, and what it is the entry of.
pub(super) struct Slot<C: Cell> {
    pub(super) key: brief::OnceCell<C::Key>,
    pub(super) entry: Entry<C>,
}

/// Chunk, leaf and offset of a place.
fn locate(number: u32) -> (usize, usize, usize) {
    let shifted = number / LEAF + FIRST_CHUNK;
    let chunk = shifted.ilog2() - FIRST_CHUNK.ilog2();
    (chunk as usize, (shifted - (FIRST_CHUNK << chunk)) as usize, (number % LEAF) as usize)
}

impl<C: Cell> Arena<C>
where
    C::Value: Default,
{
    pub(super) fn new() -> Self {
        Self { chunks: std::array::from_fn(|_| OnceCell::new()), len: AtomicU32::new(0) }
    }

    /// How many places are given away. Acquire, for those who look at all of them in the end.
    pub(super) fn len(&self) -> u32 {
        self.len.load(Ordering::Acquire)
    }

    /// Gives away one place, or a whole leaf; its first number. Whoever asks for places of one kind
    /// never asks the arena for the other.
    pub(super) fn give(&self, places: u32) -> u32 {
        // Relaxed: a number is only made known by the index, whose readers are ordered after that.
        self.len.fetch_add(places, Ordering::Relaxed)
    }

    /// Makes the leaf after that of `number`, if that is half full: then nobody waits for it when
    /// it is needed. Not in the first leaf, which is enough for a small block.
    pub(super) fn look_ahead(&self, number: u32) {
        if number % LEAF == LEAF / 2 && number > LEAF {
            self.leaf(number + LEAF);
        }
    }

    /// A place that has been given away.
    #[inline]
    pub(super) fn slot(&self, number: u32) -> &Slot<C> {
        let (chunk, leaf, offset) = locate(number);
        if let Some(leaves) = self.chunks[chunk].get()
            && let Some(leaf) = leaves[leaf].get()
        {
            return &leaf[offset];
        }
        &self.leaf(number)[offset]
    }

    /// A place, if its leaf is made.
    pub(super) fn made(&self, number: u32) -> Option<&Slot<C>> {
        let (chunk, leaf, offset) = locate(number);
        Some(&self.chunks.get(chunk)?.get()?[leaf].get()?[offset])
    }

    /// All places that are given away and made, in their order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u32, &Slot<C>)> {
        let len = self.len();
        (0..len).step_by(LEAF as usize).flat_map(move |first| {
            let (chunk, leaf, _) = locate(first);
            let leaf = self.chunks[chunk].get().and_then(|leaves| leaves[leaf].get());
            (first..len).zip(leaf.into_iter().flatten())
        })
    }

    /// The leaf of a place, which is made if need be.
    #[cold]
    fn leaf(&self, number: u32) -> &[Slot<C>] {
        let (chunk, leaf, _) = locate(number);
        let leaves = self.chunks[chunk]
            .get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| OnceCell::new()).collect());
        leaves[leaf].get_or_init(|| {
            (0..LEAF)
                .map(|_| Slot { key: brief::OnceCell::new(), entry: Entry::default() })
                .collect()
        })
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn numbers_map_to_distinct_places() {
        let mut seen = std::collections::HashSet::new();
        for number in 0..100_000 {
            let (chunk, leaf, offset) = locate(number);
            assert!(leaf < (FIRST_CHUNK as usize) << chunk && offset < LEAF as usize);
            assert!(seen.insert((chunk, leaf, offset)), "{number} shares its place");
        }
        assert!(locate(u32::MAX >> 1).0 < CHUNKS);
    }
}
