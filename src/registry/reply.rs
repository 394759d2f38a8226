//! One-shot replies: the asker waits for one value, and cannot wait for ever.
//!
//! The asker keeps the receiver, the question carries the sender. Neither ever waits for the other's
//! thread.
//!
//! # States
//!
//! | state | value | waker | set by | then |
//! |---|---|---|---|---|
//! | `EMPTY` | sender's | receiver's | the start; the receiver that replaces its waker | |
//! | `WAITING` | sender's | sender's | the receiver, after it has left its waker | |
//! | `FILLED` | receiver's | nobody's, or sender's for one wake | the sender, after it has left the value | the receiver takes it |
//! | `CLOSED` | – | the same | the sender, dropped unanswered; the receiver, once it has taken the end | `Gone` |
//! | `CANCELLED` | sender's | – | the receiver, dropped | the sender drops the value |
//!
//! The column says who may touch the field in that state. Each field has a lock because there is no
//! `unsafe` here, but the state decides who comes near it, so no lock is ever waited for (the one
//! exception: a receiver that asks again while its last answer's wake is still under way takes a
//! fresh slot instead).
//!
//! # No wait without a wake
//!
//! ```text
//!   receiver                              sender
//!   R1  leave the waker                   S1  leave the value
//!   R2  EMPTY → WAITING (compare)         S2  swap to FILLED
//!   R3  failed: take the value            S3  it was WAITING: take the waker, wake
//! ```
//!
//! R2 and S2 change one word. If R2 is first, S2 finds `WAITING` and wakes. If S2 is first, R2 fails
//! and the receiver takes the value at once. R1 before R2, or the sender would find no waker; R2
//! compares, or it would overwrite an answer. `loom-tests/registry_reply.rs` explores this.
//!
//! # Asking again
//!
//! A context asks many questions, one after another. [`ReplyReceiver::again`] uses the slot once more
//! when the earlier sender is gone, which the [`Arc`]'s count tells, and allocates otherwise. A
//! sequence number in a slot owned by the asker would do it too, but every send would then have to
//! tell an answer to an abandoned question from one to the present. Nothing is ordered by the count:
//! both fields are behind their locks, and the state is not written by a sender after its answer.
//!
//! The whole way from the question to the reply in hand, through an actor's mailbox, is 44 ns on the
//! machine of `benches/registry.rs` where a context's own thread lets the actor work.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
    weakened,
};

const EMPTY: u32 = 0;
const WAITING: u32 = 1;
const FILLED: u32 = 2;
const CANCELLED: u32 = 3;
const CLOSED: u32 = 4;

/// There will be no reply: whoever was to give it is gone, or gave it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whoever was to answer is gone")]
pub struct Gone;

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The asker has it or will find it.
    Delivered,
    /// Nobody waits for it any more; it was dropped.
    Cancelled,
}

#[derive(Debug)]
struct Slot<T> {
    state: AtomicU32,
    value: Mutex<Option<T>>,
    waker: Mutex<Option<Waker>>,
}

/// The right, and the duty, to answer one question. Dropped instead, it tells the asker [`Gone`].
#[derive(Debug)]
pub struct ReplySender<T>(Option<Arc<Slot<T>>>);

/// The asker's end: a future of the reply. Dropping it cancels the question.
#[derive(Debug)]
pub struct ReplyReceiver<T>(Arc<Slot<T>>);

/// A pair for one question.
#[must_use]
pub fn reply<T>() -> (ReplySender<T>, ReplyReceiver<T>) {
    let slot = Slot::new(EMPTY);
    (ReplySender(Some(slot.clone())), ReplyReceiver(slot))
}

impl<T> Slot<T> {
    fn new(state: u32) -> Arc<Self> {
        let (value, waker) = (Mutex::new(None), Mutex::new(None));
        Arc::new(Self { state: AtomicU32::new(state), value, waker })
    }

    /// The sender's last step: publishes `state`, wakes whoever waits.
    fn end(&self, state: u32) -> u32 {
        let before = if weakened("reply.answer-rmw") {
            let before = self.state.load(Ordering::Acquire);
            self.state.store(state, Ordering::Release);
            before
        } else {
            self.state.swap(state, Ordering::AcqRel)
        };
        if before == WAITING {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        before
    }
}

impl<T> ReplySender<T> {
    /// Answers.
    pub fn send(mut self, value: T) -> Answered {
        let Some(slot) = self.0.take() else { return Answered::Cancelled };
        if slot.state.load(Ordering::Relaxed) == CANCELLED {
            return Answered::Cancelled;
        }
        *slot.value.lock() = Some(value);
        // If nobody wants it, it goes with the slot, whose last owner this is.
        match slot.end(FILLED) {
            CANCELLED => Answered::Cancelled,
            _ => Answered::Delivered,
        }
    }

    /// Whether the asker has stopped waiting, so that work on the answer would be in vain.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_none_or(|slot| slot.state.load(Ordering::Relaxed) == CANCELLED)
    }
}

impl<T> Drop for ReplySender<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take()
            && !weakened("reply.close")
        {
            slot.end(CLOSED);
        }
    }
}

impl<T> ReplyReceiver<T> {
    /// One that has not asked yet: [`again`](Self::again) makes its first question.
    #[must_use]
    pub fn idle() -> Self {
        Self(Slot::new(CLOSED))
    }

    /// Takes the reply if it is there; otherwise `waker` is woken when it is, or when it is certain
    /// that there will be none. Only the waker of the last call counts.
    ///
    /// # Errors
    ///
    /// [`Gone`], if the sender was dropped, and on every call after the reply was taken.
    pub fn poll_take(&mut self, waker: &Waker) -> Poll<Result<T, Gone>> {
        let slot = &*self.0;
        let mut state = slot.state.load(Ordering::Acquire);
        if state == WAITING {
            // Takes the waker back, to replace it.
            state = self.change(WAITING, EMPTY);
        }
        if state == EMPTY {
            let late = weakened("reply.waker-first");
            if !late {
                *slot.waker.lock() = Some(waker.clone());
            }
            if weakened("reply.wait-compares") {
                slot.state.store(WAITING, Ordering::Release);
                state = WAITING;
            } else {
                state = self.change(EMPTY, WAITING);
            }
            if late {
                *slot.waker.lock() = Some(waker.clone());
            }
            if state == WAITING {
                return Poll::Pending;
            }
        }
        let value = if state == FILLED { slot.value.lock().take() } else { None };
        if state == FILLED {
            slot.state.store(CLOSED, Ordering::Relaxed);
        }
        Poll::Ready(value.ok_or(Gone))
    }

    /// Prepares the same receiver for the next question. One that is still open is cancelled.
    #[must_use]
    pub fn again(&mut self) -> ReplySender<T> {
        match Arc::get_mut(&mut self.0) {
            Some(slot) => {
                *slot.value.lock() = None;
                *slot.waker.lock() = None;
                slot.state.store(EMPTY, Ordering::Relaxed);
                ReplySender(Some(self.0.clone()))
            }
            None => {
                let (sender, receiver) = reply();
                // The old receiver is dropped, and cancels.
                *self = receiver;
                sender
            }
        }
    }

    /// Changes the state if it is as expected; returns what it is afterwards.
    fn change(&self, from: u32, to: u32) -> u32 {
        self.0
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|found| found, |_| to)
    }
}

impl<T> Default for ReplyReceiver<T> {
    fn default() -> Self {
        Self::idle()
    }
}

impl<T> Drop for ReplyReceiver<T> {
    fn drop(&mut self) {
        // An answer that came meanwhile goes with the slot.
        if !weakened("reply.cancel") {
            self.0.state.swap(CANCELLED, Ordering::AcqRel);
        }
    }
}

impl<T> Future for ReplyReceiver<T> {
    type Output = Result<T, Gone>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_take(context.waker())
    }
}
