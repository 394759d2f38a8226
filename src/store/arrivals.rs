//! Since when, or from when on, each location is at hand.
//!
//! What is asked for together is looked up under one lock: the table is larger than a processor's cache, and between
//! two locks it would wait for one place of it at a time, which took 0.25 µs per read.

use std::hash::{BuildHasher, Hasher};

use alloy_primitives::Address;
use hashbrown::{HashTable, hash_table::Entry};

use super::Query;
use crate::sync::{
    Mutex, MutexGuard,
    time::{Duration, Instant},
};

/// When each location is at hand, by its hash: a third of what the locations themselves would take, so
/// that most of it stays in the cache. Two of a million have the same hash once in 30 million runs, and
/// then the second is at hand with the first.
pub(super) struct Arrivals {
    random: foldhash::quality::FixedState,
    /// Before all reads: what is at hand since then is at hand.
    epoch: Instant,
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
            table: Mutex::default(),
        }
    }

    /// Forgets all. For the time between two blocks.
    pub(super) fn forget(&self) {
        self.table.lock().clear();
    }

    /// Whether the location has been asked for and is at hand by now.
    pub(super) fn has_arrived(&self, location: &Query) -> bool {
        let hash = self.hash(location);
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
    /// Looks for all of them, for one who looks for each again next: what they miss the processor's caches for comes
    /// together.
    pub(super) fn get_ready(&self, hashes: &[u64]) {
        let known = |hash: &&u64| self.table.find(**hash, |(other, _)| other == *hash).is_some();
        std::hint::black_box(hashes.iter().filter(known).count());
    }

    /// When the location of that hash arrives, which is what `at` makes of it if it was not asked for before;
    /// and whether it was not.
    pub(super) fn find_or_insert(
        &mut self,
        hash: u64,
        at: impl FnOnce(u64) -> Instant,
    ) -> (Instant, bool) {
        match self.table.entry(hash, |(other, _)| *other == hash, |(other, _)| *other) {
            Entry::Occupied(there) => (self.all.instant(there.get().1), false),
            Entry::Vacant(free) => {
                let at = at(hash);
                let nanoseconds = at.saturating_duration_since(self.all.epoch).as_nanos();
                free.insert((hash, u64::try_from(nanoseconds).unwrap_or(u64::MAX)));
                (at, true)
            }
        }
    }
}
