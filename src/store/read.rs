//! A read on its way: what a store gets, and what whoever asked holds meanwhile.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{Answer, Flight, Query, StateStore, StoreError};
use crate::sync::{Arc, time::Duration};

/// What comes of a read.
pub type ReadResult = Result<Answer, StoreError>;

/// Takes the answer to a read.
pub trait Reply: Send {
    /// The answer is there. Called once, on whatever thread has it; returns soon.
    fn answer(self: Box<Self>, query: Query, result: ReadResult);

    /// Whether anybody still waits. A store may leave a read alone that nobody wants.
    fn is_wanted(&self) -> bool {
        true
    }
}

/// Takes the answers to several reads that were asked for together.
pub trait Replies: Send + Sync {
    /// The answer to the read of that number. Called once for each, as [`Reply::answer`] is.
    fn answer(&self, number: u32, query: Query, result: ReadResult);

    /// Whether anybody still waits for any of them.
    fn are_wanted(&self) -> bool {
        true
    }
}

/// A read that a store owes an answer. Dropping it answers [`StoreError::Dropped`].
pub struct Read {
    query: Query,
    rank: u32,
    /// With [`Owed::Shared`], the number of the read.
    number: u32,
    reply: Owed,
}

/// Who takes the answer.
enum Owed {
    Nobody,
    One(Box<dyn Reply>),
    Shared(Arc<dyn Replies>),
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Read")
            .field("query", &self.query)
            .field("rank", &self.rank)
            .finish_non_exhaustive()
    }
}

impl Read {
    /// The rank of a read that no transaction waits for.
    pub const LAST: u32 = u32::MAX;

    /// A read for `reply`. The lower the rank, the more urgent: it is the position in the block of
    /// the transaction that waits.
    pub fn new(query: Query, rank: u32, reply: Box<dyn Reply>) -> Self {
        Self { query, rank, number: 0, reply: Owed::One(reply) }
    }

    /// One of several reads whose answers go to `replies`, under that number: one allocation does for all of
    /// them.
    pub fn one_of(query: Query, rank: u32, replies: Arc<dyn Replies>, number: u32) -> Self {
        Self { query, rank, number, reply: Owed::Shared(replies) }
    }

    /// A read whose answer is a future.
    pub fn pending(query: Query, rank: u32) -> (Self, Pending) {
        let flight = Arc::new(Flight::default());
        (Self::new(query, rank, Box::new(Landing(flight.clone()))), Pending { flight })
    }

    /// What to read.
    pub fn query(&self) -> Query {
        self.query
    }

    /// The same, where it lies.
    pub(super) fn query_ref(&self) -> &Query {
        &self.query
    }

    /// How urgent it is: lowest first.
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// Whether anybody still waits for the answer.
    pub fn is_wanted(&self) -> bool {
        match &self.reply {
            Owed::Nobody => false,
            Owed::One(reply) => reply.is_wanted(),
            Owed::Shared(replies) => replies.are_wanted(),
        }
    }

    /// Hands the answer over. The store must hold no lock of its own here: whoever gets the answer
    /// may start further reads at once.
    pub fn answer(mut self, result: ReadResult) {
        self.give(|_| result);
    }

    fn give(&mut self, result: impl FnOnce(Query) -> ReadResult) {
        match std::mem::replace(&mut self.reply, Owed::Nobody) {
            Owed::Nobody => {}
            Owed::One(reply) => reply.answer(self.query, result(self.query)),
            Owed::Shared(replies) => replies.answer(self.number, self.query, result(self.query)),
        }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.give(|query| Err(StoreError::Dropped { query }));
    }
}

/// Leaves the answer in a flight.
struct Landing(Arc<Flight<ReadResult>>);

impl Reply for Landing {
    fn answer(self: Box<Self>, _: Query, result: ReadResult) {
        self.0.land(result);
    }

    fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// The answer to a read, when it is there.
#[derive(Clone, Debug)]
pub struct Pending {
    flight: Arc<Flight<ReadResult>>,
}

impl Pending {
    /// An answer that is there already.
    pub fn ready(result: ReadResult) -> Self {
        let flight = Arc::new(Flight::default());
        flight.land(result);
        Self { flight }
    }

    /// Blocks the calling thread until the answer is there, driving the store if it has no threads of
    /// its own.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn wait<S: StateStore + ?Sized>(self, store: &S) -> ReadResult {
        let answer = self.flight.wait(|| store.drive(), || false);
        answer.expect("a read is answered, and dropping it is an answer")
    }

    /// The same, until `gone` says that nobody wants it any more, which is looked at once per `every`.
    pub(crate) fn wait_looking<S: StateStore + ?Sized>(
        self,
        store: &S,
        gone: impl Fn() -> bool,
        every: Duration,
    ) -> Option<ReadResult> {
        self.flight.wait_looking(|| store.drive(), gone, Some(every))
    }
}

impl Future for Pending {
    type Output = ReadResult;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ReadResult> {
        match self.flight.poll(context.waker()) {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}
