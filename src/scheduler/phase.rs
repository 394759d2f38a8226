//! The life of one transaction's context, in one atomic word.
//!
//! ```text
//!              start              publish, finish              commit
//!     Idle ───────────► Running ───────────────────► Executed ────────► Committed
//!      ▲                │  ▲  │                          │
//!      │        suspend │  │  │ doomed                   │ found stale
//!      │                ▼  │  │                          │
//!      │          Suspended│  └────────────┐             │
//!      │                │  │ resume        │             │
//!      │           wake ▼  │               │             │
//!      │          Resumable┘               │             │
//!      └───────────────────────────────────┴─────────────┘  abort: incarnation + 1
//! ```
//!
//! | phase | who may touch the context |
//! |---|---|
//! | Idle | nobody; whoever starts it |
//! | Running | the worker that started it |
//! | Suspended | nobody; it sits with the worker that started it |
//! | Resumable | a resume message is on its way to that worker, exactly one |
//! | Executed | the holder of the trace's lock |
//! | Committed | nobody; final |
//!
//! Two flags stand for messages that arrive while the context cannot take them:
//!
//! * `WOKEN` — something it waits for happened while it ran; it polls again instead of suspending.
//! * `STALE` — a lower transaction changed something it read. A running context re-validates at its
//!   next access, an executed one is re-validated by whoever takes the flag.
//!
//! Every transition is a read-modify-write of the one word, so the order of transitions is total and
//! no message is lost between a check and a phase change: `suspend` fails when a flag is up, and
//! whoever raises a flag sees the phase that decides who must act on it.
//!
//! Raising a flag that is up already changes nothing in the word and is a read-modify-write all the
//! same: whoever takes the flag must see what every one of its raisers did before. A mere look could
//! also rest on an old word, whose flag was taken long ago, and the wake-up would be lost.
//!
//! `loom-tests/scheduler_phase.rs` explores all of this.

use crate::sync::{
    atomic::{AtomicU64, Ordering},
    weakened,
};

const PHASE: u64 = 0b111;
const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const SUSPENDED: u64 = 2;
const RESUMABLE: u64 = 3;
const EXECUTED: u64 = 4;
const COMMITTED: u64 = 5;
const WOKEN: u64 = 1 << 3;
const STALE: u64 = 1 << 4;
const INCARNATION: u32 = 8;

/// The phase of a context, with its flags and incarnation.
#[derive(Debug, Default)]
pub struct Phase {
    /// `{ incarnation: 56, unused: 3, stale: 1, woken: 1, phase: 3 }`
    word: AtomicU64,
}

/// What became of a request to suspend.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspend {
    /// The context is suspended; a wake-up will make it resumable.
    Parked,
    /// Something arrived meanwhile: poll it again.
    Again,
}

/// What the sender of a wake-up must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Send the resume message: this wake-up made the context resumable.
    Deliver,
    /// Nothing; the context will see the flag, has already been woken, or does not wait.
    Nothing,
}

/// What the bringer of news that a context's read changed must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Send the resume message: the context was suspended.
    Deliver,
    /// Queue a re-validation: the context had finished.
    Revalidate,
    /// Nothing; it will notice, or has nothing to notice.
    Nothing,
}

/// How an incarnation's end went.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It awaits its commit.
    Executed,
    /// It awaits its commit, but news arrived since it last checked: re-validate it now.
    Stale,
}

impl Phase {
    fn update(&self, mut step: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        // AcqRel: each transition hands the context, or the duty to act on a flag, to whoever makes
        // the next one.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let Some(next) = step(word) else { return Err(word) };
            if weakened("phase.transition-rmw") {
                self.word.store(next, Ordering::Release);
                return Ok(word);
            }
            let order = match weakened("phase.transition-order") {
                true => Ordering::Relaxed,
                false => Ordering::AcqRel,
            };
            match self.word.compare_exchange_weak(word, next, order, Ordering::Acquire) {
                Ok(_) => return Ok(word),
                Err(now) => word = now,
            }
        }
    }

    /// Idle → Running. `None` if somebody else started it, or it has nothing to start.
    #[must_use]
    pub fn start(&self) -> Option<u64> {
        self.update(|word| {
            (word & PHASE == IDLE).then_some(word & !(PHASE | WOKEN | STALE) | RUNNING)
        })
        .ok()
        .map(|word| word >> INCARNATION)
    }

    /// Running → Suspended, unless a flag is up. `WOKEN` is consumed, `STALE` is left for
    /// [`Phase::take_stale`].
    pub fn suspend(&self) -> Suspend {
        let flags = if weakened("phase.suspend-flags") { 0 } else { WOKEN | STALE };
        let before = self.update(|word| {
            debug_assert_eq!(word & PHASE, RUNNING);
            let goes_on = word & flags != 0;
            Some(if goes_on { word & !WOKEN } else { word & !PHASE | SUSPENDED })
        });
        match before {
            Ok(word) if word & flags == 0 => Suspend::Parked,
            _ => Suspend::Again,
        }
    }

    /// Something the context may wait for happened.
    pub fn wake(&self) -> Wake {
        let before = self.update(|word| match word & PHASE {
            SUSPENDED => Some(word & !PHASE | RESUMABLE),
            RUNNING | RESUMABLE if word & WOKEN != 0 && weakened("phase.raise-rmw") => None,
            RUNNING | RESUMABLE => Some(word | WOKEN),
            _ => None,
        });
        match before {
            Ok(word) if word & PHASE == SUSPENDED => Wake::Deliver,
            _ => Wake::Nothing,
        }
    }

    /// Resumable → Running, on receipt of the resume message. `false` if the message is spent.
    #[must_use]
    pub fn resume(&self) -> bool {
        self.update(|word| (word & PHASE == RESUMABLE).then_some(word & !(PHASE | WOKEN) | RUNNING))
            .is_ok()
    }

    /// A lower transaction changed something the context read.
    pub fn mark_stale(&self) -> Stale {
        let before = self.update(|word| match word & PHASE {
            SUSPENDED => Some(word & !PHASE | RESUMABLE | STALE),
            RUNNING | RESUMABLE | EXECUTED => Some(word | STALE),
            _ => None,
        });
        match before {
            Ok(word) if word & PHASE == SUSPENDED => Stale::Deliver,
            Ok(word) if word & (PHASE | STALE) == EXECUTED => Stale::Revalidate,
            _ => Stale::Nothing,
        }
    }

    /// Whether news waits. One load, for every access of a running context.
    pub fn is_stale(&self) -> bool {
        // Relaxed: a hint; `take_stale` synchronises.
        self.word.load(Ordering::Relaxed) & STALE != 0
    }

    /// Takes the news of a running context. The caller re-validates if it returns true.
    #[must_use]
    pub fn take_stale(&self) -> bool {
        self.update(|word| (word & STALE != 0).then_some(word & !STALE)).is_ok()
    }

    /// Takes the news of an executed transaction, for whoever re-validates it. Not that of a running
    /// one: between the offer of a re-validation and its acceptance the next incarnation may have
    /// started, whose news is its own.
    #[must_use]
    pub fn take_revalidation(&self) -> bool {
        self.update(|word| {
            let owed = match weakened("phase.revalidation-phase") {
                true => word & STALE != 0,
                false => word & (PHASE | STALE) == EXECUTED | STALE,
            };
            owed.then_some(word & !STALE)
        })
        .is_ok()
    }

    /// Running → Executed, once the writes are published.
    pub fn finish(&self) -> Finish {
        let before = self.update(|word| {
            debug_assert_eq!(word & PHASE, RUNNING);
            Some(word & !(PHASE | WOKEN) | EXECUTED)
        });
        match before {
            Ok(word) if word & STALE != 0 => Finish::Stale,
            _ => Finish::Executed,
        }
    }

    /// Running or Executed → Idle, next incarnation. `false` if the transaction is neither.
    #[must_use]
    pub fn abort(&self) -> bool {
        self.update(|word| {
            matches!(word & PHASE, RUNNING | EXECUTED)
                .then_some(((word >> INCARNATION) + 1) << INCARNATION | IDLE)
        })
        .is_ok()
    }

    /// Executed → Committed. `false` if it is not executed.
    #[must_use]
    pub fn commit(&self) -> bool {
        self.update(|word| {
            (word & PHASE == EXECUTED).then_some(word & !(PHASE | STALE) | COMMITTED)
        })
        .is_ok()
    }

    /// Idle → Committed: the commit step ran it. `false` if it is not idle.
    #[must_use]
    pub fn commit_idle(&self) -> bool {
        self.update(|word| {
            (word & PHASE == IDLE).then_some(word & !(PHASE | WOKEN | STALE) | COMMITTED)
        })
        .is_ok()
    }

    /// Whether the writes of the current incarnation are published.
    pub fn has_published(&self) -> bool {
        matches!(self.word.load(Ordering::Acquire) & PHASE, EXECUTED | COMMITTED)
    }

    /// Whether it awaits its commit.
    pub fn is_executed(&self) -> bool {
        self.word.load(Ordering::Acquire) & PHASE == EXECUTED
    }

    /// Whether it is committed.
    pub fn is_committed(&self) -> bool {
        self.word.load(Ordering::Acquire) & PHASE == COMMITTED
    }

    /// Whether it waits. A hint: it may be woken at any time.
    pub fn is_suspended(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PHASE == SUSPENDED
    }

    /// Whether it waits to be started.
    pub fn is_idle(&self) -> bool {
        self.word.load(Ordering::Acquire) & PHASE == IDLE
    }

    /// How many incarnations ended in an abort.
    pub fn incarnation(&self) -> u64 {
        self.word.load(Ordering::Relaxed) >> INCARNATION
    }
}
