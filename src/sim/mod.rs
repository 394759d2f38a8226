//! The real scheduler on virtual time: how a block would go on more cores than there are.
//!
//! ```text
//!   Block: reads, writes, times ──► Replay (a Machine)
//!                                      │
//!   Settings: cores, costs, faults     ▼
//!        │                    Run, Scheduler, Table: those that ship
//!        ▼                             ▲
//!   Stage ── core with the lowest clock ── Desk::step ── its clock moves on by what that cost
//! ```
//!
//! Nothing here decides who runs, waits, validates or commits: that is [`crate::scheduler`],
//! [`crate::context`] and [`crate::state`], as in every run. What is simulated is time. A virtual core
//! makes the steps of a worker's loop ([`Desk::step`](crate::context::Desk::step)); the stage lets the
//! core with the lowest clock make the next one, on the calling thread, so that the answer is the same for the
//! same block, settings and seed.
//!
//! | file | concept |
//! |---|---|
//! | `block` | what is simulated: transactions as what they read and write, and when |
//! | `costs` | what the engine costs, what goes wrong, on how many cores |
//! | `replay` | the machine that replays transactions |
//! | `task` | one incarnation, run piece by piece |
//! | `ledger` | what a step takes |
//! | `core` | a core with its worker: active, looking for work, asleep |
//! | `stage` | the course of time |
//!
//! # What is true to life, and what is not
//!
//! - A read happens at its place in its transaction's time, so conflicts, stops, waits and
//!   re-executions come about as they would. Costs that follow what they pay for (publishing,
//!   committing) are charged after it: others see it that much too early.
//! - Commits follow one another: the token of the commit cursor is held for as long as a commit takes,
//!   and who comes meanwhile leaves word and goes on.
//! - A transaction reads and writes the same locations whatever it has seen. Real ones may turn
//!   elsewhere after a conflict.
//! - Caches, memory bandwidth and locks cost what they cost where they were measured, on however few
//!   cores that was. More cores than one socket has are better than life here.
//!
//! # Invariants
//!
//! 1. Time does not run backwards: a step begins at the lowest clock there is.
//! 2. A step brings a transaction forward or takes time, so time goes on.
//! 3. What nobody will ever do is an error ([`SimError::Stuck`]), and so is a block that goes on for
//!    ever.
//!
//! ```
//! use chorus::{sim::{Block, Settings, Transaction, simulate}, sync::{Arc, time::Duration}};
//!
//! // A hundred transactions that have nothing to do with each other.
//! let transaction = Transaction { work: Duration::from_micros(10), ..Transaction::default() };
//! let block = Arc::new(Block { transactions: vec![transaction; 100] });
//! let outcome = simulate(&block, &Settings::new(20))?;
//! assert_eq!(outcome.time, Duration::from_micros(50));
//! # Ok::<(), chorus::sim::SimError>(())
//! ```

mod block;
mod core;
mod costs;
mod ledger;
mod replay;
mod stage;
mod task;

pub use block::{Block, Location, Read, Transaction};
pub use costs::{Costs, Fault, Settings};
pub use stage::simulate;

use crate::sync::time::Duration;

/// How a simulated block went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// From the first transaction's start to the end of the last commit.
    pub time: Duration,
    /// How long each core had something to do.
    pub busy: Vec<Duration>,
    /// How long incarnations ran that were thrown away.
    pub wasted: Duration,
    /// How long the commits took, one after another.
    pub committing: Duration,
    /// Incarnations started.
    pub incarnations: u64,
    /// Times a transaction was suspended.
    pub suspensions: u64,
    /// Steps of the simulation.
    pub steps: u64,
    /// What every written location holds in the end, by location.
    pub state: Vec<(Location, u64)>,
}

/// Why a simulation has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// No cores.
    #[error("cores: 0 is not a number of cores, give at least 1")]
    NoCores,
    /// More transactions than can be numbered.
    #[error("{transactions} transactions are too many")]
    TooLong {
        /// How many.
        transactions: usize,
    },
    /// A read that is before the one before it, or after the end.
    #[error("transaction {index}: a read at {at:?} of {work:?} is out of order")]
    Disorder {
        /// The transaction.
        index: usize,
        /// When it reads.
        at: Duration,
        /// How long it runs.
        work: Duration,
    },
    /// The machine panicked.
    #[error("transaction {index} panicked")]
    Panic {
        /// The transaction.
        index: usize,
    },
    /// A worker died.
    #[error("the worker of core {core} died")]
    CoreDied {
        /// Which core.
        core: usize,
    },
    /// Nobody does anything any more, or nothing comes of it.
    #[error("{committed} transactions are committed, and no more will be")]
    Stuck {
        /// How many are committed.
        committed: u32,
    },
}
