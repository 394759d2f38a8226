//! What a block came to.

use std::{
    collections::HashMap,
    convert::Infallible,
    hash::{BuildHasher, Hash},
};

use super::BaseError;
use crate::{
    context::StopReason,
    engine::Fate,
    region::{change::RegionChanges, sidecar::SidecarError},
    sync::time::Duration,
};

/// Results and changes of a block; exactly those of a sequential run.
#[derive(Clone, Debug)]
pub struct Outcome<K, V, T, E> {
    /// What each closure returned. The writes of one that returned an `Err` are not in `changes`.
    pub results: Vec<Result<T, E>>,
    /// Every location that was written, with its value after the block (`None`: deleted), in the
    /// order in which the locations were first written. A value may be the one from before.
    pub changes: Vec<(K, Option<V>)>,
    /// What the block changed of shared regions, if it had shared memory. Make it the state of the
    /// next block by [`SharedMemory::commit`](crate::engine::SharedMemory::commit).
    pub regions: Option<RegionChanges>,
    /// How the block was executed. Unlike the rest this depends on the schedule.
    pub statistics: Statistics,
}

impl<K: Clone + Eq + Hash, V: Clone, T, E> Outcome<K, V, T, E> {
    /// Turns the state before the block into the state after it.
    pub fn apply_to<S: BuildHasher>(&self, state: &mut HashMap<K, V, S>) {
        for (key, value) in &self.changes {
            match value {
                Some(value) => state.insert(key.clone(), value.clone()),
                None => state.remove(key),
            };
        }
    }
}

/// What a block that was stopped had committed by then: exactly what its first transactions, as many
/// as there are results, come to. It is no outcome of the block.
#[derive(Clone, Debug)]
pub struct PartialOutcome<K, V, T, E> {
    /// What each of the committed closures returned.
    pub results: Vec<Result<T, E>>,
    /// As [`Outcome::changes`], after the committed transactions.
    pub changes: Vec<(K, Option<V>)>,
    /// As [`Outcome::regions`], after the committed transactions.
    pub regions: Option<RegionChanges>,
}

/// How a block ended that somebody could stop.
pub type Ended<K, V, T, E> = Result<Outcome<K, V, T, E>, BlockError<PartialOutcome<K, V, T, E>>>;

/// How a block was executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Whether it went through the workers.
    pub parallel: bool,
    /// Workers at hand.
    pub threads: usize,
    /// Times a closure was started. The number of transactions, if nothing ran in vain.
    pub incarnations: u64,
    /// Times a transaction was suspended.
    pub suspensions: u64,
    /// Accesses to the state by closures that ran in vain.
    pub wasted_accesses: u64,
}

/// Why a block ended early. It is the error that a sequential run ends in, or one of the engine's own.
///
/// `P` is what a stopped block leaves: a [`PartialOutcome`] where that can be asked for
/// ([`Engine::execute_with`](super::Engine::execute_with)), else nothing.
#[derive(Debug, thiserror::Error)]
pub enum BlockError<P = Infallible> {
    /// A closure panicked.
    #[error("transaction {index} panicked: {message}")]
    Panic {
        /// Position of the transaction.
        index: usize,
        /// What it said.
        message: String,
    },
    /// Shared memory failed.
    #[error("transaction {index}, shared memory: {reason}")]
    SharedMemory {
        /// Position of the transaction.
        index: usize,
        /// What failed.
        reason: String,
    },
    /// More is attached to a transaction than the chain allows.
    #[error("transaction {index}: {source}")]
    Sidecar {
        /// Position of the transaction.
        index: usize,
        /// What is wrong with it.
        source: SidecarError,
    },
    /// The base could not be read.
    #[error("transaction {index}, reading {key}: {source}")]
    Base {
        /// Position of the transaction.
        index: usize,
        /// The location.
        key: String,
        /// What the base said.
        source: BaseError,
    },
    /// A worker died, which a panic in a method of a key or value type can cause.
    #[error("worker {worker} died")]
    Worker {
        /// Which worker.
        worker: usize,
    },
    /// The block was cancelled.
    #[error("the block was cancelled")]
    Cancelled {
        /// What it had committed, if that was asked for and it had begun.
        committed: Option<Box<P>>,
    },
    /// The block was not done in time.
    #[error("the block was not done within {allowed:?}")]
    DeadlineExceeded {
        /// How long it was given.
        allowed: Duration,
        /// What it had committed, if that was asked for and it had begun.
        committed: Option<Box<P>>,
    },
    /// Something panicked outside of any transaction: what was to be called on commit.
    #[error("a panic outside of any transaction: {message}")]
    Host {
        /// What it said.
        message: String,
    },
    /// The system gave no thread for the block's queue or deadline.
    #[error("{reason}")]
    NoThread {
        /// What the system said.
        reason: String,
    },
}

impl<P> BlockError<P> {
    /// The error of a stopped block.
    pub(crate) fn stopped(reason: StopReason, committed: Option<P>) -> Self {
        let committed = committed.map(Box::new);
        match reason {
            StopReason::Cancelled => Self::Cancelled { committed },
            StopReason::DeadlineExceeded { allowed } => {
                Self::DeadlineExceeded { allowed, committed }
            }
        }
    }

    /// The same error, with something else for what was committed.
    pub fn map_committed<Q>(self, f: impl FnOnce(P) -> Q) -> BlockError<Q> {
        let map = |committed: Option<Box<P>>| committed.map(|partial| Box::new(f(*partial)));
        match self {
            Self::Panic { index, message } => BlockError::Panic { index, message },
            Self::SharedMemory { index, reason } => BlockError::SharedMemory { index, reason },
            Self::Sidecar { index, source } => BlockError::Sidecar { index, source },
            Self::Base { index, key, source } => BlockError::Base { index, key, source },
            Self::Worker { worker } => BlockError::Worker { worker },
            Self::Cancelled { committed } => BlockError::Cancelled { committed: map(committed) },
            Self::DeadlineExceeded { allowed, committed } => {
                BlockError::DeadlineExceeded { allowed, committed: map(committed) }
            }
            Self::Host { message } => BlockError::Host { message },
            Self::NoThread { reason } => BlockError::NoThread { reason },
        }
    }

    /// The same error, without what was committed.
    #[must_use]
    pub fn without_committed<Q>(mut self) -> BlockError<Q> {
        if let Self::Cancelled { committed } | Self::DeadlineExceeded { committed, .. } = &mut self
        {
            *committed = None;
        }
        self.map_committed(|_| unreachable!("there is none"))
    }
}

impl<P> From<Fate> for BlockError<P> {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Stopped(reason) => Self::stopped(reason, None),
            Fate::NoThread(reason) => Self::NoThread { reason },
            Fate::Panic(message) => Self::Host { message },
        }
    }
}
