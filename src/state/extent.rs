//! How far a table reached at one time.
//!
//! When the last transaction is committed, a worker may still be on its way back from a look ahead, and give away a place
//! for what it looked for: one more than there were, be it for a key that nobody has added, or in vain. Whoever goes
//! through the entries by their positions, in pieces or with another thread, has to mean the same by a position all
//! along. So positions are those of an extent, which stays as it is while the table grows.
//!
//! Invariants
//!
//! 1. An extent has a position for every entry that was made before it was taken, as far as whoever takes it knows: one
//!    who has seen the last transaction committed has them for all entries that were written.
//! 2. No two entries have the same position, and a position is the same entry's for ever.

use super::EntryId;

/// How many places of each arena of a table were given away when it was taken.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    one_by_one: u32,
    guided: u32,
}

impl Extent {
    pub(super) fn new(one_by_one: u32, guided: u32) -> Self {
        Self { one_by_one, guided }
    }

    /// How many positions it has.
    #[must_use]
    pub fn places(&self) -> usize {
        self.one_by_one as usize + self.guided as usize
    }

    /// Where the entry of that number stands in a list of all, in the order of their ids: numbers are not dense, positions
    /// are, nearly. `None`: the entry was made later.
    #[inline]
    #[must_use]
    pub fn position(&self, number: u32) -> Option<usize> {
        match EntryId(number).place() {
            (0, place) => (place < self.one_by_one).then_some(place as usize),
            (_, place) => (place < self.guided).then(|| (self.one_by_one + place) as usize),
        }
    }

    /// Whose the position is, one of this extent.
    #[inline]
    pub(super) fn at(&self, position: usize) -> EntryId {
        let position = position as u32;
        match position.checked_sub(self.one_by_one) {
            None => EntryId::at(0, position),
            Some(place) => EntryId::at(1, place),
        }
    }
}
