//! Engines inside other programs: blocks as futures on whatever executor, outcomes as streams, blocks
//! in a queue.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../common/event.rs"]
mod event;
#[path = "../supervision/patience.rs"]
mod patience;

mod futures;
#[cfg(feature = "evm")]
mod prefetch;
mod queue;
mod streaming;
mod tokio_runtimes;
mod world;
