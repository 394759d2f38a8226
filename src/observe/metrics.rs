//! The numbers of one shared memory, added to by everybody who uses it.

use std::array;

use super::{Counters, Gauge, MetricsSnapshot, Usage};
use crate::sync::time::Duration;

/// The counters after those of [`Usage`]: how this run went. Causes stand before effects.
#[derive(Clone, Copy)]
enum Host {
    RegistryRequests,
    Collections,
    CollectedBytes,
    CollectionNanoseconds,
}

impl Host {
    const COUNT: usize = 4;

    const fn index(self) -> usize {
        Usage::NUMBERS + self as usize
    }
}

const NUMBERS: usize = Usage::NUMBERS + Host::COUNT;

/// What shared memory did since it was made, and what it holds.
///
/// Everything is counted through `&self`, from any thread. `shard` is the number of the worker that
/// counts, or any number: it decides the speed and not the sum.
#[derive(Debug)]
pub struct RegionMetrics {
    counters: Counters<NUMBERS>,
    page_bytes: Gauge,
    compressed_pages: Gauge,
    spilled_pages: Gauge,
}

impl RegionMetrics {
    /// Metrics at zero, for so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            counters: Counters::new(workers),
            page_bytes: Gauge::default(),
            compressed_pages: Gauge::default(),
            spilled_pages: Gauge::default(),
        }
    }

    /// Adds what a committed transaction did.
    pub fn absorb(&self, shard: usize, usage: &Usage) {
        for (counter, amount) in usage.to_numbers().into_iter().enumerate() {
            self.counters.add(shard, counter, amount);
        }
    }

    /// Counts requests to the registry, of speculative incarnations too.
    pub fn registry_requests(&self, shard: usize, requests: u64) {
        self.counters.add(shard, Host::RegistryRequests.index(), requests);
    }

    /// Counts a run of the collector: what it freed and how long it took.
    pub fn collection(&self, shard: usize, freed_bytes: u64, took: Duration) {
        // Half a millennium fits.
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counters.add(shard, Host::Collections.index(), 1);
        self.counters.add(shard, Host::CollectedBytes.index(), freed_bytes);
        self.counters.add(shard, Host::CollectionNanoseconds.index(), nanoseconds);
    }

    /// Bytes of the pages of persistent regions that are in memory, compressed or not, destroyed
    /// regions that wait for the collector included. What transactions and blocks hold besides is
    /// not: it would have to be counted at every page they make.
    #[must_use]
    pub fn page_bytes(&self) -> &Gauge {
        &self.page_bytes
    }

    /// Pages that are in memory in compressed form.
    #[must_use]
    pub fn compressed_pages(&self) -> &Gauge {
        &self.compressed_pages
    }

    /// Pages that are in a file and not in memory.
    #[must_use]
    pub fn spilled_pages(&self) -> &Gauge {
        &self.spilled_pages
    }

    /// The numbers now. What holds between them, and between two snapshots, stands in the
    /// [module](crate::observe).
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let numbers = self.counters.snapshot();
        let host = |number: Host| numbers[number.index()];
        MetricsSnapshot {
            usage: Usage::from_numbers(array::from_fn(|counter| numbers[counter])),
            registry_requests: host(Host::RegistryRequests),
            collections: host(Host::Collections),
            collected_bytes: host(Host::CollectedBytes),
            collection_time: Duration::from_nanos(host(Host::CollectionNanoseconds)),
            page_bytes: self.page_bytes.read(),
            compressed_pages: self.compressed_pages.read(),
            spilled_pages: self.spilled_pages.read(),
            pools: None,
        }
    }
}
