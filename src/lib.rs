//! Chorus: an actor-based concurrent execution engine.
//!
//! (The crate documentation grows with the crate.)

pub mod context;
pub mod engine;
pub mod native;
pub mod scheduler;
pub mod state;
pub mod sync;

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
pub mod evm;

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
pub mod store;
