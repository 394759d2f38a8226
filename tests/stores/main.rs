//! State stores: what they answer, when, and what happens when they do not.
//!
//! One file per behaviour.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![cfg(not(any(chorus_loom, chorus_shuttle)))]

#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "evm")]
mod blocks;
#[cfg(feature = "evm")]
mod cache;
#[cfg(feature = "evm")]
mod database;
#[cfg(feature = "evm")]
mod faults;
mod io_pool;
#[cfg(feature = "evm")]
mod latency;
#[cfg(feature = "evm")]
mod overlay;
#[cfg(feature = "evm")]
mod recording;
#[cfg(feature = "evm")]
mod stacks;
#[cfg(feature = "evm")]
mod world;
