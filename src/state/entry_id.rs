//! Names of entries.

/// Tells the ids of the arena that is given away by the leaf.
const GUIDED: u32 = 1 << 31;

/// Names an entry of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(super) u32);

impl EntryId {
    /// As a number, by which [`Table::by_number`](super::Table::by_number) finds it.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The arena in which the entry lies, 0 or 1, and its place there.
    #[inline]
    pub fn place(self) -> (u8, u32) {
        (u8::from(self.0 & GUIDED != 0), self.0 & !GUIDED)
    }

    /// The id of the entry at that place.
    #[inline]
    pub fn at(arena: u8, place: u32) -> Self {
        Self(if arena == 0 { place } else { place | GUIDED })
    }
}
