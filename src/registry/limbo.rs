//! Where destroyed records wait until their leases end.
//!
//! Destroying a record takes it out of the table and puts it here, with what it holds. The
//! collector sweeps: it retires the records that nobody has a lease of any more and hands them out to
//! be freed. A sweep looks at a bounded number of records and starts with those that waited longest
//! since they were looked at, so that a few long leases keep nobody else here.
//!
//! One actor owns it; what is shared is in [`Leases`]. It is bounded: a full limbo refuses, and its
//! owner sweeps, or refuses to destroy.

use std::collections::VecDeque;

use super::lease::{Leases, Retired};

/// See the module.
#[derive(Debug)]
pub struct Limbo<T> {
    waiting: VecDeque<(T, Leases)>,
    capacity: usize,
}

/// A record that was destroyed when the limbo was full; it is still there.
#[derive(Debug, thiserror::Error)]
#[error("{capacity} destroyed records already wait for their leases to end")]
pub struct LimboFull<T> {
    /// How many wait at most.
    pub capacity: usize,
    /// The record, given back.
    pub record: T,
}

/// What a sweep did.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Records retired and handed out.
    pub freed: usize,
    /// Records looked at that are leased.
    pub leased: usize,
    /// Records that wait now, looked at or not.
    pub waiting: usize,
}

impl<T> Limbo<T> {
    /// An empty limbo for at most `capacity` records.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { waiting: VecDeque::new(), capacity }
    }

    /// Lets a destroyed record wait until its leases have ended.
    ///
    /// # Errors
    ///
    /// Gives the record back if the limbo is full.
    pub fn push(&mut self, record: T, leases: Leases) -> Result<(), LimboFull<T>> {
        if self.waiting.len() >= self.capacity {
            return Err(LimboFull { capacity: self.capacity, record });
        }
        self.waiting.push_back((record, leases));
        Ok(())
    }

    /// Looks at up to `budget` records, and hands those to `free` that nobody can reach any more.
    pub fn sweep(&mut self, budget: usize, free: impl FnMut(T)) -> Swept {
        self.sweep_unless(budget, |_| false, free)
    }

    /// The same, but records of which `reached` says that somebody can reach them without a lease
    /// count as leased.
    pub fn sweep_unless(
        &mut self,
        budget: usize,
        reached: impl Fn(&T) -> bool,
        mut free: impl FnMut(T),
    ) -> Swept {
        let mut swept = Swept::default();
        for _ in 0..budget.min(self.waiting.len()) {
            let Some((record, leases)) = self.waiting.pop_front() else { break };
            if reached(&record) {
                swept.leased += 1;
                self.waiting.push_back((record, leases));
                continue;
            }
            match leases.retire() {
                Retired::Now => {
                    swept.freed += 1;
                    free(record);
                }
                Retired::Leased(_) => {
                    swept.leased += 1;
                    self.waiting.push_back((record, leases));
                }
                // Whoever retired it frees what it holds; there is nothing to wait for.
                Retired::Before => {}
            }
        }
        swept.waiting = self.waiting.len();
        swept
    }

    /// How many records wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many records wait at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The records that wait.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|(record, _)| record)
    }
}
