//! Locations by key: a sharded index into an arena that only grows.
//!
//! A key is hashed once. Its shard maps it to an [`EntryId`] under a short lock; the entry itself
//! sits in a leaf that never moves, so an id is dereferenced without a lock and a trace of reads is
//! a vector of 32-bit numbers.
//!
//! ```text
//!  chunks: 16 leaves, 32 leaves, 64 leaves, …      made when first used
//!            └► leaf: 64 entries                    made when first used
//! ```
//!
//! Leaves are small because whoever makes one keeps the other workers waiting: with chunks of
//! entries that doubled in size, a block of 1,346 transfers stalled for 0.1 ms at each of the last.

use std::hash::BuildHasher;

use crossbeam_utils::CachePadded;
use hashbrown::HashTable;

use super::{Cell, Entry};
use crate::sync::{
    Mutex, OnceLock, RandomState,
    atomic::{AtomicU32, Ordering},
};

const SHARDS: usize = 64;
/// Entries in a leaf.
const LEAF: u32 = 64;
/// Leaves in the first chunk; each chunk has twice as many as the one before.
const FIRST_CHUNK: u32 = 16;
const CHUNKS: usize = 23;

/// Names an entry of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

impl EntryId {
    /// As a number: dense from 0.
    pub fn get(self) -> u32 {
        self.0
    }
}

type Shard<K> = CachePadded<Mutex<HashTable<(K, EntryId)>>>;

/// All locations of one kind that a block touched.
pub struct Table<C: Cell> {
    shards: Box<[Shard<C::Key>]>,
    chunks: [OnceLock<Box<[Leaf<C>]>>; CHUNKS],
    len: AtomicU32,
    hasher: RandomState,
}

type Leaf<C> = OnceLock<Box<[Slot<C>]>>;

struct Slot<C: Cell> {
    key: OnceLock<C::Key>,
    entry: Entry<C>,
}

impl<C: Cell> Default for Table<C>
where
    C::Value: Default,
{
    fn default() -> Self {
        Self::new()
    }
}

/// Chunk, leaf and offset of an entry.
fn locate(id: EntryId) -> (usize, usize, usize) {
    let shifted = id.0 / LEAF + FIRST_CHUNK;
    let chunk = shifted.ilog2() - FIRST_CHUNK.ilog2();
    (chunk as usize, (shifted - (FIRST_CHUNK << chunk)) as usize, (id.0 % LEAF) as usize)
}

impl<C: Cell> Table<C>
where
    C::Value: Default,
{
    /// An empty table.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| CachePadded::new(Mutex::new(HashTable::new()))).collect(),
            chunks: std::array::from_fn(|_| OnceLock::new()),
            len: AtomicU32::new(0),
            hasher: RandomState::default(),
        }
    }

    /// The id of `key`, if it has an entry.
    pub fn find(&self, key: &C::Key) -> Option<EntryId> {
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash).lock();
        shard.find(hash, |(other, _)| other == key).map(|(_, id)| *id)
    }

    /// The id of `key`, whose entry is made if there is none.
    pub fn intern(&self, key: &C::Key) -> EntryId {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        if let Some((_, id)) = shard.find(hash, |(other, _)| other == key) {
            return *id;
        }
        // Relaxed: the number is only made known under the shard's lock, after its slot is there.
        let id = EntryId(self.len.fetch_add(1, Ordering::Relaxed));
        let slot = self.slot(id);
        let fresh = slot.key.set(key.clone()).is_ok();
        debug_assert!(fresh, "entry ids are handed out once");
        shard.insert_unique(hash, (key.clone(), id), |(key, _)| self.hasher.hash_one(key));
        id
    }

    /// The entry of an id of this table.
    pub fn entry(&self, id: EntryId) -> &Entry<C> {
        &self.slot(id).entry
    }

    /// The entry of that number, if there is one.
    pub fn by_number(&self, number: u32) -> Option<&Entry<C>> {
        (number < self.len.load(Ordering::Acquire)).then(|| self.entry(EntryId(number)))
    }

    /// Every entry with its key, in order of creation. For use while no transaction runs.
    pub fn iter(&self) -> impl Iterator<Item = (EntryId, &C::Key, &Entry<C>)> {
        (0..self.len.load(Ordering::Acquire)).filter_map(|number| {
            let id = EntryId(number);
            let slot = self.slot(id);
            slot.key.get().map(|key| (id, key, &slot.entry))
        })
    }

    /// The key of the entry of that number, if there is one.
    pub fn key_of_number(&self, number: u32) -> Option<&C::Key> {
        (number < self.len.load(Ordering::Acquire)).then(|| self.key(EntryId(number))).flatten()
    }

    /// The key of an entry.
    pub fn key(&self, id: EntryId) -> Option<&C::Key> {
        self.slot(id).key.get()
    }

    fn slot(&self, id: EntryId) -> &Slot<C> {
        let (chunk, leaf, offset) = locate(id);
        let leaves = self.chunks[chunk]
            .get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| OnceLock::new()).collect());
        let leaf = leaves[leaf].get_or_init(|| {
            (0..LEAF).map(|_| Slot { key: OnceLock::new(), entry: Entry::default() }).collect()
        });
        &leaf[offset]
    }

    fn shard(&self, hash: u64) -> &Shard<C::Key> {
        // The table inside uses the low bits and the top seven; take some from between.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn ids_map_to_distinct_slots() {
        let mut seen = std::collections::HashSet::new();
        for number in 0..100_000 {
            let (chunk, leaf, offset) = locate(EntryId(number));
            assert!(leaf < (FIRST_CHUNK as usize) << chunk && offset < LEAF as usize);
            assert!(seen.insert((chunk, leaf, offset)), "{number} shares its slot");
        }
        assert!(locate(EntryId(u32::MAX)).0 < CHUNKS);
    }
}
