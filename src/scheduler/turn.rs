//! Who runs a transaction: any worker ahead of its turn, or the commit step when its turn has come.
//!
//! Some transactions are cheaper to run than to pass around. The machine reserves them for the commit step
//! before the block begins; there they see committed state only, and need no versions, no validation and no
//! second incarnation.
//!
//! | state | meaning | left by |
//! |---|---|---|
//! | anyone's | like any other | – |
//! | reserved | nobody runs it before its turn | a worker that finds that it is not so cheap: anyone's. The commit step at its turn: taken |
//! | taken | the commit step runs it | the commit step, if it cannot: anyone's |
//!
//! A reserved transaction is idle all the while. One of the two that leave the state wins, because both do it by
//! a read-modify-write: so a transaction is not started by a worker while the commit step runs it. That
//! the commit step comes by is the duty of whoever moves the cursor, or looks for work: a reserved
//! transaction at the frontier is work ([`super::Scheduler::can_commit`]).
//!
//! `loom-tests/context_run.rs` explores it.

use crate::sync::{
    atomic::{AtomicU32, Ordering},
    weakened,
};

const ANYONES: u32 = 0;
const RESERVED: u32 = 1;
const TAKEN: u32 = 2;

/// Who runs one transaction.
#[derive(Debug, Default)]
pub struct Turn(AtomicU32);

impl Turn {
    /// Reserves it for the commit step. Before the block's workers begin.
    pub fn reserve(&self) {
        self.0.store(RESERVED, Ordering::Relaxed);
    }

    /// Whether it is reserved, and not taken yet.
    #[inline]
    pub fn is_reserved(&self) -> bool {
        // Relaxed: what decides is the exchange; what a sleeper has to see is ordered by the fences of
        // `Sleepers`.
        self.0.load(Ordering::Relaxed) == RESERVED
    }

    /// Whether a worker may run it now.
    #[inline]
    pub fn is_anyones(&self) -> bool {
        let reserved = weakened("turn.taken-is-not-anyones") && !self.is_reserved();
        self.0.load(Ordering::Relaxed) == ANYONES || reserved
    }

    /// Takes it for the commit step.
    #[must_use]
    pub fn take(&self) -> bool {
        self.leave(TAKEN)
    }

    /// Makes it anyone's, ahead of its turn. `false`: it is already, or is taken.
    #[must_use]
    pub fn release(&self) -> bool {
        self.leave(ANYONES)
    }

    /// Makes it anyone's, after the commit step took it in vain.
    pub fn give_up(&self) {
        self.0.store(ANYONES, Ordering::Relaxed);
    }

    fn leave(&self, to: u32) -> bool {
        if weakened("turn.leave-rmw") {
            let reserved = self.is_reserved();
            self.0.store(to, Ordering::Relaxed);
            return reserved;
        }
        // Relaxed: the state alone is handed over. What the transaction is run on is ordered by the
        // cursor's token, or by its phase.
        self.0.compare_exchange(RESERVED, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
