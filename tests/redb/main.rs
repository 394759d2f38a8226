//! The database on disk: it holds what it was given, goes from block to block in whole steps, and
//! says what is wrong with a file.

// Threads and processes here are the test's own; no protocol of the crate is at stake in them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![cfg(all(feature = "redb", not(any(chorus_loom, chorus_shuttle))))]

#[path = "../common/data.rs"]
mod data;
#[path = "../common/executor.rs"]
mod executor;

mod blocks;
mod chain;
mod damage;
mod desk;
mod fetch;
mod flips;
mod import;
mod kill;
mod story;
