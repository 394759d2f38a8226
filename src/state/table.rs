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
    Cell, Entry, EntryId, Extent,
    arena::{Arena, LEAF, Slot},
    guide::Guide,
    index::{Index, Place},
};
use crate::sync::{RandomState, brief::Turns, hint, thread, weakened};

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

    /// The ids of several keys at the price of fewer: what they miss the processor's caches for comes together.
    pub fn intern_several<const MOST: usize>(
        &self,
        keys: impl IntoIterator<Item = C::Key>,
    ) -> SmallVec<[EntryId; MOST]> {
        let hashed = self.get_ready::<MOST>(keys);
        hashed.iter().map(|(hash, key)| self.intern_hashed(*hash, key)).collect()
    }

    /// The same for one who gives away places of this table that are its own (`fresh`), none at first.
    pub fn intern_several_at<const MOST: usize>(
        &self,
        fresh: &mut Range<u32>,
        keys: impl IntoIterator<Item = C::Key>,
    ) -> SmallVec<[EntryId; MOST]> {
        let hashed = self.get_ready::<MOST>(keys);
        hashed.iter().map(|(hash, key)| self.intern_at(fresh, *hash, key)).collect()
    }

    /// Keys with their hashes, whose lines of the index are under way.
    fn get_ready<const MOST: usize>(
        &self,
        keys: impl IntoIterator<Item = C::Key>,
    ) -> SmallVec<[(u64, C::Key); MOST]> {
        let hashed = keys.into_iter().map(|key| (C::hash(&key, &self.hasher), key));
        let hashed: SmallVec<[_; MOST]> = hashed.collect();
        // Apart from the hashing: with nothing between them, more looks are under way at a time.
        hashed.iter().for_each(|(hash, _)| self.index.get_ready(*hash));
        hashed
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
            EntryId::at(1, fresh.start)
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

    /// Every entry with its key, in the order of the ids. For use while nothing commits.
    pub fn iter(&self) -> impl Iterator<Item = (EntryId, &C::Key, &Entry<C>)> {
        let [one_by_one, guided] = &self.arenas;
        let one_by_one = one_by_one.slots().map(|(place, slot)| (EntryId::at(0, place), slot));
        let guided = guided.slots().map(|(place, slot)| (EntryId::at(1, place), slot));
        one_by_one.chain(guided).filter_map(|(id, slot)| Some((id, slot.key.get()?, &slot.entry)))
    }

    /// How far it reaches now. What is added while it is asked for is in it or not.
    pub fn extent(&self) -> Extent {
        let [one_by_one, guided] = &self.arenas;
        Extent::new(one_by_one.len(), guided.len())
    }

    /// The entries at some of the positions of an extent of this table, in the order of their ids.
    pub fn iter_places(
        &self,
        extent: Extent,
        positions: Range<usize>,
    ) -> impl Iterator<Item = (EntryId, &C::Key, &Entry<C>)> {
        let extent = if weakened("table.extent") { self.extent() } else { extent };
        let positions = positions.start..positions.end.min(extent.places());
        positions.filter_map(move |position| {
            let id = extent.at(position);
            let slot = self.made(id.get())?;
            Some((id, slot.key.get()?, &slot.entry))
        })
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
        let (arena, place) = EntryId(number).place();
        let arena = &self.arenas[usize::from(arena)];
        if place < arena.len() { arena.made(place) } else { None }
    }

    #[inline]
    fn slot(&self, id: EntryId) -> &Slot<C> {
        let (arena, place) = id.place();
        self.arenas[usize::from(arena)].slot(place)
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests;
