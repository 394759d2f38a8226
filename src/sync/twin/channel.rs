//! A model of crossbeam's channels with no more order than they document; see [`super::queue`].

use std::{collections::VecDeque, fmt, sync::Arc};

pub use crossbeam_channel::{RecvError, SendError, TryRecvError, TrySendError};

use super::{queue::Shared, raw::atomic::Ordering};
use crate::sync::{backend::Token, weakened};

/// A channel that holds at most `capacity` messages.
///
/// # Panics
///
/// At a capacity of zero: a rendezvous is not modelled.
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel of capacity zero is not modelled");
    let shared = Arc::new(Shared::new(capacity));
    (Sender(shared.clone()), Receiver(shared))
}

/// A channel without a limit.
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// The sending half of a channel.
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving half of a channel.
pub struct Receiver<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Sends without waiting.
    ///
    /// # Errors
    ///
    /// The message, if the channel is full or every receiver is gone.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.push(value, None)
    }

    /// Sends, waiting for a place.
    ///
    /// # Errors
    ///
    /// The message, if every receiver is gone.
    pub fn send(&self, mut value: T) -> Result<(), SendError<T>> {
        let token = Arc::new(Token::default());
        loop {
            match self.0.push(value, Some(&token)) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(value)) => return Err(SendError(value)),
                Err(TrySendError::Full(back)) => value = back,
            }
            token.wait();
            self.0.queue().wait_to_send.retain(|other| !Arc::ptr_eq(other, &token));
        }
    }

    /// How many messages wait. Orders nothing, and may be an old value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len(false)
    }

    /// Whether no message waits. Orders nothing, and may be an old value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Receiver<T> {
    /// Receives without waiting.
    ///
    /// # Errors
    ///
    /// If the channel is empty, or is empty and every sender is gone.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.pop(None)
    }

    /// Receives, waiting for a message.
    ///
    /// # Errors
    ///
    /// If the channel is empty and every sender is gone.
    pub fn recv(&self) -> Result<T, RecvError> {
        let token = Arc::new(Token::default());
        loop {
            match self.0.pop(Some(&token)) {
                Ok(value) => return Ok(value),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            token.wait();
            self.0.queue().wait_to_receive.retain(|other| !Arc::ptr_eq(other, &token));
        }
    }

    /// How many messages wait. Orders nothing, and may be an old value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len(false)
    }

    /// Whether no message waits. Orders nothing, and may be an old value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        self.0.queue().senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.receivers.fetch_add(1, Ordering::Relaxed);
        self.0.queue().receivers += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // The model has failed; another step would hide why.
        }
        let last = self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1;
        let mut queue = self.0.queue();
        queue.senders -= 1;
        let last = last && !weakened("channel.wake-at-end");
        let woken = if last { std::mem::take(&mut queue.wait_to_receive) } else { VecDeque::new() };
        drop(queue);
        woken.iter().for_each(|token| token.notify());
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // The model has failed; another step would hide why.
        }
        let last = self.0.receivers.fetch_sub(1, Ordering::AcqRel) == 1;
        let mut queue = self.0.queue();
        queue.receivers -= 1;
        let (woken, discarded) = if last {
            (std::mem::take(&mut queue.wait_to_send), std::mem::take(&mut queue.messages))
        } else {
            (VecDeque::new(), VecDeque::new())
        };
        drop(queue);
        drop(discarded);
        woken.iter().for_each(|token| token.notify());
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender { .. }")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver { .. }")
    }
}
