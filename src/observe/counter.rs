//! Counts that only grow, added to by many threads and summed by few.
//!
//! One atomic that all workers add to would pass its cache line around with every addition. Here
//! each worker adds to a shard of its own; whoever wants the numbers adds the shards up. A shard
//! holds all counters side by side, so that the several additions of one event share their lines:
//!
//! ```text
//!            counter 0   counter 1   counter 2
//!  shard 0 [     5           0           2    ]  padded to cache lines: worker 0, 2, 4, ...
//!  shard 1 [     1           7           0    ]  worker 1, 3, 5, ...
//!  shown         6           7           2
//! ```
//!
//! A shard is not owned: it is right for any thread to name any of them, only slower.
//!
//! # What is seen together
//!
//! A snapshot reads one counter after another while others add. Let counter `e` count an effect of
//! what counter `c` counts, `c < e`, and let every addition to `e` happen after the addition to `c`
//! that belongs to it (by the same thread, or handed over). Then
//!
//! > no snapshot shows more of `e` than is explained by what it shows of `c`.
//!
//! ```text
//!  who counts                         who reads
//!  W1  add to c, in any shard         R1  read e in all shards (acquire)
//!  W2  add to e, in any shard         R2  read c in all shards
//!      (release)
//! ```
//!
//! If R1 sees W2, then W1 happened before W2, W2 before R1 (an addition that reads another one
//! continues its release sequence) and R1 before R2, so R2 sees W1. Hence the two rules: **additions
//! release and reads acquire**, whatever the counter; and **a snapshot reads from the highest index
//! to the lowest**, so whoever lays counters out puts causes below effects. Without the second, `c`
//! would be read, then an event counted in both, then `e`.
//!
//! Single counters are monotone for a weaker reason: what is only added to is read in its order of
//! modification, shard by shard. `loom-tests/observe_metrics.rs` explores all of this.

use std::array;

use crossbeam_utils::CachePadded;

use crate::sync::{
    atomic::{AtomicU64, Ordering},
    weakened,
};

/// The most shards that [`Counters`] have. More workers than that share them.
pub const MAX_SHARDS: usize = 16;

/// `N` counters in shards. A counter wraps at 2⁶⁴.
#[derive(Debug)]
pub struct Counters<const N: usize> {
    /// A power of two of them.
    shards: Box<[CachePadded<[AtomicU64; N]>]>,
}

impl<const N: usize> Counters<N> {
    /// Counters at zero for so many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let shards = workers.clamp(1, MAX_SHARDS).next_power_of_two();
        let shard = || CachePadded::new(array::from_fn(|_| AtomicU64::new(0)));
        Self { shards: (0..shards).map(|_| shard()).collect() }
    }

    /// Adds `amount` to one counter. `shard` is the worker's number, or any number.
    ///
    /// # Panics
    ///
    /// If there is no such counter.
    pub fn add(&self, shard: usize, counter: usize, amount: u64) {
        // Most numbers of most events are zero, and a load of the constant is cheaper than an
        // addition.
        if amount == 0 {
            return;
        }
        let counter = &self.shards[shard & (self.shards.len() - 1)][counter];
        if weakened("counter.add-rmw") {
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
        } else if weakened("counter.add-release") {
            counter.fetch_add(amount, Ordering::Relaxed);
        } else {
            // Release: with the acquire of `sum`, see the module.
            counter.fetch_add(amount, Ordering::Release);
        }
    }

    /// All counters; a later snapshot shows no less of any. See the module for what two counters
    /// of one snapshot have to do with each other.
    #[must_use]
    pub fn snapshot(&self) -> [u64; N] {
        let mut sums = [0; N];
        if weakened("counter.effects-first") {
            (0..N).for_each(|counter| sums[counter] = self.sum(counter));
        } else {
            (0..N).rev().for_each(|counter| sums[counter] = self.sum(counter));
        }
        sums
    }

    fn sum(&self, counter: usize) -> u64 {
        // Acquire: with the release of `add`, see the module.
        let order =
            if weakened("counter.sum-acquire") { Ordering::Relaxed } else { Ordering::Acquire };
        self.shards.iter().map(|shard| shard[counter].load(order)).fold(0, u64::wrapping_add)
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn any_number_names_a_shard() {
        for workers in [0, 1, 2, 3, 5, 16, 17, 1024, usize::MAX] {
            let counters = Counters::<2>::new(workers);
            assert!(counters.shards.len() <= MAX_SHARDS, "{workers}");
            for shard in [0, 1, 2, 15, 16, 1023, usize::MAX] {
                counters.add(shard, 1, 3);
            }
            assert_eq!(counters.snapshot(), [0, 21], "{workers}");
        }
    }

    #[test]
    fn shards_do_not_share_a_cache_line() {
        let counters = Counters::<3>::new(2);
        let [one, other] = [0, 1].map(|shard| (&raw const counters.shards[shard]).addr());
        assert!(one.abs_diff(other) >= 64, "{one:x} {other:x}");
    }
}
