//! Locations by key: a sharded index into arenas that only grow.
//!
//! A key is hashed once. Its shard maps it to an [`EntryId`] under a short lock; the entry itself
//! sits in a leaf that never moves, so an id is dereferenced without a lock and a trace of reads is
//! a vector of 32-bit numbers. A worker that has a [`Guide`] finds the keys that it meets again and
//! again without the shard, and the entries that it makes lie in leaves of its own.
//!
//! ```text
//!  key ── Guide: met lately? ──► id
//!    └──► shard: hash ──► id            id: top bit: arena, the rest: place
//!
//!  arena ─► chunks: 16 leaves, 32 leaves, 64 leaves, …      made when first used
//!                     └► leaf: 32 entries                    made when first used
//!
//!  arena 0: one by one, whoever asks       arena 1: leaf by leaf, each for one guide
//! ```
//!
//! Leaves are small because whoever makes one keeps the other workers waiting: with chunks of
//! entries that doubled in size, a block of 1,346 transfers stalled for 0.1 ms at each of the last.
//! Nobody waits for the leaf of a guide, and those of arena 0 are made ahead of need.

use std::ops::Range;

use crossbeam_utils::CachePadded;
use hashbrown::HashTable;

use super::{
    Cell, Entry,
    arena::{Arena, LEAF, Slot},
    guide::Guide,
};
use crate::sync::{Mutex, RandomState};

const SHARDS: usize = 64;
/// Tells the ids of the arena of guides.
const GUIDED: u32 = 1 << 31;

/// Names an entry of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

impl EntryId {
    /// As a number, by which [`Table::by_number`] finds it.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// Ids by the hashes of their keys. The keys themselves stand with the entries.
type Shard = CachePadded<Mutex<HashTable<(u64, EntryId)>>>;

/// All locations of one kind that a block touched.
pub struct Table<C: Cell> {
    shards: Box<[Shard]>,
    /// Places given away one by one, and by the leaf.
    arenas: [Arena<C>; 2],
    hasher: RandomState,
    /// Entries that a shard makes room for with its first one.
    expected: usize,
}

impl<C: Cell> Default for Table<C>
where
    C::Value: Default,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Cell> Table<C>
where
    C::Value: Default,
{
    /// An empty table.
    pub fn new() -> Self {
        Self::expecting(0)
    }

    /// An empty table that will probably get so many entries: its index need not grow on the way.
    pub fn expecting(entries: usize) -> Self {
        Self {
            expected: entries.div_ceil(SHARDS),
            shards: (0..SHARDS).map(|_| CachePadded::new(Mutex::new(HashTable::new()))).collect(),
            arenas: [Arena::new(), Arena::new()],
            hasher: RandomState::default(),
        }
    }

    /// The id of `key`, if it has an entry.
    pub fn find(&self, key: &C::Key) -> Option<EntryId> {
        let hash = C::hash(key, &self.hasher);
        self.find_in(&self.shard(hash).lock(), hash, key)
    }

    /// The id of `key`, whose entry is made if there is none.
    pub fn intern(&self, key: &C::Key) -> EntryId {
        self.intern_hashed(C::hash(key, &self.hasher), key, || {
            let id = EntryId(self.arenas[0].give(1));
            self.arenas[0].look_ahead(id.0);
            id
        })
    }

    /// The same for a worker with a guide that was made for this table, or has forgotten another.
    pub fn intern_by(&self, guide: &mut Guide<C>, key: &C::Key) -> EntryId {
        let hash = C::hash(key, &self.hasher);
        if let Some(id) = guide.recall(hash, key) {
            return id;
        }
        let id = self.intern_hashed(hash, key, || {
            if guide.fresh.is_empty() {
                let first = self.arenas[1].give(LEAF);
                guide.fresh = first..first + LEAF;
            }
            let place = guide.fresh.start;
            guide.fresh.start += 1;
            EntryId(place | GUIDED)
        });
        guide.remember(hash, key, id);
        id
    }

    fn intern_hashed(&self, hash: u64, key: &C::Key, fresh: impl FnOnce() -> EntryId) -> EntryId {
        let mut shard = self.shard(hash).lock();
        if let Some(id) = self.find_in(&shard, hash, key) {
            return id;
        }
        let id = fresh();
        let unused = self.slot(id).key.set(key.clone()).is_ok();
        debug_assert!(unused, "places are given away once");
        if shard.is_empty() {
            shard.reserve(self.expected, |(hash, _)| *hash);
        }
        shard.insert_unique(hash, (hash, id), |(hash, _)| *hash);
        id
    }

    #[inline]
    fn find_in(
        &self,
        shard: &HashTable<(u64, EntryId)>,
        hash: u64,
        key: &C::Key,
    ) -> Option<EntryId> {
        let same = |(other, id): &(u64, EntryId)| *other == hash && self.key(*id) == Some(key);
        shard.find(hash, same).map(|(_, id)| *id)
    }

    /// The entry of an id of this table.
    #[inline]
    pub fn entry(&self, id: EntryId) -> &Entry<C> {
        &self.slot(id).entry
    }

    /// The entry of that number, if there is one.
    pub fn by_number(&self, number: u32) -> Option<&Entry<C>> {
        self.made(number).map(|slot| &slot.entry)
    }

    /// Every entry with its key, in the order of the ids. For use while no transaction runs.
    pub fn iter(&self) -> impl Iterator<Item = (EntryId, &C::Key, &Entry<C>)> {
        let [one_by_one, guided] = &self.arenas;
        let guided = guided.slots().map(|(place, slot)| (place | GUIDED, slot));
        one_by_one
            .slots()
            .chain(guided)
            .filter_map(|(number, slot)| Some((EntryId(number), slot.key.get()?, &slot.entry)))
    }

    /// The entries at some of the positions, in the order of their ids. For use while no transaction runs.
    pub fn iter_places(
        &self,
        positions: Range<usize>,
    ) -> impl Iterator<Item = (EntryId, &C::Key, &Entry<C>)> {
        let one_by_one = self.arenas[0].len() as usize;
        let positions = positions.start..positions.end.min(self.places());
        positions.filter_map(move |position| {
            let number = match position.checked_sub(one_by_one) {
                None => position as u32,
                Some(place) => place as u32 | GUIDED,
            };
            let slot = self.made(number)?;
            Some((EntryId(number), slot.key.get()?, &slot.entry))
        })
    }

    /// How many positions there are. For use while no transaction runs, as is [`Table::position`].
    pub fn places(&self) -> usize {
        self.arenas.iter().map(|arena| arena.len() as usize).sum()
    }

    /// Where the entry of that number stands in a list of all: numbers are not dense, positions are,
    /// nearly.
    pub fn position(&self, number: u32) -> usize {
        match number & GUIDED {
            0 => number as usize,
            _ => self.arenas[0].len() as usize + (number & !GUIDED) as usize,
        }
    }

    /// The key of the entry of that number, if there is one.
    pub fn key_of_number(&self, number: u32) -> Option<&C::Key> {
        self.made(number)?.key.get()
    }

    /// The key of an entry.
    #[inline]
    pub fn key(&self, id: EntryId) -> Option<&C::Key> {
        self.slot(id).key.get()
    }

    /// A place whose leaf is there.
    fn made(&self, number: u32) -> Option<&Slot<C>> {
        let arena = &self.arenas[usize::from(number & GUIDED != 0)];
        let place = number & !GUIDED;
        if place < arena.len() { arena.made(place) } else { None }
    }

    #[inline]
    fn slot(&self, id: EntryId) -> &Slot<C> {
        self.arenas[usize::from(id.0 & GUIDED != 0)].slot(id.0 & !GUIDED)
    }

    fn shard(&self, hash: u64) -> &Shard {
        // The table inside uses the low bits and the top seven; take some from between.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    struct Number;

    impl Cell for Number {
        type Key = u64;
        type Value = u64;
        type Change = u64;
        type Seen = u64;

        fn apply(value: &mut u64, change: &u64) {
            *value = *change;
        }

        fn holds(value: &u64, seen: &u64) -> bool {
            value == seen
        }
    }

    #[test]
    fn a_key_has_one_id_whoever_asks() {
        let table: Table<Number> = Table::new();
        let mut guides = [Guide::default(), Guide::default()];
        for round in 0..3u64 {
            for key in 0..2_000 {
                let [one, other] = &mut guides;
                let ids = match (key + round) % 3 {
                    0 => [table.intern(&key), table.intern_by(one, &key)],
                    1 => [table.intern_by(other, &key), table.intern_by(one, &key)],
                    _ => [table.intern_by(one, &key), table.intern(&key)],
                };
                assert_eq!(ids[0], ids[1]);
                assert_eq!(table.find(&key), Some(ids[0]));
                assert_eq!(table.key(ids[0]), Some(&key));
                assert_eq!(table.key_of_number(ids[0].get()), Some(&key));
                table.entry(ids[0]).fill(key);
            }
        }
        let mut keys: Vec<u64> = table.iter().map(|(_, key, _)| *key).collect();
        keys.sort_unstable();
        assert_eq!(keys, (0..2_000).collect::<Vec<_>>());
        assert!(table.iter().all(|(_, key, entry)| entry.committed() == Some(*key)));
        assert!(table.iter().map(|(id, ..)| id).is_sorted());
        let pieces = (0..table.places()).step_by(100).map(|from| from..from + 100);
        let pieced = pieces.flat_map(|piece| table.iter_places(piece)).map(|(id, ..)| id);
        assert!(table.iter().map(|(id, ..)| id).eq(pieced));
    }

    #[test]
    fn a_guide_that_forgets_serves_another_table() {
        let mut guide = Guide::default();
        let first: Table<Number> = Table::new();
        for key in 0..100 {
            first.intern_by(&mut guide, &key);
        }
        guide.forget();
        let second: Table<Number> = Table::new();
        assert_eq!(second.intern(&7), second.intern_by(&mut guide, &7));
        assert_eq!(second.iter().count(), 1);
    }
}
