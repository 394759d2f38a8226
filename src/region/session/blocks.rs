//! The pool blocks that a transaction holds.
//!
//! How many it holds of each class is what the chain's quota is about, and is journaled. Each one is
//! reserved in the host's pools, so that their figures show what contracts hold; the reservations
//! follow the number, whether it changes by an operation or by a revert, and end with the session. No
//! contract sees them: a class without a free block counts a fallback.
//!
//! What a block's region holds are pages like those of any region, which come from the heap;
//! [`pool`](crate::pool) says what was measured.

use crate::{
    pool::{Class, Pools, Reservation},
    sync::Arc,
};

/// See the module.
#[derive(Default)]
pub(super) struct Blocks {
    counts: [u32; 4],
    pools: Option<Arc<Pools>>,
    reservations: [Vec<Reservation>; 4],
}

impl Blocks {
    /// Takes reservations from here from now on, if it did from nowhere.
    pub(super) fn take_from(&mut self, pools: Option<&Arc<Pools>>) {
        if self.pools.is_none() {
            self.pools = pools.cloned();
        }
    }

    /// How many of a class there are.
    pub(super) fn count(&self, class: Class) -> u32 {
        self.counts[class as usize]
    }

    /// Sets how many of a class there are; returns how many there were.
    pub(super) fn set(&mut self, class: Class, count: u32) -> u32 {
        if let Some(pools) = &self.pools {
            let reservations = &mut self.reservations[class as usize];
            reservations.truncate(count as usize);
            while reservations.len() < count as usize {
                reservations.push(pools.reserve(class));
            }
        }
        std::mem::replace(&mut self.counts[class as usize], count)
    }
}
