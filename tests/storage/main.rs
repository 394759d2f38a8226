//! Blocks over stores that make them wait: the outcome is that of one-by-one execution over the same
//! state at hand, whatever the store does, and what reads cost is bounded.
#![cfg(feature = "evm")]
// A test may start threads of its own, and stores answer from them.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../common/data.rs"]
mod data;
#[path = "../common/executor.rs"]
mod executor;
#[path = "../common/generate/mod.rs"]
mod generate;
#[path = "../supervision/patience.rs"]
mod patience;

mod ahead;
mod creators;
mod crowd;
mod differential;
mod errors;
mod mappings;
mod reads;
mod stores;
mod timeout;
mod world;
