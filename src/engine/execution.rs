//! A submitted block, in the hands of whoever submitted it.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::Outcomes;
use crate::{
    context::{Control, StopReason},
    sync::{Arc, Condvar, Mutex},
};

/// A result that comes later, once, for one taker.
#[derive(Debug)]
pub struct Ticket<T> {
    state: Mutex<State<T>>,
    done: Condvar,
}

#[derive(Debug)]
struct State<T> {
    result: Option<T>,
    waker: Option<Waker>,
}

impl<T> Default for Ticket<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { result: None, waker: None }), done: Condvar::new() }
    }
}

impl<T> Ticket<T> {
    /// Gives the result, and wakes who waits for it.
    pub fn complete(&self, result: T) {
        let waker = {
            let mut state = self.state.lock();
            state.result = Some(result);
            self.done.notify_all();
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the result if it is there; else `waker` is woken when it is.
    pub fn poll(&self, waker: &Waker) -> Poll<T> {
        let mut state = self.state.lock();
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    /// Blocks the calling thread until the result is there.
    pub fn wait(&self) -> T {
        let mut state = self.state.lock();
        loop {
            match state.result.take() {
                Some(result) => return result,
                None => self.done.wait(&mut state),
            }
        }
    }
}

/// A block that was submitted: a future of its outcome, on any executor or none.
///
/// Dropping it before it is done cancels the block. Threads that may block use [`wait`](Self::wait).
/// `O` is the outcome of a block, `E` its error, `R` the outcome of a transaction.
#[derive(Debug)]
#[must_use = "dropping it cancels the block"]
pub struct Execution<O, E, R> {
    ticket: Arc<Ticket<Result<O, E>>>,
    control: Arc<Control>,
    outcomes: Option<Outcomes<R>>,
}

impl<O, E, R> Execution<O, E, R> {
    pub(super) fn new(
        ticket: Arc<Ticket<Result<O, E>>>,
        control: Arc<Control>,
        outcomes: Option<Outcomes<R>>,
    ) -> Self {
        Self { ticket, control, outcomes }
    }

    /// Ends the block with what it has committed by now, wherever it stands. The future is still to be
    /// awaited for how it ended: it may have been done already.
    pub fn cancel(&self) {
        self.control.stop(StopReason::Cancelled);
    }

    /// The stream of outcomes, once, if the options asked for one. It is to be taken from or dropped
    /// beside the future, not after it. One that is not asked for before the future is first polled
    /// holds nothing up.
    pub fn outcomes(&mut self) -> Option<Outcomes<R>> {
        self.outcomes.take()
    }

    /// Blocks the calling thread until the block has ended.
    ///
    /// # Errors
    ///
    /// Those of the block.
    pub fn wait(mut self) -> Result<O, E> {
        self.outcomes = None;
        self.ticket.wait()
    }
}

impl<O, E, R> Future for Execution<O, E, R> {
    type Output = Result<O, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.outcomes = None;
        self.ticket.poll(context.waker())
    }
}

impl<O, E, R> Drop for Execution<O, E, R> {
    fn drop(&mut self) {
        // Says nothing of one that is done.
        self.control.stop(StopReason::Cancelled);
    }
}
