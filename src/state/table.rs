//! Locations by key: an index into arenas that only grow.
//!
//! A key is hashed once. The [index](super::index) maps it to an [`EntryId`]; the entry itself
//! sits in a leaf that never moves, so an id is dereferenced without a lock and a trace of reads is
//! a vector of 32-bit numbers. A worker that has a [`Guide`] finds the keys that it meets again and
//! again without the index, and the entries that it makes lie in leaves of its own.
//!
//! ```text
//!  key ── Guide: met lately? ──► id
//!    └──► index: hash ──► id            id: top bit: arena, the rest: place
//!
//!  arena ─► chunks: 16 leaves, 32 leaves, 64 leaves, …      made when first used
//!                     └► leaf: 32 entries                    made when first used
//!
//!  arena 0: one by one, whoever asks       arena 1: leaf by leaf, each for one who asks
//! ```
//!
//! Leaves are small because whoever makes one keeps the other workers waiting: with chunks of
//! entries that doubled in size, a block of 1,346 transfers stalled for 0.1 ms at each of the last.
//! Nobody waits for the leaf of one worker's guide, or of who makes several entries at once, and
//! those of arena 0 are made ahead of need.

use std::ops::Range;

use smallvec::SmallVec;

use super::{
    Cell, Entry,
    arena::{Arena, LEAF, Slot},
    guide::Guide,
    index::{Index, Place},
};
use crate::sync::{RandomState, brief::Turns, hint, thread, weakened};

/// Tells the ids of the arena that is given away by the leaf.
const GUIDED: u32 = 1 << 31;

/// Names an entry of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u32);

impl EntryId {
    /// As a number, by which [`Table::by_number`] finds it.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The arena in which the entry lies, 0 or 1, and its place there.
    pub fn place(self) -> (u8, u32) {
        (u8::from(self.0 & GUIDED != 0), self.0 & !GUIDED)
    }

    /// The id of the entry at that place.
    pub fn at(arena: u8, place: u32) -> Self {
        Self(if arena == 0 { place } else { place | GUIDED })
    }
}

impl Place {
    /// The id that the key has now.
    fn id(&self) -> EntryId {
        let (Self::Known(id) | Self::Added(id)) = self;
        EntryId(*id)
    }
}

/// All locations of one kind that a block touched.
pub struct Table<C: Cell> {
    /// Ids by the hashes of their keys. The keys themselves stand with the entries.
    index: Index,
    /// Places given away one by one, and by the leaf.
    arenas: [Arena<C>; 2],
    hasher: RandomState,
    /// What models know of the index, except its own.
    turns: Turns,
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
            index: Index::expecting(entries),
            arenas: [Arena::new(), Arena::new()],
            hasher: RandomState::default(),
            turns: Turns::new(),
        }
    }

    /// The id of `key`, if it has an entry.
    pub fn find(&self, key: &C::Key) -> Option<EntryId> {
        let hash = C::hash(key, &self.hasher);
        let _turn = self.turns.take(hash >> 40);
        self.index.find(hash, |id| self.is(id, key)).map(EntryId)
    }

    /// The id of `key`, whose entry is made if there is none.
    pub fn intern(&self, key: &C::Key) -> EntryId {
        self.intern_hashed(C::hash(key, &self.hasher), key)
    }

    /// The ids of several keys at the price of fewer: what they miss the processor's caches for comes together. Whoever
    /// asks gives away places of this table that are its own (`fresh`), none at first.
    pub fn intern_several<const MOST: usize>(
        &self,
        fresh: &mut Range<u32>,
        keys: impl IntoIterator<Item = C::Key>,
    ) -> SmallVec<[EntryId; MOST]> {
        let hashed = |key| (C::hash(&key, &self.hasher), key);
        let hashed: SmallVec<[_; MOST]> = keys.into_iter().map(hashed).collect();
        // Apart from the hashing: with nothing between them, more looks are under way at a time.
        hashed.iter().for_each(|(hash, _)| self.index.get_ready(*hash));
        hashed.iter().map(|(hash, key)| self.intern_at(fresh, *hash, key)).collect()
    }

    /// For one who will look for these keys next: what that misses the processor's caches for comes together.
    pub fn get_ready<'a>(&self, keys: impl IntoIterator<Item = &'a C::Key>)
    where
        C::Key: 'a,
    {
        let hashes = keys.into_iter().map(|key| C::hash(key, &self.hasher));
        // Apart from the hashing, as above.
        let hashes: SmallVec<[u64; 64]> = hashes.collect();
        hashes.iter().for_each(|hash| self.index.get_ready(*hash));
    }

    fn intern_hashed(&self, hash: u64, key: &C::Key) -> EntryId {
        // A place that is taken in vain stays without a key.
        let place = self.find_or_add(hash, key, || EntryId(self.arenas[0].give(1)));
        if let Place::Added(place) = place {
            self.arenas[0].look_ahead(place);
        }
        place.id()
    }

    /// The same for a worker with a guide that was made for this table, or has forgotten another.
    pub fn intern_by(&self, guide: &mut Guide<C>, key: &C::Key) -> EntryId {
        let hash = C::hash(key, &self.hasher);
        if let Some(id) = guide.recall(hash, key) {
            return id;
        }
        let id = self.intern_at(&mut guide.fresh, hash, key);
        guide.remember(hash, key, id);
        id
    }

    /// The same for one who gives away places of its own, which are none at first.
    fn intern_at(&self, fresh: &mut Range<u32>, hash: u64, key: &C::Key) -> EntryId {
        let place = self.find_or_add(hash, key, || {
            if fresh.start == fresh.end {
                let first = self.arenas[1].give(LEAF);
                *fresh = first..first + LEAF;
            }
            EntryId(fresh.start | GUIDED)
        });
        if let Place::Added(_) = place {
            fresh.start += 1;
        }
        place.id()
    }

    /// Has a guide remember entries that its worker will look for soon: what they miss the processor's caches for comes
    /// together.
    pub fn remind(&self, guide: &mut Guide<C>, ids: &[EntryId]) {
        for id in ids {
            let slot = self.slot(*id);
            slot.entry.get_ready();
            if let Some(key) = slot.key.get() {
                guide.remember(C::hash(key, &self.hasher), key, *id);
            }
        }
    }

    /// Finds the key, or adds it at the place that is given away for it.
    fn find_or_add(&self, hash: u64, key: &C::Key, mut give: impl FnMut() -> EntryId) -> Place {
        let mut given = None;
        let _turn = self.turns.take(hash >> 40);
        let offer = || {
            let id = give();
            given = Some((self.slot(id), key.clone()));
            id.0
        };
        let place = self.index.find_or_add(hash, |id| self.is(id, key), offer);
        if let (Place::Added(_), Some((slot, key))) = (&place, given) {
            let unused = slot.key.set(key).is_ok();
            debug_assert!(unused, "places are given away once");
        }
        place
    }

    /// Whether an id of the index is the key's.
    #[inline]
    fn is(&self, id: u32, key: &C::Key) -> bool {
        let slot = self.slot(EntryId(id));
        let mut looks = 0;
        loop {
            if let Some(named) = slot.key.get() {
                return named == key;
            }
            if weakened("table.unnamed") {
                return false;
            }
            looks += 1;
            match looks % 64 {
                0 => thread::yield_now(),
                _ => hint::spin_loop(),
            }
        }
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
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;
    use crate::sync::{Arc, thread};

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
    fn several_keys_have_the_ids_that_each_has_and_a_guide_is_reminded_of_them() {
        let table: Table<Number> = Table::new();
        let mut guide = Guide::default();
        let mut fresh = 0..0;
        for from in [0, 3, 500] {
            // Some of them twice, more than expected, and some that another way knows.
            let keys: Vec<u64> = (from..from + 40).chain(from..from + 4).collect();
            let known = table.intern_by(&mut guide, &(from + 2));
            let ids = table.intern_several::<8>(&mut fresh, keys.iter().copied());
            assert_eq!(ids[2], known);
            let alone: Vec<_> = keys.iter().map(|key| table.intern(key)).collect();
            assert_eq!(ids[..], alone);
            let mut other = Guide::default();
            table.remind(&mut other, &ids[..10]);
            let recalled = keys[..10].iter().zip(&ids).filter(|(key, id)| {
                let hash = Number::hash(key, &table.hasher);
                other.recall(hash, key).inspect(|found| assert_eq!(found, *id)).is_some()
            });
            assert!(recalled.count() > 0);
            assert_eq!(table.intern_by(&mut other, &keys[9]), ids[9]);
        }
        assert!(table.intern_several::<8>(&mut fresh, []).is_empty());
    }

    #[test]
    fn a_key_that_several_threads_add_at_once_has_one_id() {
        const KEYS: u64 = 20_000;
        let table: Arc<Table<Number>> = Arc::new(Table::new());
        let threads = [0u64, 1, 2, 3].map(|thread| {
            let table = table.clone();
            thread::spawn(move || {
                let mut guide = Guide::default();
                let mut ids = vec![None; KEYS as usize];
                // From a quarter on, or from the other end, so that all meet the others now and then.
                for step in 0..KEYS {
                    let key = (thread / 2 * KEYS / 4 + step) % KEYS;
                    let key = if thread % 2 == 0 { key } else { KEYS - 1 - key };
                    let id = if thread < 2 {
                        table.intern(&key)
                    } else {
                        table.intern_by(&mut guide, &key)
                    };
                    assert_eq!(table.find(&key), Some(id));
                    ids[key as usize] = Some(id);
                }
                ids
            })
        });
        let [first, others @ ..] = threads.map(|thread| thread.join().unwrap());
        assert!(others.iter().all(|other| *other == first), "an id for each of two who asked");
        assert_eq!(table.iter().count(), KEYS as usize);
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
