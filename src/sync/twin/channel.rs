//! A model of crossbeam's channels with no more order than they document.
//!
//! The queue itself lies in a plain lock that the explorer does not see and that is never held
//! across a step it does see; explored code runs one thread at a time, so that lock is free
//! whenever it is taken. What the explorer sees is chosen so that it finds every interleaving and
//! grants only the documented order:
//!
//! | step | operation | order it grants |
//! |---|---|---|
//! | take or free a place | relaxed compare-exchange on `len` | none, but total among themselves |
//! | find it empty or full | relaxed load of `len` | none, and it may be an old value |
//! | hand over a message | release, then acquire, on one of `SLOTS` stamps | that send before that receive |
//! | end of the last sender or receiver | release and acquire on its count | all it did before |
//!
//! A queue change follows its change of `len` without a step between the two, so both are one step
//! to the explorer. Messages `SLOTS` apart share a stamp; then the later receive is also ordered
//! after the earlier send, as it is in the shipped crate, whose slots are reused as well.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex as Plain, MutexGuard as PlainGuard, PoisonError},
};

pub use crossbeam_channel::{RecvError, SendError, TryRecvError, TrySendError};

use super::raw::atomic::{AtomicUsize, Ordering};
use crate::sync::backend::Token;

/// How many messages have a stamp of their own at a time.
const SLOTS: usize = 4;

/// A channel that holds at most `capacity` messages.
///
/// # Panics
///
/// At a capacity of zero: a rendezvous is not modelled.
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel of capacity zero is not modelled");
    let shared = Arc::new(Shared {
        capacity,
        len: AtomicUsize::new(0),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
        stamps: (0..SLOTS.min(capacity)).map(|_| AtomicUsize::new(0)).collect(),
        queue: Plain::new(Queue {
            messages: VecDeque::new(),
            sent: 0,
            senders: 1,
            receivers: 1,
            wait_to_send: VecDeque::new(),
            wait_to_receive: VecDeque::new(),
        }),
    });
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

struct Shared<T> {
    capacity: usize,
    len: AtomicUsize,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    stamps: Vec<AtomicUsize>,
    queue: Plain<Queue<T>>,
}

struct Queue<T> {
    messages: VecDeque<(T, usize)>,
    /// Numbers the stamps.
    sent: usize,
    /// `Shared::senders` and `receivers` once more, exact, for those who are about to wait.
    senders: usize,
    receivers: usize,
    wait_to_send: VecDeque<Arc<Token>>,
    wait_to_receive: VecDeque<Arc<Token>>,
}

impl<T> Shared<T> {
    fn queue(&self) -> PlainGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current length for those who are about to wait, else perhaps an old one.
    fn len(&self, exact: bool) -> usize {
        if exact {
            self.len.fetch_add(0, Ordering::Relaxed)
        } else {
            self.len.load(Ordering::Relaxed)
        }
    }

    /// One attempt to send. With a token, finding the channel full also registers the token, in
    /// the same step.
    fn push(&self, value: T, waiter: Option<&Arc<Token>>) -> Result<(), TrySendError<T>> {
        if self.receivers.load(Ordering::Acquire) == 0 {
            return Err(TrySendError::Disconnected(value));
        }
        let mut stamp = None;
        let mut len = self.len(waiter.is_some());
        loop {
            if len >= self.capacity {
                if let Some(token) = waiter {
                    let mut queue = self.queue();
                    if queue.receivers == 0 {
                        return Err(TrySendError::Disconnected(value));
                    }
                    queue.wait_to_send.push_back(token.clone());
                }
                return Err(TrySendError::Full(value));
            }
            let stamp = *stamp.get_or_insert_with(|| {
                let mut queue = self.queue();
                let stamp = queue.sent % self.stamps.len();
                queue.sent += 1;
                drop(queue);
                self.stamps[stamp].fetch_add(1, Ordering::Release);
                stamp
            });
            let step =
                self.len.compare_exchange(len, len + 1, Ordering::Relaxed, Ordering::Relaxed);
            match step {
                Ok(_) => {
                    let mut queue = self.queue();
                    queue.messages.push_back((value, stamp));
                    let woken = queue.wait_to_receive.pop_front();
                    drop(queue);
                    if let Some(token) = woken {
                        token.notify();
                    }
                    return Ok(());
                }
                Err(now) => len = now,
            }
        }
    }

    /// One attempt to receive. With a token, finding the channel empty also registers the token,
    /// in the same step.
    fn pop(&self, waiter: Option<&Arc<Token>>) -> Result<T, TryRecvError> {
        let mut senders_gone = false;
        let mut len = self.len(waiter.is_some());
        loop {
            if len == 0 {
                if senders_gone {
                    return Err(TryRecvError::Disconnected);
                }
                if let Some(token) = waiter {
                    let mut queue = self.queue();
                    if queue.senders > 0 {
                        queue.wait_to_receive.push_back(token.clone());
                        return Err(TryRecvError::Empty);
                    }
                }
                let senders = match waiter {
                    Some(_) => self.senders.fetch_add(0, Ordering::Acquire),
                    None => self.senders.load(Ordering::Acquire),
                };
                if senders > 0 {
                    return Err(TryRecvError::Empty);
                }
                // Their last messages are visible now, if there are any.
                senders_gone = true;
                len = self.len(waiter.is_some());
                continue;
            }
            let step =
                self.len.compare_exchange(len, len - 1, Ordering::Relaxed, Ordering::Relaxed);
            match step {
                Ok(_) => {
                    let mut queue = self.queue();
                    let (value, stamp) =
                        queue.messages.pop_front().expect("len counts the messages");
                    let woken = queue.wait_to_send.pop_front();
                    drop(queue);
                    self.stamps[stamp].fetch_add(0, Ordering::Acquire);
                    if let Some(token) = woken {
                        token.notify();
                    }
                    return Ok(value);
                }
                Err(now) => len = now,
            }
        }
    }
}

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
        loop {
            let token = Arc::new(Token::default());
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
        loop {
            let token = Arc::new(Token::default());
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
