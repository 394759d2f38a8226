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
//! `loom-tests/scheduler_cursor.rs` explores this.

use crossbeam_utils::CachePadded;

use crate::{
    state::TxIndex,
    sync::{
        atomic::{AtomicU32, Ordering},
        weakened,
    },
};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Somebody came while the token was held.
const WANTED: u32 = 2;

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

impl CommitCursor {
    /// A cursor at the first transaction.
    pub fn new() -> Self {
        Self {
            next: CachePadded::new(AtomicU32::new(0)),
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
                return true;
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
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |token| {
                Some(if token == FREE { HELD } else { WANTED })
            })
            .is_ok_and(|before| before == FREE)
    }

    /// Gives the token back; `false`, and the token kept, if it was wanted meanwhile.
    fn give_back(&self) -> bool {
        let acquire = match weakened("cursor.word-acquire") {
            true => Ordering::Release,
            false => Ordering::AcqRel,
        };
        self.token
            .fetch_update(acquire, Ordering::Relaxed, |token| {
                Some(if token == WANTED { HELD } else { FREE })
            })
            .is_ok_and(|before| before == HELD)
    }
}

impl Default for CommitCursor {
    fn default() -> Self {
        Self::new()
    }
}
