//! Leases: who keeps a record from being collected.
//!
//! A record of the table can be destroyed while contexts, mappings, snapshots and exports still
//! reach it, through an old table too. Each of them holds a lease, or goes by one that its worker holds for
//! the block, and the collector retires the record when there is none. A retired record gives no lease any
//! more: who finds one in an old table looks into a newer table.
//!
//! ```text
//!  word:  63 ─────────────── 1   0
//!        ┌────────────────────┬─────────┐
//!        │       count        │ retired │
//!        └────────────────────┴─────────┘
//! ```
//!
//! | from | to | by |
//! |---|---|---|
//! | (n, live) | (n+1, live) | `try_lease` |
//! | (n+1, live) | (n, live) | the lease's drop |
//! | (0, live) | (0, retired) | `retire`, once |
//!
//! - **A leased record is not retired**, and a retired one is not leased: both are one comparing step
//!   on one word, so whichever is second finds the first.
//! - **Retiring is after every use.** A lease is given back with release, and retiring acquires: the
//!   changes of the word are read-modify-writes, hence one release sequence, and whatever any holder
//!   did under its lease is before the collector's next step.
//!
//! `loom-tests/registry_lease.rs` explores lease against destroy against collect.

use crate::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    weakened,
};

const RETIRED: u64 = 1;
const ONE: u64 = 2;

/// A record's leases, of which it holds a clone in every table.
#[derive(Clone, Debug)]
pub struct Leases(Arc<AtomicU64>);

/// Keeps a record from being retired. Dropping it gives it back.
#[derive(Debug)]
#[must_use]
pub struct Lease(Arc<AtomicU64>);

/// What came of an attempt to retire a record.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// It is retired, by this call: what it holds is the caller's to free.
    Now,
    /// It was retired before.
    Before,
    /// That many leases are out; nothing changed.
    Leased(u64),
}

impl Leases {
    /// For a record that nobody holds.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// A lease, unless the record is retired.
    #[must_use]
    pub fn try_lease(&self) -> Option<Lease> {
        let mut word = self.0.load(Ordering::Relaxed);
        if weakened("lease.compares") {
            self.0.fetch_add(ONE, Ordering::AcqRel);
            return (word & RETIRED == 0).then(|| Lease(self.0.clone()));
        }
        loop {
            if word & RETIRED != 0 {
                return None;
            }
            let next = word + ONE;
            match self.0.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Lease(self.0.clone())),
                Err(now) => word = now,
            }
        }
    }

    /// Retires the record if nobody has a lease. From then on nobody gets one.
    pub fn retire(&self) -> Retired {
        let word = self.0.load(Ordering::Relaxed);
        if weakened("lease.retire-compares") && word == 0 {
            self.0.fetch_or(RETIRED, Ordering::AcqRel);
            return Retired::Now;
        }
        let order =
            if weakened("lease.retire-acquires") { Ordering::Relaxed } else { Ordering::Acquire };
        match self.0.compare_exchange(0, RETIRED, order, Ordering::Relaxed) {
            Ok(_) => Retired::Now,
            Err(word) if word & RETIRED != 0 => Retired::Before,
            Err(word) => Retired::Leased(word / ONE),
        }
    }

    /// How many leases are out. A hint: it may change at once.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / ONE
    }

    /// Whether the record is retired. Never taken back.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.0.load(Ordering::Acquire) & RETIRED != 0
    }

    /// Whether both are the leases of one record.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for Leases {
    fn default() -> Self {
        Self::new()
    }
}

impl Lease {
    /// Another lease of the same record, which cannot be retired meanwhile.
    pub fn again(&self) -> Self {
        self.0.fetch_add(ONE, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let order = if weakened("lease.release") { Ordering::Relaxed } else { Ordering::Release };
        self.0.fetch_sub(ONE, order);
    }
}
