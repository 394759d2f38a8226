//! Persistent workers that execute blocks on a machine.

mod config;
mod pool;

pub use config::{EngineError, Path};
pub use pool::{PoolError, WorkerPool};
