//! An actor without a thread: whoever has time lets it work.
//!
//! Anyone sends, anyone calls [`Actor::poll`]. One caller at a time has the *turn*: it drains a batch
//! of messages and runs the behaviour over them. The others are told [`Polled::Busy`] and go on with
//! their own work. So the actor costs a context switch to nobody, and the behaviour is as
//! single-threaded as it would be with a thread of its own.
//!
//! # States
//!
//! | state | left by |
//! |---|---|
//! | idle: no counted message, no turn | a sender, by counting a message |
//! | mail: counted messages, no turn | anyone, by taking the turn |
//! | turn: somebody runs the behaviour | the holder, to idle or (budget spent) to mail; by a panic, to dead |
//! | dead | – |
//!
//! *Closed* is a flag on top of the first three: what was accepted is still handled.
//!
//! # No message is left lying
//!
//! > Whoever has sent polls afterwards, or knows somebody who will. Whoever is told
//! > [`Polled::Worked`] polls again, some time, unless [`Actor::has_mail`] is false.
//!
//! A worker's loop, which looks at [`Actor::has_mail`] each time around, does both. Then every
//! message whose send is over is handled:
//!
//! ```text
//!   sender                                turn holder
//!   S3  count the message                 H3  subtract the batch; and, in the same step,
//!   P1  poll: take the turn, or Busy          nothing left: give the turn back
//! ```
//!
//! S3 and H3 change one word. If S3 is before H3, H3 finds the count and the holder stays; or its
//! budget is spent, and it polls again. If H3 is before S3, the turn is free for P1. `Busy` at P1
//! means that the H3 of that turn comes after what P1 has read, which is S3 or later; an old value
//! does no harm. (It may be another's message that the holder takes on this one's account, if that
//! other is between its send and its count; then this one is handled by the other's poll.) Were H3 two steps, look and leave, a message counted in between would have been
//! refused a turn by a holder that had looked already.
//!
//! # Panics
//!
//! A behaviour that panics is dead, and dropped. Everybody hears of it: messages in the mailbox and
//! what the behaviour kept are dropped, so their reply senders say [`Gone`](super::Gone); senders
//! that wait for a place are woken and refused; a sender between claim and count finds the mark when
//! it counts, and clears the mailbox itself. [`Actor::failure`] says what the panic said.
//!
//! `loom-tests/registry_actor.rs` explores all of this.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Poll, Waker},
};

use super::{
    mailbox::{Mailbox, Refused, Stopped},
    word::Turn,
};
use crate::sync::{Mutex, OnceLock};

/// What an actor does with its messages, one at a time.
pub trait Behaviour: Send {
    /// What it is told and asked. Dropping one must not panic; a question carries a
    /// [`ReplySender`](super::ReplySender), which tells the asker when it is dropped.
    type Message: Send;

    /// Acts on one message. It must not wait.
    fn handle(&mut self, message: Self::Message);

    /// All messages of a batch have been handled: the place to publish once what they changed, and to
    /// give the answers that depend on it.
    fn batch_end(&mut self) {}
}

/// What came of letting an actor work.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There was no mail.
    Idle,
    /// The caller had the turn, and that many messages were handled. If the budget was spent there
    /// may be more, and it is the caller's to poll again.
    Worked(usize),
    /// Somebody else has the turn. Every message sent before this call is handled by whoever has it,
    /// or by a sender that is just about to poll.
    Busy,
    /// The behaviour has panicked, now or before.
    Dead,
}

/// A behaviour with a mailbox.
pub struct Actor<B: Behaviour> {
    mailbox: Mailbox<B::Message>,
    /// Whoever has the turn locks it; nobody ever waits for it. Empty once it has panicked.
    desk: Mutex<Option<B>>,
    failure: OnceLock<String>,
}

impl<B: Behaviour> Actor<B> {
    /// An actor with room for `capacity` messages, at least one, and a reserved place.
    #[must_use]
    pub fn new(behaviour: B, capacity: usize) -> Self {
        Self {
            mailbox: Mailbox::new(capacity),
            desk: Mutex::new(Some(behaviour)),
            failure: OnceLock::new(),
        }
    }

    /// Sends without waiting. Poll afterwards, or see to it that somebody does.
    ///
    /// # Errors
    ///
    /// Gives the message back if the mailbox is full or the actor has stopped.
    pub fn try_send(&self, message: B::Message) -> Result<(), Refused<B::Message>> {
        self.mailbox.try_send(message, false)
    }

    /// The same, into the reserved place if there is no other. Only for the frontier, one message at
    /// a time.
    ///
    /// # Errors
    ///
    /// Gives the message back if the reserved place is taken as well or the actor has stopped.
    pub fn try_send_reserved(&self, message: B::Message) -> Result<(), Refused<B::Message>> {
        self.mailbox.try_send(message, true)
    }

    /// Sends, or sees to it that `waker` is woken when there may be a place. The message stays in
    /// `message` until it is sent; without one there is nothing to do. Poll afterwards, either way.
    ///
    /// # Errors
    ///
    /// If the actor has stopped; the message stays where it is.
    pub fn poll_send(
        &self,
        message: &mut Option<B::Message>,
        waker: &Waker,
    ) -> Poll<Result<(), Stopped>> {
        self.mailbox.poll_send(message, waker)
    }

    /// Whether there is mail that waits for somebody to poll. One relaxed load; it sees every count
    /// that the caller knows of.
    #[inline]
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.mailbox.word().has_mail()
    }

    /// Lets the actor work on at most `budget` messages, at least one, if nobody else does.
    pub fn poll(&self, budget: usize) -> Polled {
        let mut mail = match self.mailbox.take_turn() {
            Turn::Taken(mail) => mail,
            Turn::Busy => return Polled::Busy,
            Turn::Idle => return Polled::Idle,
            Turn::Dead => return Polled::Dead,
        };
        let budget = budget.max(1);
        let mut handled = 0;
        loop {
            let batch = mail.min(budget - handled);
            if let Err(panic) = self.work(batch) {
                self.die(panic);
                return Polled::Dead;
            }
            handled += batch;
            match self.mailbox.finish(batch, handled < budget) {
                Some(more) => mail = more,
                None => return Polled::Worked(handled),
            }
        }
    }

    /// Runs the behaviour over a batch. The desk is locked outside of what may panic, and is free
    /// again before the turn is.
    fn work(&self, batch: usize) -> Result<(), Box<dyn Any + Send>> {
        let mut desk = self.desk.lock();
        let Some(behaviour) = desk.as_mut() else { return Ok(()) };
        catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..batch {
                let message = self.mailbox.receive();
                debug_assert!(message.is_some(), "a counted message is in the channel");
                if let Some(message) = message {
                    behaviour.handle(message);
                }
            }
            behaviour.batch_end();
        }))
    }

    fn die(&self, panic: Box<dyn Any + Send>) {
        let _ = self.failure.set(describe(&*panic));
        let behaviour = self.desk.lock().take();
        // Neither may keep the others from hearing of it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(behaviour)));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
        self.mailbox.die();
    }

    /// Accepts nothing from now on, and lets the actor handle what was accepted. If somebody else
    /// has the turn, or is just sending, that is still going on when this returns; see
    /// [`is_drained`](Self::is_drained).
    pub fn close(&self) {
        self.mailbox.word().close();
        while let Polled::Worked(_) = self.poll(usize::MAX) {}
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.mailbox.word().is_closed()
    }

    /// Whether nothing is accepted and nothing is left to do. Never taken back.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.mailbox.word().is_drained()
    }

    /// What the behaviour's panic said, if it has panicked.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        // The mark first: between the panic and the mark the others have not heard of it.
        self.mailbox.word().is_dead().then(|| self.failure.get().map_or("", String::as_str))
    }

    /// How many ordinary messages the mailbox holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.mailbox.capacity()
    }

    /// The behaviour, unless it has panicked. What is in the mailbox is dropped.
    #[must_use]
    pub fn into_behaviour(self) -> Option<B> {
        self.desk.into_inner()
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

impl<B: Behaviour> fmt::Debug for Actor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Looking into the mailbox would be a step of a model.
        f.debug_struct("Actor").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}
