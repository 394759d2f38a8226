//! How a block is stopped from outside: by whoever cancels it, and by its deadline.
//!
//! ```text
//!   CancelToken ──┐                     ┌── waits in a queue
//!   deadline ─────┼── stop ──► Control ─┼── runs on the workers      (Halt)
//!   dropped future┘               │     └── runs on one thread
//!                                 └── the flag that running code polls
//! ```
//!
//! A block has one control from the moment somebody may stop it, and one target after another as it
//! moves on. Invariants:
//!
//! 1. A block is stopped once; the first reason stands.
//! 2. A stop is not lost between two targets: [`Control::attach`] and [`Control::stop`] exclude each
//!    other, and a target that is attached after the stop is halted at once.
//! 3. Who sees the flag raised finds its block halted: the flag is raised last.
//!
//! `loom-tests/context_control.rs` explores this.

use crate::sync::{
    Mutex, Weak,
    atomic::{AtomicBool, Ordering},
    time::Duration,
    weakened,
};

/// Why a block was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody cancelled it.
    Cancelled,
    /// It was not done in time.
    DeadlineExceeded {
        /// How long it was given, from the call that handed it in to its deadline.
        allowed: Duration,
    },
}

/// What can be stopped: a block, wherever it stands.
pub trait Halt: Send + Sync {
    /// Ends it early. Called at most once by a [`Control`], from any thread; must not block.
    fn halt(&self, reason: StopReason);
}

/// The one place through which a block is stopped.
#[derive(Default)]
pub struct Control {
    /// For code that runs and has nothing else to notice an end by.
    raised: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reason: Option<StopReason>,
    target: Option<Weak<dyn Halt>>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("reason", &self.reason()).finish_non_exhaustive()
    }
}

impl Control {
    /// The control of a block that stands nowhere yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the block, unless it was stopped before. Says nothing of one that has ended.
    pub fn stop(&self, reason: StopReason) {
        let target = {
            let mut state = self.state.lock();
            if weakened("control.stop-once") {
                state.target.clone()
            } else if state.reason.is_some() {
                return;
            } else {
                state.reason = Some(reason);
                state.target.take()
            }
        };
        if weakened("control.raise-last") {
            self.raise();
        }
        if let Some(target) = target.and_then(|target| target.upgrade()) {
            target.halt(reason);
        }
        self.raise();
    }

    /// From now on `target` is what is stopped; at once, if the block has been stopped.
    pub fn attach(&self, target: Weak<dyn Halt>) {
        let mut state = self.state.lock();
        let stopped = state.reason.filter(|_| !weakened("control.attach-looks"));
        let Some(reason) = stopped else {
            state.target = Some(target);
            return;
        };
        drop(state);
        if let Some(target) = target.upgrade() {
            target.halt(reason);
        }
    }

    /// Why the block was stopped, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.state.lock().reason
    }

    /// Whether running code should give up. One load.
    #[inline]
    #[must_use]
    pub fn is_raised(&self) -> bool {
        // Acquire: the end of the block was published before.
        self.raised.load(Ordering::Acquire)
    }

    /// Tells running code to give up: the block has ended.
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
    }
}
