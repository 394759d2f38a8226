//! What all façades share: workers that outlive blocks, the queue of blocks, and how a block is
//! stopped, watched and configured.
//!
//! ```text
//!  native::Engine, evm::Engine
//!    │ execute(block)          │ submit(block) ─► Execution: a future, a stream of outcomes
//!    │                         ▼
//!    │                     Conductor ── chorus-0     a thread that plays worker 0
//!    ▼                         ▼                     for submitted blocks
//!    WorkerPool ──┬── the calling thread, or chorus-0, as worker 0
//!                 ├── chorus-1             threads that sleep between blocks, each with
//!                 └── chorus-2 ...         what its machine keeps: coroutines, EVMs
//!    Timer ────────── chorus-timer         stops blocks whose time is over
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `core` | an engine around an executor of blocks, and the life of a block in it |
//! | `pool` | the threads, the block they work on, and what follows when one dies |
//! | `affinity` | where a worker wakes: not on its caller's core |
//! | `conductor` | the queue of submitted blocks, and the order of a shutdown |
//! | `execution` | a submitted block in the hands of its owner |
//! | `options` | what may be asked of one block |
//! | `cancel` | the token that stops blocks |
//! | `timer` | calls at points in time |
//! | `stream` | outcomes as they commit, and the credit that holds commits up |
//! | `alone` | what the thread of a block on the direct path listens to |
//! | [`shared`] | shared memory: the registry actor's messages, and the host's side |
//! | `config` | which [`Path`] blocks take, and what makes an engine impossible |
//!
//! Invariants
//!
//! 1. A pool executes one block at a time. Callers from several threads take turns; submitted blocks
//!    run in the order in which they came.
//! 2. The workers' threads start with the engine, those of the queue and the timer when they are first
//!    needed. None outlives the engine, and one that has nothing to do sleeps.
//! 3. A block ends: with its outcome, with an error, or stopped. A panic or a dead worker is an error
//!    of its block; the engine lives on.
//! 4. After a stop nothing commits. What a stopped block leaves is an exact prefix.
//! 5. An engine that goes ends its blocks in a fixed order ([`Conductor`]), then its threads.
//!
//! The façades themselves stand with their machines, since their inputs and outcomes differ.

mod affinity;
mod alone;
mod cancel;
mod conductor;
mod config;
mod core;
mod execution;
mod options;
mod pool;
pub mod shared;
mod stream;
mod timer;

pub(crate) use self::{
    alone::Alone,
    core::{Core, Fate, message},
    options::Conduct,
    stream::Feed,
};
pub use cancel::CancelToken;
pub use conductor::{Conductor, Turn};
pub use config::{EngineError, Path};
pub use execution::{Execution, Ticket};
pub use options::ExecuteOptions;
pub use pool::{PoolError, WorkerPool};
pub use shared::SharedMemory;
pub use stream::{BlockingOutcomes, Gate, Outcomes, Outlet, stream};
pub use timer::{Alarm, Timer, TimerError};
