//! What is counted, and what follows from the counts.

use super::Class;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The counters of blocks that come from the heap. Any thread changes them, so they are atomic.
///
/// Those of the pool's own blocks are counted in their slots, under the slot's lock, which costs
/// nothing: three counters that all threads wrote cost a hand-out and return 18 ns of 62.
pub(super) struct HeapCounters {
    taken: AtomicU64,
    in_use: AtomicU64,
}

impl HeapCounters {
    pub(super) fn new() -> Self {
        Self { taken: AtomicU64::new(0), in_use: AtomicU64::new(0) }
    }

    pub(super) fn take(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        // Release: who sees the block in use sees it counted above.
        self.in_use.fetch_add(1, Ordering::Release);
    }

    pub(super) fn put(&self) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn add_to(&self, stats: &mut ClassStats) {
        let in_use = self.in_use.load(Ordering::Acquire);
        let taken = self.taken.load(Ordering::Relaxed);
        stats.heap_in_use += in_use;
        stats.fallbacks += taken;
        stats.allocations += taken;
        stats.frees += taken.saturating_sub(in_use);
    }
}

/// One class at one time.
///
/// While other threads work, each figure is true of some moment of the reading, not all of the same.
/// At rest, `in_use + free + quarantined` is the capacity, and `allocations − frees` is `in_use +
/// heap_in_use`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassStats {
    /// Of which class this is.
    pub class: Class,
    /// How many blocks the pool has.
    pub capacity: u32,
    /// How many of the pool's own blocks are handed out; at most the capacity.
    pub in_use: u32,
    /// The most of them that were not free at a time: handed out, or held back. A peak that lies
    /// within a compaction may be missed.
    pub high_water: u32,
    /// Blocks handed out since the pool was made, those of the heap included.
    pub allocations: u64,
    /// Blocks that came back, those of the heap included.
    pub frees: u64,
    /// Blocks that came from the heap because the pool had none.
    pub fallbacks: u64,
    /// How many of these are still handed out.
    pub heap_in_use: u64,
    /// How many of the pool's blocks are free.
    pub free: u32,
    /// How many of the pool's blocks have come back and are held back until the quarantine is released.
    pub quarantined: u32,
    /// The most free blocks that are adjacent in memory.
    pub largest_free_run: u32,
    /// Free blocks at the end of those counted so far.
    run: u32,
}

impl ClassStats {
    /// Of no block yet. The blocks are counted one by one, in the order of their addresses, each with
    /// how often it was handed out.
    pub(super) fn empty(class: Class, capacity: u32) -> Self {
        Self {
            class,
            capacity,
            in_use: 0,
            high_water: 0,
            allocations: 0,
            frees: 0,
            fallbacks: 0,
            heap_in_use: 0,
            free: 0,
            quarantined: 0,
            largest_free_run: 0,
            run: 0,
        }
    }

    pub(super) fn count_in_use(&mut self, uses: u64) {
        self.in_use += 1;
        self.run = 0;
        self.allocations += uses;
        self.frees += uses.saturating_sub(1);
    }

    pub(super) fn count_free(&mut self, uses: u64) {
        self.free += 1;
        self.run += 1;
        self.largest_free_run = self.largest_free_run.max(self.run);
        self.allocations += uses;
        self.frees += uses;
    }

    pub(super) fn count_quarantined(&mut self, uses: u64) {
        self.quarantined += 1;
        self.run = 0;
        self.allocations += uses;
        self.frees += uses;
    }

    /// The part of the capacity that is in use, 0 to 1; 0 for a class without blocks.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        if self.capacity == 0 { 0.0 } else { f64::from(self.in_use) / f64::from(self.capacity) }
    }

    /// 1 − (largest run of adjacent free blocks ÷ free blocks): 0 if the free blocks are one run,
    /// near 1 if none has a free neighbour. 0 without free blocks.
    #[must_use]
    pub fn fragmentation(&self) -> f64 {
        if self.free == 0 {
            0.0
        } else {
            1.0 - f64::from(self.largest_free_run) / f64::from(self.free)
        }
    }
}

/// Every class at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// In the order of [`Class::ALL`].
    pub classes: [ClassStats; 4],
}

impl PoolStats {
    /// The figures of one class.
    #[must_use]
    pub fn of(&self, class: Class) -> &ClassStats {
        &self.classes[class.index()]
    }
}
