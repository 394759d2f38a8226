//! An actor's mailbox: bounded, nobody waits inside it, and a full one suspends its sender.
//!
//! The messages are in a channel. What the channel cannot say is in a [`Word`] beside it: that a
//! message is *counted*, and that a place is *claimed*.
//!
//! ```text
//!   sender                                   turn holder
//!   S1  claim a place (none: see below)      H1  read `sent` (acquire): n
//!   S2  put the message in the channel       H2  receive n messages, handle them
//!   S3  count it: sent += 1 (release)        H3  sent −= n, claimed −= n; a sender waits: wake all
//! ```
//!
//! - A counted message is in the channel for whoever reads the count, because S2 is before S3 and
//!   every change of the word is a read-modify-write. So H2 finds n messages, and needs not rely on
//!   what the channel says of being empty, which orders nothing.
//! - The count is of messages, not of these ones. A sender between S2 and S3 may find its message
//!   handled on the account of another's, which is then left for the sender's own poll, after S3.
//! - The channel has a place for each claim: it is as large as the largest limit, and H2 frees
//!   places before H3 gives the claims back.
//! - The limit of ordinary messages is one less than the channel's size. The last place is reserved
//!   for the frontier, the lowest uncommitted transaction, so that it never waits for those that
//!   wait for it. Reserved or not, messages are handled in the order of their sends.
//!
//! # Full
//!
//! ```text
//!   sender, under the lock of the list       turn holder
//!   F1  put the waker on the list            H3  free places, clear `waiters`, one step
//!   F2  still full: set `waiters`, one step  H4  it was set: take the list, wake everyone
//! ```
//!
//! If F2 is before H3, H3 finds the mark, and H4 the waker. If H3 is before F2, there is a place and
//! F2 takes it. All are woken, not as many as there are places: one that was woken may have no
//! message any more, and would keep the wake from another. Places are claimed by messages that will
//! be handled, so H3 comes, also after closing. Dying is such a step as well: F2 finds that the actor
//! is dead, or dying finds the waker.

use std::task::{Poll, Waker};

use crossbeam_utils::CachePadded;

use super::word::{Claim, Finished, MAX_COUNT, Turn, Word};
use crate::sync::{
    Mutex,
    channel::{self, Receiver, Sender, TrySendError},
    weakened,
};

/// How many places only a reserved send takes.
const RESERVED: usize = 1;

/// A message that was not accepted, given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused<M> {
    /// All places are taken; there will be one when the mailbox has been drained.
    #[error("the mailbox is full")]
    Full(M),
    /// The actor was closed.
    #[error("the actor is closed")]
    Closed(M),
    /// The actor's behaviour has panicked.
    #[error("the actor has died")]
    Dead(M),
}

impl<M> Refused<M> {
    /// The message.
    pub fn into_message(self) -> M {
        let (Self::Full(message) | Self::Closed(message) | Self::Dead(message)) = self;
        message
    }
}

/// Why an actor accepts nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// It was closed.
    #[error("the actor is closed")]
    Closed,
    /// Its behaviour has panicked.
    #[error("the actor has died")]
    Dead,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Mailbox<M> {
    word: CachePadded<Word>,
    sender: Sender<M>,
    receiver: Receiver<M>,
    waiting: Mutex<Vec<Waker>>,
    capacity: usize,
}

impl<M> Mailbox<M> {
    /// An empty mailbox for `capacity` ordinary messages, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, MAX_COUNT - RESERVED);
        let (sender, receiver) = channel::bounded(capacity + RESERVED);
        let word = CachePadded::new(Word::new());
        Self { word, sender, receiver, waiting: Mutex::new(Vec::new()), capacity }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn word(&self) -> &Word {
        &self.word
    }

    pub(super) fn try_send(&self, message: M, reserved: bool) -> Result<(), Refused<M>> {
        let limit = self.capacity + if reserved { RESERVED } else { 0 };
        match self.word.claim(limit, false) {
            Claim::Taken => self.put(message),
            Claim::Full => Err(Refused::Full(message)),
            Claim::Closed => Err(Refused::Closed(message)),
            Claim::Dead => Err(Refused::Dead(message)),
        }
    }

    pub(super) fn poll_send(
        &self,
        message: &mut Option<M>,
        waker: &Waker,
    ) -> Poll<Result<(), Stopped>> {
        let Some(sending) = message.take() else { return Poll::Ready(Ok(())) };
        let refused = match self.try_send(sending, false) {
            Err(Refused::Full(sending)) => match self.claim_or_wait(waker) {
                Claim::Taken => self.put(sending),
                Claim::Full => Err(Refused::Full(sending)),
                Claim::Closed => Err(Refused::Closed(sending)),
                Claim::Dead => Err(Refused::Dead(sending)),
            },
            sent => sent,
        };
        let Err(refused) = refused else { return Poll::Ready(Ok(())) };
        let answer = match refused {
            Refused::Full(_) => Poll::Pending,
            Refused::Closed(_) => Poll::Ready(Err(Stopped::Closed)),
            Refused::Dead(_) => Poll::Ready(Err(Stopped::Dead)),
        };
        *message = Some(refused.into_message());
        answer
    }

    /// F1 and F2.
    fn claim_or_wait(&self, waker: &Waker) -> Claim {
        let mut waiting = self.waiting.lock();
        let known = waiting.iter().any(|other| other.will_wake(waker));
        if !known {
            waiting.push(waker.clone());
        }
        let claim = self.word.claim(self.capacity, true);
        if claim != Claim::Full && !known {
            waiting.pop();
        }
        claim
    }

    /// S2 and S3, for a claimed place.
    fn put(&self, message: M) -> Result<(), Refused<M>> {
        let early = weakened("actor.count-after");
        if early {
            let _ = self.word.count();
        }
        if let Err(error) = self.sender.try_send(message) {
            // Cannot be: the place is claimed, and the mailbox holds a receiver.
            self.word.unclaim();
            let (TrySendError::Full(message) | TrySendError::Disconnected(message)) = error;
            return Err(Refused::Full(message));
        }
        if !early && self.word.count() && !weakened("actor.sender-clears") {
            // The holder died, and may have cleared the channel before this message was in it.
            self.clear();
        }
        Ok(())
    }

    /// Asks for the turn.
    pub(super) fn take_turn(&self) -> Turn {
        self.word.take_turn()
    }

    /// H2, for one message. Only for counted messages, and only with the turn.
    pub(super) fn receive(&self) -> Option<M> {
        self.receiver.try_recv().ok()
    }

    /// H3 and H4. Returns how many further messages the turn was kept for.
    pub(super) fn finish(&self, handled: usize, stay: bool) -> Option<usize> {
        let Finished { kept, wake } = self.word.finish(handled, stay);
        if wake && !weakened("actor.freeing-wakes") {
            self.wake_all();
        }
        kept
    }

    /// With the turn, which is over: accepts nothing, drops what is there, and tells those who wait.
    pub(super) fn die(&self) {
        self.word.die();
        self.clear();
        self.wake_all();
    }

    /// Drops what is in the channel. When the actor is dead, whoever does so is right.
    fn clear(&self) {
        while let Ok(message) = self.receiver.try_recv() {
            drop(message);
        }
    }

    fn wake_all(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }
}
