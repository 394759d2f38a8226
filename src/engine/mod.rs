//! Persistent workers that execute blocks on a machine.

mod pool;

pub use pool::{PoolError, WorkerPool};
