//! The only door to atomics, locks, cells, channels, threads, clock and random seed.
//!
//! Three back ends stand behind it, chosen by cfg:
//!
//! | cfg | back end | used by |
//! |---|---|---|
//! | none | std, parking_lot, crossbeam | everyone |
//! | `chorus_loom` | loom | `cargo loom`: every interleaving of small models |
//! | `chorus_shuttle` | shuttle | randomised schedules of the whole engine |
//!
//! All three offer the same names with the same signatures, so the code that a model explores is
//! the code that ships. What differs is stated where it differs.

#[cfg(not(any(chorus_loom, chorus_shuttle)))]
#[path = "std.rs"]
mod backend;

pub use backend::*;
