//! Since when, or from when on, each location is at hand.
//!
//! Whoever needs a location looks first, and most looks find nothing. So a bit per
//! hash says of most that they are not in the table, without its lock; what the bit lets through, the
//! table knows. And what is asked for together is looked up under one lock: the table is larger than
//! a processor's cache, and between two locks it would wait for one place of it at a time, which took
//! 0.25 µs per read.
//!
//! A bit is set under the lock, with what it stands for. Who sees it unset, because it is being set, finds
//! that the location is not at hand, asks for it, and meets the table.

use std::hash::{BuildHasher, Hasher};

use alloy_primitives::Address;
use hashbrown::HashTable;

use super::Query;
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Bits of those that may be in the table: 128 KiB of them. A block reads a tenth as many locations.
const BITS: usize = 1 << 20;

/// When each location is at hand, by its hash: a third of what the locations themselves would take, so
/// that most of it stays in the cache. Two of a million have the same hash once in 30 million runs, and
/// then the second is at hand with the first.
pub(super) struct Arrivals {
    random: foldhash::quality::FixedState,
    /// Before all reads: what is at hand since then is at hand.
    epoch: Instant,
    met: Box<[AtomicU64]>,
    table: Mutex<Table>,
}

/// By its hash, the nanoseconds from the epoch to its arrival.
type Table = HashTable<(u64, u64)>;

/// The arrivals, for one who asks for several.
pub(super) struct Locked<'a> {
    all: &'a Arrivals,
    table: MutexGuard<'a, Table>,
}

impl Arrivals {
    /// None. The seed is that of the hashes.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: foldhash::quality::FixedState::with_seed(seed),
            epoch: Instant::now(),
            met: (0..BITS / 64).map(|_| AtomicU64::new(0)).collect(),
            table: Mutex::default(),
        }
    }

    /// Forgets all. For the time between two blocks.
    pub(super) fn forget(&self) {
        let mut table = self.table.lock();
        table.clear();
        self.met.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// Whether the location has been asked for and is at hand by now.
    pub(super) fn has_arrived(&self, location: &Query) -> bool {
        let hash = self.hash(location);
        let (word, bit) = self.bit(hash);
        if word.load(Ordering::Relaxed) & bit == 0 {
            return false;
        }
        let at = self.table.lock().find(hash, |(other, _)| *other == hash).map(|(_, at)| *at);
        at.is_some_and(|at| at == 0 || self.instant(at) <= Instant::now())
    }

    /// The location is at hand: spares later readers the clock.
    pub(super) fn arrived(&self, location: &Query) {
        let hash = self.hash(location);
        if let Some((_, at)) = self.table.lock().find_mut(hash, |(other, _)| *other == hash) {
            *at = 0;
        }
    }

    /// For one who asks for several.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { all: self, table: self.table.lock() }
    }

    fn instant(&self, at: u64) -> Instant {
        self.epoch + Duration::from_nanos(at)
    }

    fn bit(&self, hash: u64) -> (&AtomicU64, u64) {
        // The table goes by the low bits and the top seven; take some from between.
        let bit = (hash >> 32) as usize % BITS;
        (&self.met[bit / 64], 1 << (bit % 64))
    }

    /// Of all words of a location, one by one: bytes are hashed more slowly. An account's storage root comes with the
    /// account.
    ///
    /// A location that has just been copied is in the processor's queue of stores still. A word that lies in two of
    /// those waits until both are out, behind what misses the cache; so nothing is copied here, and an address is read
    /// as it is stored, 16 bytes and 4.
    pub(super) fn hash(&self, location: &Query) -> u64 {
        let mut hasher = self.random.build_hasher();
        let mut address = |address: &Address| {
            let (high, low) = address.split_at(16);
            hasher.write_u128(u128::from_le_bytes(high.try_into().unwrap_or_default()));
            hasher.write_u32(u32::from_le_bytes(low.try_into().unwrap_or_default()));
        };
        match location {
            Query::Account(account) | Query::HasStorage(account) => address(account),
            Query::Slot(account, slot) => {
                address(account);
                slot.as_limbs().iter().for_each(|limb| hasher.write_u64(*limb));
            }
            Query::BlockHash(number) => hasher.write_u64(*number),
        }
        hasher.finish()
    }
}

impl Locked<'_> {
    /// When the location of that hash arrives, which is what `at` makes of it if it was not asked for before;
    /// and whether it was not.
    pub(super) fn find_or_insert(
        &mut self,
        hash: u64,
        at: impl FnOnce(u64) -> Instant,
    ) -> (Instant, bool) {
        if let Some((_, at)) = self.table.find(hash, |(other, _)| *other == hash) {
            return (self.all.instant(*at), false);
        }
        let at = at(hash);
        let nanoseconds = at.saturating_duration_since(self.all.epoch).as_nanos();
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX);
        self.table.insert_unique(hash, (hash, nanoseconds), |(other, _)| *other);
        let (word, bit) = self.all.bit(hash);
        // Nobody else writes: this thread has the lock.
        word.store(word.load(Ordering::Relaxed) | bit, Ordering::Relaxed);
        (at, true)
    }
}
