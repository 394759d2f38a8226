//! State stores: what they answer, when, and what happens when they do not.
//!
//! One file per behaviour.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![cfg(not(any(chorus_loom, chorus_shuttle)))]

mod io_pool;
