//! A worker's mailbox: messages from anybody, taken by one, and nobody waits.
//!
//! A context that has started stays with its worker, because what it runs on cannot move to another
//! thread. Whoever wakes it sends a message to that worker. Sending does not block: a mailbox has a
//! place for each message that can be under way at a time, one per context in flight, so a full one
//! is an error of the sender's.
//!
//! # The hint
//!
//! A worker looks for mail often and there is mail rarely, so it looks at one flag instead of at the
//! channel. The flag is never false for long while there is mail:
//!
//! > If a send has returned and its message is not taken, then whoever knows of the send (it
//! > happened before, or a `SeqCst` fence is between) sees the flag set.
//!
//! ```text
//!   sender                              owner, in drain
//!   S1  put the message in              D1  clear the flag (swap, acquire)
//!   S2  set the flag (swap, release)    D2  take messages until there are none
//!       then wake the owner
//! ```
//!
//! The swaps have one order. If S2 is before D1, then D2 happens after S1 and takes the message. If
//! D1 is before S2, then the flag is set when the send returns, and only a later drain clears it.
//! Two things are needed for the first half. S2 is a swap, not a store: the swaps of several senders
//! form one release sequence, so that D1, which reads the last of them, is ordered after the
//! messages of all; after a store it would be ordered after one sender only, and would clear the
//! flag with the other messages perhaps not visible yet. And D1 comes before D2, or it would clear
//! the flag of a message that arrived after D2 had looked.
//!
//! A worker that parks with [`Sleepers::park_unless`](super::Sleepers::park_unless) asks
//! [`Mailbox::has_mail`] there, after its announcement, and the sender calls
//! [`Sleepers::notify`](super::Sleepers::notify) after the send. So it never sleeps beside its mail;
//! `loom-tests/scheduler_mailbox.rs` explores that.

use crate::sync::{
    atomic::{AtomicBool, Ordering},
    channel::{self, Receiver, Sender, TrySendError},
    weakened,
};

/// A bounded queue of messages with a flag that tells whether it holds any.
///
/// Anybody sends. One worker, the owner, drains; should several, no message is lost, but each gets
/// some of them.
#[derive(Debug)]
pub struct Mailbox<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
    /// The hint: there may be mail.
    mail: AtomicBool,
    capacity: usize,
}

/// A message that was sent to a full mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mailbox already holds its {capacity} messages")]
pub struct MailboxFull<T> {
    /// How many it holds.
    pub capacity: usize,
    /// The message, given back.
    pub message: T,
}

impl<T> Mailbox<T> {
    /// An empty mailbox for at most `capacity` messages, and for one at least.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let (sender, receiver) = channel::bounded(capacity);
        Self { sender, receiver, mail: AtomicBool::new(false), capacity }
    }

    /// Puts a message in, without waiting. Wake the owner afterwards.
    ///
    /// # Errors
    ///
    /// Gives the message back if the mailbox is full.
    pub fn send(&self, message: T) -> Result<(), MailboxFull<T>> {
        self.sender.try_send(message).map_err(|error| {
            // The mailbox holds a receiver, so there always is one.
            let (TrySendError::Full(message) | TrySendError::Disconnected(message)) = error;
            MailboxFull { capacity: self.capacity, message }
        })?;
        if weakened("mailbox.set-rmw") {
            self.mail.store(true, Ordering::Release);
        } else {
            self.mail.swap(true, Ordering::Release);
        }
        Ok(())
    }

    /// Whether there may be mail: what a worker asks before it parks and between two contexts.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed)
    }

    /// Appends all mail to `into`, oldest first, and returns how many messages that were.
    pub fn drain(&self, into: &mut Vec<T>) -> usize {
        let before = into.len();
        if !self.has_mail() {
            return 0;
        }
        // No more than it can hold: it held that at most when the flag was cleared, first in is first
        // out, and what came later has set the flag again. So this ends, even if senders never do.
        let mail = (0..self.capacity).map_while(|_| self.receiver.try_recv().ok());
        if weakened("mailbox.clear-first") {
            into.extend(mail);
            self.mail.swap(false, Ordering::Acquire);
        } else {
            self.mail.swap(false, Ordering::Acquire);
            into.extend(mail);
        }
        into.len() - before
    }

    /// How many messages it holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}
