//! A region's pages, with how many there are of each form.

use std::ops::{AddAssign, SubAssign};

use super::{
    super::{
        page::PAGE_BYTES,
        page_map::{Iter, PageMap, PageNumber},
    },
    stored::Stored,
};

/// How many pages there are of each form, and what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiers {
    /// As they are.
    pub raw: u64,
    /// As they are, because compressing them gains nothing.
    pub dense: u64,
    /// Compressed.
    pub packed: u64,
    /// Bytes of the compressed ones.
    pub packed_bytes: u64,
    /// In a file.
    pub spilled: u64,
}

impl Tiers {
    fn of(stored: &Stored) -> Self {
        let mut one = Self::default();
        match stored {
            Stored::Raw(_) => one.raw = 1,
            Stored::Dense(_) => one.dense = 1,
            Stored::Packed(packed) => {
                one.packed = 1;
                one.packed_bytes = packed.len() as u64;
            }
            Stored::Spilled(_) => one.spilled = 1,
        }
        one
    }

    /// Pages, in whatever form.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.raw + self.dense + self.packed + self.spilled
    }

    /// Bytes of memory that they take.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        (self.raw + self.dense) * PAGE_BYTES as u64 + self.packed_bytes
    }
}

impl AddAssign for Tiers {
    fn add_assign(&mut self, other: Self) {
        self.raw += other.raw;
        self.dense += other.dense;
        self.packed += other.packed;
        self.packed_bytes += other.packed_bytes;
        self.spilled += other.spilled;
    }
}

impl SubAssign for Tiers {
    fn sub_assign(&mut self, other: Self) {
        self.raw -= other.raw;
        self.dense -= other.dense;
        self.packed -= other.packed;
        self.packed_bytes -= other.packed_bytes;
        self.spilled -= other.spilled;
    }
}

/// A region's present pages. Cloning it is a snapshot, in constant time.
#[derive(Clone, Debug, Default)]
pub struct StoredPages {
    map: PageMap<Stored>,
    tiers: Tiers,
}

impl StoredPages {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, page: PageNumber) -> Option<&Stored> {
        self.map.get(page)
    }

    /// All of them, by number.
    pub fn iter(&self) -> Iter<'_, Stored> {
        self.map.iter()
    }

    /// How many there are of each form.
    #[must_use]
    pub fn tiers(&self) -> Tiers {
        self.tiers
    }

    /// Puts a page in a place, whatever is there.
    pub(crate) fn insert(&mut self, page: PageNumber, stored: Stored) {
        self.tiers += Tiers::of(&stored);
        if let Some(before) = self.map.insert(page, stored) {
            self.tiers -= Tiers::of(&before);
        }
    }

    /// Changes a page's form, unless it is another page by now. Says whether it did.
    pub(crate) fn replace(&mut self, page: PageNumber, before: &Stored, after: Stored) -> bool {
        let same = self.map.get(page).is_some_and(|now| now.is_same(before));
        if same {
            self.insert(page, after);
        }
        same
    }
}
