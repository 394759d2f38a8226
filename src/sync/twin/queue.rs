//! The queue behind a modelled channel.
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
    sync::{Arc, Mutex as Plain, MutexGuard as PlainGuard, PoisonError},
};

use crossbeam_channel::{TryRecvError, TrySendError};

use super::raw::atomic::{AtomicUsize, Ordering};
use crate::sync::{backend::Token, weakened};

/// How many messages have a stamp of their own at a time.
const SLOTS: usize = 4;

/// What the two sides of a channel share.
pub(super) struct Shared<T> {
    capacity: usize,
    len: AtomicUsize,
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
    stamps: Vec<AtomicUsize>,
    queue: Plain<Queue<T>>,
}

/// What the explorer does not see.
pub(super) struct Queue<T> {
    pub(super) messages: VecDeque<(T, usize)>,
    /// Numbers the stamps.
    sent: usize,
    /// `Shared::senders` and `receivers` once more, exact, for those who are about to wait.
    pub(super) senders: usize,
    pub(super) receivers: usize,
    pub(super) wait_to_send: VecDeque<Arc<Token>>,
    pub(super) wait_to_receive: VecDeque<Arc<Token>>,
}

impl<T> Shared<T> {
    /// An empty queue with one sender and one receiver.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
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
        }
    }

    pub(super) fn queue(&self) -> PlainGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current length for those who are about to wait, else perhaps an old one.
    pub(super) fn len(&self, exact: bool) -> usize {
        if exact {
            self.len.fetch_add(0, Ordering::Relaxed)
        } else {
            self.len.load(Ordering::Relaxed)
        }
    }

    /// One attempt to send. With a token, finding the channel full also registers the token, in
    /// the same step.
    pub(super) fn push(
        &self,
        value: T,
        waiter: Option<&Arc<Token>>,
    ) -> Result<(), TrySendError<T>> {
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
                let order =
                    if weakened("channel.stamp") { Ordering::Relaxed } else { Ordering::Release };
                self.stamps[stamp].fetch_add(1, order);
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
                    if let Some(token) = woken
                        && !weakened("channel.wake-receiver")
                    {
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
    pub(super) fn pop(&self, waiter: Option<&Arc<Token>>) -> Result<T, TryRecvError> {
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
                    if let Some(token) = woken
                        && !weakened("channel.wake-sender")
                    {
                        token.notify();
                    }
                    return Ok(value);
                }
                Err(now) => len = now,
            }
        }
    }
}
