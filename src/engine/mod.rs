//! What all façades share: persistent workers, and how they are configured.
//!
//! ```text
//!  native::Engine, evm::Engine
//!        │ execute(block): a Run of the machine
//!        ▼
//!    WorkerPool ──┬── the calling thread   worker 0
//!                 ├── chorus-1             threads that sleep between blocks, each with
//!                 └── chorus-2 ...         what its machine keeps: coroutines, EVMs
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `pool` | the threads, and the block they work on |
//! | [`shared`] | shared memory: the registry actor's messages, and the host's side |
//! | `config` | which [`Path`] blocks take, and what makes an engine impossible |
//!
//! Invariants
//!
//! 1. A pool executes one block at a time. Callers from several threads take turns.
//! 2. No thread starts but in [`WorkerPool::new`], none outlives its pool, and one that has nothing
//!    to do sleeps.
//! 3. A worker that dies ends its block with an error. The others, and the pool, live on.
//!
//! The façades themselves stand with their machines, since their inputs and outcomes differ.

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
