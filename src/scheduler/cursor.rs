//! The commit cursor: transactions commit one by one, in order, by whoever is at hand.
//!
//! Any worker that finishes a transaction tries to advance the cursor. One at a time may; the others
//! go on with their work. What must not happen is that a transaction becomes committable and nobody
//! commits it. So whoever finds the token held leaves word on it, and the holder may only give back
//! a token on which there is no word:
//!
//! ```text
//!   finisher                              holder
//!   F1 phase := Executed (RMW)            H1 phase at the cursor: not executed
//!   F2 token: Free → Held, Held → Wanted  H2 token: Held → Free, or Wanted → Held and back to H1
//! ```
//!
//! F2 and H2 are read-modify-writes of one word, so one comes first. If F2 does, H2 reads the word it
//! left, acquires F1 with it, and H1 is done again. If H2 does, F2 takes the token and the finisher
//! commits for itself.
//!
//! A block that ends early is *closed*: whoever wants to know what exactly is committed closes the
//! cursor, which waits for the holder, who may be in the middle of a commit, and keeps the token for
//! good. A holder that panics closes it too, and leaves it *torn*: how far its commit came is not
//! known.
//!
//! ```text
//!   closer                                        holder
//!   C1 token: Free → Closed, or Held → Closing    H2 token: Closing → Closed
//!   C2 token: Closed or Torn, else look again     on a panic: → Torn
//! ```
//!
//! `loom-tests/scheduler_cursor.rs` explores this.

use crossbeam_utils::CachePadded;

use crate::{
    state::TxIndex,
    sync::{
        atomic::{AtomicU32, Ordering},
        thread, weakened,
    },
};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Somebody came while the token was held.
const WANTED: u32 = 2;
/// The holder is the last one.
const CLOSING: u32 = 3;
/// Nobody commits any more.
const CLOSED: u32 = 4;
/// Nobody commits any more, and the last holder died amid it.
const TORN: u32 = 5;

/// Next transaction to commit, and the token of the one worker that may commit it.
pub struct CommitCursor {
    next: CachePadded<AtomicU32>,
    token: CachePadded<AtomicU32>,
}

/// What one step of the holder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The transaction at the cursor is committed: go on with the next.
    Committed,
    /// It cannot be committed now.
    NotYet,
}

/// What is known of a closed cursor.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Everything below the frontier is committed, and nothing else.
    Exact,
    /// A worker died in the middle of a commit.
    Torn,
}

/// The token in a worker's hands. Dropped by a panic, it tears.
struct Holder<'a>(&'a CommitCursor);

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        self.0.token.store(TORN, Ordering::Release);
    }
}

impl CommitCursor {
    /// A cursor at the first transaction.
    pub fn new() -> Self {
        Self::at(TxIndex(0))
    }

    /// A cursor at `first`: what is below has been committed otherwise.
    pub fn at(first: TxIndex) -> Self {
        Self {
            next: CachePadded::new(AtomicU32::new(first.0)),
            token: CachePadded::new(AtomicU32::new(FREE)),
        }
    }

    /// The lowest uncommitted transaction.
    pub fn frontier(&self) -> TxIndex {
        TxIndex(self.next.load(Ordering::Acquire))
    }

    /// Commits as many transactions as `step` can, unless another worker is at it and will see
    /// to what this one brought. `step` is never run by two workers at once. `false`: another is.
    pub fn advance(&self, mut step: impl FnMut(TxIndex) -> Step) -> bool {
        if !self.take() {
            return false;
        }
        let holder = Holder(self);
        loop {
            while step(TxIndex(self.next.load(Ordering::Relaxed))) == Step::Committed {
                // Release: whoever reads the new frontier sees what was committed below it.
                let order = match weakened("cursor.frontier-release") {
                    true => Ordering::Relaxed,
                    false => Ordering::Release,
                };
                self.next.fetch_add(1, order);
            }
            if self.give_back() {
                std::mem::forget(holder);
                return true;
            }
        }
    }

    /// Takes the token, for a holder whose commits take time that is no thread's: until it
    /// [lets go](Self::let_go), the others leave word. `false`: it is taken.
    #[cfg(not(any(chorus_loom, chorus_shuttle)))]
    #[must_use]
    pub(crate) fn hold(&self) -> bool {
        self.take()
    }

    /// Gives a token back that was [held](Self::hold). `true`: somebody wanted it meanwhile, and the holder
    /// has to look again.
    #[cfg(not(any(chorus_loom, chorus_shuttle)))]
    #[must_use]
    pub(crate) fn let_go(&self) -> bool {
        let wanted = !self.give_back();
        if wanted {
            // It is kept by then, and nobody else looks at it.
            let _ = self.give_back();
        }
        wanted
    }

    /// Ends all commits for good, after the one that may be going on. What is committed by then can
    /// be read by the caller.
    pub fn close(&self) -> Closed {
        if weakened("cursor.close") {
            return Closed::Exact;
        }
        let _ = self.token.fetch_update(Ordering::AcqRel, Ordering::Acquire, |token| match token {
            FREE => Some(CLOSED),
            HELD | WANTED => Some(CLOSING),
            _ => None,
        });
        loop {
            // Acquire: what the last holder committed is read next.
            match self.token.load(Ordering::Acquire) {
                CLOSED => return Closed::Exact,
                TORN => return Closed::Torn,
                // A commit takes microseconds.
                _ => thread::yield_now(),
            }
        }
    }

    /// Takes the token, or leaves word that it is wanted.
    fn take(&self) -> bool {
        if weakened("cursor.word") {
            return self
                .token
                .compare_exchange(FREE, HELD, Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
        }
        self.token
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |token| match token {
                FREE => Some(HELD),
                HELD | WANTED => Some(WANTED),
                _ => None,
            })
            .is_ok_and(|before| before == FREE)
    }

    /// Gives the token back; `false`, and the token kept, if it was wanted meanwhile. A cursor that is
    /// being closed takes it for good.
    fn give_back(&self) -> bool {
        let acquire = match weakened("cursor.word-acquire") {
            true => Ordering::Release,
            false => Ordering::AcqRel,
        };
        self.token
            .fetch_update(acquire, Ordering::Relaxed, |token| {
                Some(match token {
                    WANTED => HELD,
                    CLOSING => CLOSED,
                    _ => FREE,
                })
            })
            .is_ok_and(|before| before != WANTED)
    }
}

impl Default for CommitCursor {
    fn default() -> Self {
        Self::new()
    }
}
