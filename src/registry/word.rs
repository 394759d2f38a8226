//! The one word of an actor's protocol: who has the turn, how much mail there is, how many places
//! are left.
//!
//! ```text
//!  63         36 35          8   7..4    3       2      1      0
//! ┌─────────────┬─────────────┬───────┬───────┬──────┬──────┬──────┐
//! │   claimed   │    sent     │   –   │waiters│ dead │closed│ turn │
//! └─────────────┴─────────────┴───────┴───────┴──────┴──────┴──────┘
//! ```
//!
//! | field | meaning | changed by |
//! |---|---|---|
//! | turn | somebody runs the behaviour | whoever takes the turn; only the holder gives it back |
//! | closed | nothing more is accepted | anyone, once |
//! | dead | the behaviour has panicked | the holder, with its turn |
//! | waiters | somebody waits for a place | a sender that found none; the holder when it frees places or dies |
//! | sent | messages in the channel that count | +1 by a sender after it has sent; −n by the holder |
//! | claimed | places taken | +1 by a sender before it sends; −n by the holder |
//!
//! Always `sent ≤ claimed`; a sender between its two steps makes the difference. Every change is a
//! read-modify-write, so all changes have one order and form one release sequence: whoever reads a
//! count with acquire is ordered after everything that made it up.

use crate::sync::{
    atomic::{AtomicU64, Ordering},
    weakened,
};

const TURN: u64 = 1;
const CLOSED: u64 = 1 << 1;
const DEAD: u64 = 1 << 2;
const WAITERS: u64 = 1 << 3;
const SENT: u64 = 1 << 8;
const CLAIMED: u64 = 1 << 36;
/// A count's width, less one bit so that no sum of two reaches into the next field.
pub(super) const MAX_COUNT: usize = (1 << 27) - 1;
const FIELD: u64 = (1 << 28) - 1;

fn sent(word: u64) -> usize {
    ((word / SENT) & FIELD) as usize
}

fn claimed(word: u64) -> usize {
    ((word / CLAIMED) & FIELD) as usize
}

/// What came of asking for a place.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A place is taken; the message must be sent and counted.
    Taken,
    Full,
    Closed,
    Dead,
}

/// What came of asking for the turn.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The caller holds it, and there are that many messages.
    Taken(usize),
    /// Somebody else holds it and has not yet looked for the last time.
    Busy,
    /// There is no mail.
    Idle,
    Dead,
}

/// What is left after a batch.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    /// The turn was kept, for that many further messages.
    pub(super) kept: Option<usize>,
    /// Senders wait for the places that were freed; they are the caller's to wake.
    pub(super) wake: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Word(AtomicU64);

impl Word {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether there is mail that somebody has to handle. One relaxed load.
    pub(super) fn has_mail(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        sent(word) != 0 && word & DEAD == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }

    pub(super) fn is_dead(&self) -> bool {
        self.0.load(Ordering::Acquire) & DEAD != 0
    }

    /// Whether nothing is accepted any more and everything accepted has been handled.
    pub(super) fn is_drained(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        word & DEAD != 0 || word & (CLOSED | TURN) == CLOSED && claimed(word) == 0
    }

    /// Takes a place, if fewer than `limit` are taken. With `wait`, finding none also notes that
    /// somebody waits, in the same step.
    pub(super) fn claim(&self, limit: usize, wait: bool) -> Claim {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (next, claim) = if word & DEAD != 0 {
                return Claim::Dead;
            } else if word & CLOSED != 0 {
                return Claim::Closed;
            } else if claimed(word) < limit {
                (word + CLAIMED, Claim::Taken)
            } else if wait {
                (word | WAITERS, Claim::Full)
            } else {
                return Claim::Full;
            };
            if claim == Claim::Full && weakened("actor.full-compares") {
                self.0.fetch_or(WAITERS, Ordering::AcqRel);
                return claim;
            }
            if claim == Claim::Taken && weakened("actor.claim-compares") {
                self.0.fetch_add(CLAIMED, Ordering::AcqRel);
                return claim;
            }
            // Acquire: the place in the channel was freed before its claim was given back.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return claim,
                Err(now) => word = now,
            }
        }
    }

    /// Gives a place back that was claimed and not used.
    pub(super) fn unclaim(&self) {
        self.0.fetch_sub(CLAIMED, Ordering::AcqRel);
    }

    /// Counts a message that is in the channel now. Returns whether the actor is dead, so that the
    /// message is the sender's to take out again.
    pub(super) fn count(&self) -> bool {
        if weakened("actor.count-rmw") {
            let word = self.0.load(Ordering::Acquire);
            self.0.store(word + SENT, Ordering::Release);
            return word & DEAD != 0;
        }
        self.0.fetch_add(SENT, Ordering::AcqRel) & DEAD != 0
    }

    /// Takes the turn, if there is mail and nobody has it.
    pub(super) fn take_turn(&self) -> Turn {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word & DEAD != 0 {
                return Turn::Dead;
            } else if sent(word) == 0 {
                return Turn::Idle;
            } else if word & TURN != 0 {
                return Turn::Busy;
            }
            let next = word | TURN;
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Turn::Taken(sent(word)),
                Err(now) => word = now,
            }
        }
    }

    /// After a batch of `handled` messages: frees their places, and gives the turn back unless
    /// there is more mail and `stay`.
    pub(super) fn finish(&self, handled: usize, stay: bool) -> Finished {
        let mut word = self.0.load(Ordering::Relaxed);
        let over = handled as u64 * (SENT + CLAIMED);
        if weakened("actor.leave-compares") && sent(word) == handled {
            let word = self.0.fetch_sub(over + TURN, Ordering::AcqRel);
            self.0.fetch_and(!WAITERS, Ordering::AcqRel);
            return Finished { kept: None, wake: word & WAITERS != 0 };
        }
        loop {
            let mut next = (word - over) & !WAITERS;
            let kept = (sent(next) != 0 && stay).then_some(sent(next));
            if kept.is_none() {
                next &= !TURN;
            }
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Finished { kept, wake: word & WAITERS != 0 },
                Err(now) => word = now,
            }
        }
    }

    /// Refuses messages from now on. Whoever waits for a place is told when one is freed.
    pub(super) fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// The holder's last step: the turn is given back and never taken again.
    pub(super) fn die(&self) {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let next = (word | DEAD) & !(TURN | WAITERS);
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }
}
