//! What a block reads of its store, by the entries that the answers concern.

use smallvec::SmallVec;

use crate::{
    state::EntryId,
    store::{Answer, Index, Key, StoreError},
};

/// What becomes of a read for those who wait: `None`, the answer lies in the entry that it belongs to.
/// Small, because most reads are only made ahead.
pub(crate) type Landed = Result<Option<Box<Answer>>, Box<StoreError>>;

/// Reads to be queued together, each with its rank.
pub(super) type Asks = SmallVec<[(Target, u32); 16]>;

/// What is read, by the entry that the answer concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// The account.
    Account(EntryId),
    /// The slot, in the storage from before the block.
    Slot(EntryId),
    /// Whether the account has storage.
    HasStorage(EntryId),
    /// The hash of the block of that number.
    BlockHash(u64),
}

/// Of entries of a table.
fn index(table: u8, id: EntryId) -> Index {
    let (arena, number) = id.place();
    Index { lane: 2 * table + arena, number }
}

/// Accounts and slots by the places of their entries, those of each arena in a lane of their own.
impl Key for Target {
    fn index(&self) -> Option<Index> {
        match self {
            Self::Account(id) => Some(index(0, *id)),
            Self::Slot(id) => Some(index(1, *id)),
            Self::HasStorage(_) | Self::BlockHash(_) => None,
        }
    }

    fn at_index(Index { lane, number }: Index) -> Self {
        let id = EntryId::at(lane % 2, number);
        if lane / 2 == 0 { Self::Account(id) } else { Self::Slot(id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_slots_of_both_arenas_have_numbers_of_their_own() {
        let mut met = std::collections::HashSet::new();
        for number in [0, 1, 31, 32, 100_000, u32::MAX >> 1] {
            for id in [EntryId::at(0, number), EntryId::at(1, number)] {
                for target in [Target::Account(id), Target::Slot(id)] {
                    let index = target.index().expect("it has a number");
                    assert_eq!(Target::at_index(index), target);
                    assert!(met.insert((index.lane, index.number)), "{target:?}");
                }
                assert_eq!(Target::HasStorage(id).index(), None);
            }
        }
        assert_eq!(Target::BlockHash(7).index(), None);
    }
}
