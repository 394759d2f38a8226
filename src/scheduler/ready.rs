//! Which transaction runs next: the lowest that can.
//!
//! Transactions start in block order, so the ones never started are a counter, not a queue. Those
//! that come back (an aborted incarnation, a re-validation) are few and go through a heap; a hint of
//! its lowest index spares the heap's lock when it is empty.
//!
//! Invariants
//!
//! 1. A fresh index is handed out exactly once, in order, and only below the window's end. One that starts
//!    early ([`super::EarlyStarts`]) is handed out once before that, and once more when its turn comes.
//! 2. An index pushed back is handed out at least once afterwards. `hint` is at most the lowest
//!    index in the heap: it is lowered before a push's lock is released and raised only under the
//!    lock, so a worker that reads a high hint after the push has ended cannot miss the entry.
//! 3. Handing out an index is an offer. The receiver asks the transaction's [`super::Phase`], which
//!    decides; a spent offer is dropped.
//!
//! `loom-tests/scheduler_ready.rs` explores this.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use crossbeam_utils::CachePadded;

use super::EarlyStarts;
use crate::{
    state::TxIndex,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
        weakened,
    },
};

const EMPTY: u32 = u32::MAX;

/// The transactions that can run now, but for those that a worker already holds.
pub struct ReadyQueue {
    fresh: CachePadded<AtomicU32>,
    len: u32,
    hint: CachePadded<AtomicU32>,
    returned: Mutex<Returned>,
    early: EarlyStarts,
}

type Returned = BinaryHeap<Reverse<TxIndex>>;

impl ReadyQueue {
    /// A queue of transactions `0..len`, none of them started.
    pub fn new(len: u32) -> Self {
        Self::starting_at(0, len)
    }

    /// A queue of transactions `first..len`, none of them started.
    pub fn starting_at(first: u32, len: u32) -> Self {
        Self {
            fresh: CachePadded::new(AtomicU32::new(first)),
            len,
            hint: CachePadded::new(AtomicU32::new(EMPTY)),
            returned: Mutex::new(BinaryHeap::new()),
            early: EarlyStarts::default(),
        }
    }

    /// Lets some indices be handed out early.
    #[must_use]
    pub fn with_early_starts(self, early: EarlyStarts) -> Self {
        Self { early, ..self }
    }

    /// Offers `tx` again.
    pub fn push(&self, tx: TxIndex) {
        let mut returned = self.returned.lock();
        returned.push(Reverse(tx));
        if !weakened("ready.hint-lowered") {
            self.update_hint(returned);
        }
    }

    /// The lowest index that came back, if it is below `limit`; it is taken off the queue.
    pub fn pop_returned(&self, limit: u32) -> Option<TxIndex> {
        // Relaxed: the heap is read under its lock.
        let hint = self.hint.load(Ordering::Relaxed);
        if hint == EMPTY || hint >= limit {
            return None;
        }
        let mut returned = self.returned.lock();
        let lowest = returned.peek().filter(|lowest| lowest.0.0 < limit)?.0.0;
        returned.pop();
        self.update_hint(returned);
        Some(TxIndex(lowest))
    }

    /// Sets the hint to what the heap holds, and unlocks the heap.
    fn update_hint(&self, returned: MutexGuard<'_, Returned>) {
        let lowest = returned.peek().map_or(EMPTY, |lowest| lowest.0.0);
        if weakened("ready.hint-locked") {
            drop(returned);
            self.hint.store(lowest, Ordering::Relaxed);
            return;
        }
        // Relaxed: a worker about to sleep must see this store or be seen asleep by the pusher, and
        // the fences of `Sleepers` see to that.
        self.hint.store(lowest, Ordering::Relaxed);
    }

    /// Takes fresh indices, the lowest ones, if they are below `limit` and the window's `end`: as
    /// many as `batch` says for the first of them, at least one. Or one that is to start early, instead
    /// of them.
    pub fn pop_fresh(&self, end: u32, limit: u32, batch: impl Fn(u32) -> u32) -> Range<u32> {
        let end = end.min(self.len);
        // Relaxed: the indices are all that is handed over; what the transactions read is published
        // through the entries' locks.
        let mut next = self.fresh.load(Ordering::Relaxed);
        if next < end.min(limit)
            && let Some(TxIndex(early)) = self.early.pop(next, end)
        {
            return early..early + 1;
        }
        while next < end.min(limit) {
            let stop = next.saturating_add(batch(next).max(1)).min(end);
            if weakened("ready.fresh-rmw") {
                self.fresh.store(stop, Ordering::Relaxed);
                return next..stop;
            }
            match self.fresh.compare_exchange_weak(next, stop, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return next..stop,
                Err(now) => next = now,
            }
        }
        0..0
    }

    /// Whether anything is on offer: something that came back, below `limit`, or something fresh, below
    /// `end`.
    pub fn has_work(&self, limit: u32, end: u32) -> bool {
        self.hint.load(Ordering::Relaxed) < limit
            || self.fresh.load(Ordering::Relaxed) < end.min(self.len)
    }

    /// Transactions below this have been handed out at least once.
    pub fn started(&self) -> u32 {
        self.fresh.load(Ordering::Relaxed)
    }
}
