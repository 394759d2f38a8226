//! What a block came to.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
};

use super::BaseError;
use crate::region::{change::RegionChanges, sidecar::SidecarError};

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

/// Why a block ended early. It is the error that a sequential run ends in.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
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
}
