//! The collector: what it frees, what it only moves, and what it leaves alone.

// Threads here are the test's own; no protocol of the crate is at stake in them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![cfg(not(any(chorus_loom, chorus_shuttle)))]

mod damage;
mod desk;
mod destroyed;
mod forms;
mod pools;
mod threads;
mod when;
