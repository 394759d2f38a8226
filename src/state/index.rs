//! Which entry is a key's: words that are written once, in lines of a cache line each.
//!
//! Workers look keys up and add keys all the time, each key a few times. A hash table behind locks costs such a
//! worker three cache lines that another may have had since: the lock's, that of the table's control bytes, and that of
//! the place; and to unlock, it waits until its writes to the latter two are out. Here it is one line and no lock.
//! Finding and adding keys fell from 3.1 to 2.0 % of two workers' time in seven real blocks.
//!
//! ```text
//!  hash ─► tier 0: line [w w w w w w w w]   full? ─► tier 1, twice the size: line […]   full? ─► … ─► crowd
//!
//!  w:  0: free        tag, inverted id: taken        (tag: the high half of the hash)
//! ```
//!
//! # Protocol
//!
//! A word is free, and then taken for ever, by one compare-exchange. Who adds a key goes through its lines, tier by
//! tier, and through the words of each from the first on. Of a taken word with the key's tag, it asks whether that is
//! the key. A free one it tries to take; if another is faster, that word is a taken one, too, and looked at as such.
//! Keys for which every tier's line is full stand in a hash table behind a lock, the crowd: those of a native block
//! whose `Hash` is a bad one.
//!
//! Invariants
//!
//! 1. In a line, no free word stands before a taken one.
//! 2. A key has one word. It is in the key's line of the first tier in which that was not full when the key was added;
//!    those before are full ever since. So who meets a free word has seen all places where the key could be, and who
//!    takes that word with the compare-exchange takes the only one. A key is in the crowd only if all its lines are full.
//! 3. Who takes a word names the key of its id directly afterwards: all that takes time or can fail (a leaf is made, a
//!    key copied) comes before. Who finds a taken word whose id has no key yet waits for that, a few nanoseconds, or as
//!    long as the other thread is off its core: only where the tag is the same, so nearly always for the very key.
//!
//! Models: `loom-tests/state_table.rs`. All others pass over the words (`sync::brief`): to them, adding a key is one step.

use hashbrown::{HashTable, hash_table::Entry};

use crate::sync::{
    Mutex,
    atomic::Ordering,
    brief::{AtomicU64, OnceCell},
    weakened,
};

/// Words of a line.
const WORDS: usize = if cfg!(chorus_loom) { 1 } else { 8 };
/// Lines of the first tier of the smallest index.
const FEWEST: usize = if cfg!(chorus_loom) { 1 } else { 8 };
/// Lines that are made together: a page.
const SEGMENT: usize = 64;
/// The second is twice as large as the first, each after that four times as large as the one before it.
const TIERS: usize = if cfg!(chorus_loom) { 4 } else { 10 };
/// Lines of a tier at most, 128 MiB of them if all are made: no key alone has a tier made that is not worth it.
const MOST: usize = FEWEST << (2 * (TIERS - 1));

/// Words of one cache line.
#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU64; WORDS]);

/// Some lines of a tier, made when first used.
type Segment = OnceCell<Box<[Line]>>;

/// Ids of at most 31 bits and a flag, by the hashes of their keys.
pub(super) struct Index {
    /// Lines of tier 0, a power of two.
    lines: usize,
    tiers: [OnceCell<Box<[Segment]>>; TIERS],
    /// Hashes and ids of keys whose lines are full.
    crowd: Mutex<HashTable<(u64, u32)>>,
}

/// What was found where a key was to be added.
pub(super) enum Place {
    /// It is there, with this id.
    Known(u32),
    /// It is there from now on, with the id that was offered. Whoever looks for a key with the same tag waits until
    /// this one's is known.
    Added(u32),
}

impl Index {
    /// An index that will probably get so many keys.
    pub(super) fn expecting(keys: usize) -> Self {
        let lines = (keys / WORDS).saturating_mul(2);
        Self {
            lines: lines.clamp(FEWEST, MOST).next_power_of_two(),
            tiers: std::array::from_fn(|_| OnceCell::new()),
            crowd: Mutex::default(),
        }
    }

    /// The id with that hash that `is` the key's, if there is one.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        for (tier, segments) in self.tiers() {
            let line = self.line(tier, hash);
            let lines = segments.get()?[line / SEGMENT].get()?;
            for word in &lines[line % SEGMENT].0 {
                match word.load(Ordering::Acquire) {
                    0 => return None,
                    taken => {
                        if let Some(id) = id_of(taken, hash).filter(|id| is(*id)) {
                            return Some(id);
                        }
                    }
                }
            }
        }
        self.find_in_crowd(hash, is)
    }

    /// Has the processor get the lines in which keys of that hash are, for one who will look there soon: it does so
    /// for several at a time. (For the slots that a worker has guessed hashes of it gains nothing: of 37,000 ERC-20 transfers
    /// the same processor time with and without.)
    #[inline]
    pub(super) fn get_ready(&self, hash: u64) {
        for (tier, segments) in self.tiers() {
            let line = self.line(tier, hash);
            let Some(segments) = segments.get() else { return };
            let Some(lines) = segments[line / SEGMENT].get() else { return };
            std::hint::black_box(lines[line % SEGMENT].0[0].load(Ordering::Relaxed));
        }
    }

    /// Finds the key, or adds it with the id that is offered, which is asked for once, if at all, and in vain if another
    /// adds the key meanwhile.
    #[inline]
    pub(super) fn find_or_add(
        &self,
        hash: u64,
        is: impl Fn(u32) -> bool,
        mut offer: impl FnMut() -> u32,
    ) -> Place {
        let mut offered = None;
        for (tier, segments) in self.tiers() {
            let line = self.line(tier, hash);
            let segments = segments.get_or_init(|| self.tier(tier));
            let lines = segments[line / SEGMENT].get_or_init(|| self.segment(tier));
            for word in &lines[line % SEGMENT].0 {
                let mut taken = word.load(Ordering::Acquire);
                if taken == 0 {
                    let id = *offered.get_or_insert_with(&mut offer);
                    match take(word, hash >> 32 << 32 | u64::from(!id)) {
                        Ok(_) => return Place::Added(id),
                        Err(faster) => taken = faster,
                    }
                    if weakened("index.faster") {
                        continue;
                    }
                }
                if let Some(id) = id_of(taken, hash).filter(|id| is(*id)) {
                    return Place::Known(id);
                }
            }
        }
        self.find_or_add_in_crowd(hash, is, || *offered.get_or_insert_with(&mut offer))
    }

    #[cold]
    #[inline(never)]
    fn find_in_crowd(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let same = |(other, id): &(u64, u32)| *other == hash && is(*id);
        self.crowd.lock().find(hash, same).map(|(_, id)| *id)
    }

    #[cold]
    #[inline(never)]
    fn find_or_add_in_crowd(
        &self,
        hash: u64,
        is: impl Fn(u32) -> bool,
        offer: impl FnOnce() -> u32,
    ) -> Place {
        let same = |(other, id): &(u64, u32)| *other == hash && is(*id);
        if weakened("index.crowd-locked") && self.crowd.lock().find(hash, same).is_none() {
            let id = offer();
            self.crowd.lock().insert_unique(hash, (hash, id), |(hash, _)| *hash);
            return Place::Added(id);
        }
        match self.crowd.lock().entry(hash, same, |(hash, _)| *hash) {
            Entry::Occupied(there) => Place::Known(there.get().1),
            Entry::Vacant(free) => {
                let id = offer();
                free.insert((hash, id));
                Place::Added(id)
            }
        }
    }

    /// The tiers that this index can have, and their numbers.
    #[inline]
    fn tiers(&self) -> impl Iterator<Item = (usize, &OnceCell<Box<[Segment]>>)> {
        self.tiers.iter().enumerate().take_while(|(tier, _)| self.lines_of(*tier) <= MOST)
    }

    /// How many lines a tier has. The second one gets the few keys that crowd in the first, if there are no more than
    /// were expected, so it is small.
    #[inline]
    fn lines_of(&self, tier: usize) -> usize {
        self.lines << (2 * tier).saturating_sub(1)
    }

    /// Where a hash's line is in a tier. Of the low half: the tag is the other one.
    fn line(&self, tier: usize, hash: u64) -> usize {
        hash as u32 as usize & (self.lines_of(tier) - 1)
    }

    #[cold]
    fn tier(&self, tier: usize) -> Box<[Segment]> {
        let lines = self.lines_of(tier);
        (0..lines.div_ceil(SEGMENT)).map(|_| OnceCell::new()).collect()
    }

    #[cold]
    fn segment(&self, tier: usize) -> Box<[Line]> {
        let lines = self.lines_of(tier);
        (0..lines.min(SEGMENT)).map(|_| Line::default()).collect()
    }
}

/// Takes a free word, unless another is faster.
fn take(word: &AtomicU64, own: u64) -> Result<u64, u64> {
    if weakened("index.take") {
        word.store(own, Ordering::Release);
        return Ok(0);
    }
    word.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire)
}

/// The id of a word that was taken for a key with the same half of its hash.
fn id_of(taken: u64, hash: u64) -> Option<u32> {
    (taken >> 32 == hash >> 32).then_some(!(taken as u32))
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    /// What finding or adding a number, which is its own id, comes to.
    fn add(index: &Index, hash: u64, number: u32) -> (u32, bool) {
        match index.find_or_add(hash, |id| id == number, || number) {
            Place::Known(id) => (id, false),
            Place::Added(id) => (id, true),
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart_however_many_they_are() {
        let index = Index::expecting(1_000);
        for round in 0..2 {
            for number in 0..1_000 {
                assert_eq!(add(&index, 7, number), (number, round == 0));
                assert_eq!(index.find(7, |id| id == number), Some(number));
                assert_eq!(index.find(7, |id| id == 1_000), None);
            }
        }
        assert!(!index.crowd.lock().is_empty(), "more keys than the tiers have words for them");
    }

    #[test]
    fn an_index_that_expected_less_or_more_finds_what_was_added() {
        for expected in [0, 100, 100_000, usize::MAX] {
            let index = Index::expecting(expected);
            let hash = |number: u32| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for number in 0..100_000 {
                assert_eq!(add(&index, hash(number), number), (number, true));
            }
            for number in 0..100_000 {
                assert_eq!(index.find(hash(number), |id| id == number), Some(number));
            }
            assert_eq!(index.find(hash(100_000), |id| id == 100_000), None);
            assert!(index.crowd.lock().is_empty(), "no key in the crowd, with that hash");
        }
    }
}
