//! A question from a thread that has nothing else to do: the host's, when no block runs.
//!
//! A context never calls; it polls its reply and suspends. The host works as the actor itself, and
//! sleeps only while another thread has the turn:
//!
//! ```text
//!   C1  send, or leave the waker and work, until there is a place
//!   C2  let the actor work
//!   C3  the reply is there: done; otherwise the waker is left
//!   C4  C2 found nothing to do: park. The other thread's answer, its freeing of a place, or its
//!       panic wakes
//! ```
//!
//! The waker is left (C3) before the thread parks (C4), and a token left in between ends the park,
//! so no wake is lost. C2 has no budget: a turn that ends for want of mail leaves nobody behind who
//! was told `Busy`, so the host owes nothing when it returns.

use std::task::{Poll, Wake, Waker};

use super::{
    actor::{Actor, Behaviour, Polled},
    mailbox::Stopped,
    reply::{Gone, ReplySender, reply},
};
use crate::sync::{
    Arc,
    thread::{self, Thread},
};

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The question was not accepted.
    #[error("not accepted: {0}")]
    Stopped(#[from] Stopped),
    /// It was accepted and dropped unanswered.
    #[error("not answered: {0}")]
    Gone(#[from] Gone),
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl<B: Behaviour> Actor<B> {
    /// Asks, and waits for the answer on the calling thread, which works as the actor if nobody else
    /// does. `ask` makes the message around the right to answer it.
    ///
    /// If the behaviour keeps the question for a later event, the thread sleeps until that comes; so
    /// do not call from a thread that has to bring the event about.
    ///
    /// # Errors
    ///
    /// [`CallError`], if the actor has stopped or drops the question.
    pub fn call<R>(&self, ask: impl FnOnce(ReplySender<R>) -> B::Message) -> Result<R, CallError> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let (sender, mut receiver) = reply();
        let mut message = Some(ask(sender));
        while self.poll_send(&mut message, &waker)?.is_pending() {
            self.work_or_park();
        }
        let mut polled = self.poll(usize::MAX);
        loop {
            if let Poll::Ready(answer) = receiver.poll_take(&waker) {
                return Ok(answer?);
            }
            if !matches!(polled, Polled::Worked(_)) {
                thread::park();
            }
            polled = self.poll(usize::MAX);
        }
    }

    fn work_or_park(&self) {
        if !matches!(self.poll(usize::MAX), Polled::Worked(_)) {
            thread::park();
        }
    }
}
