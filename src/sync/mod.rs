//! The only door to atomics, locks, cells, channels, threads, clock and random seed.
//!
//! Three back ends stand behind it, chosen by cfg:
//!
//! | cfg | back end | used by |
//! |---|---|---|
//! | none | std, parking_lot, crossbeam, arc-swap | everyone |
//! | `chorus_loom` | loom | `cargo loom`: every interleaving of small models |
//! | `chorus_shuttle` | shuttle | `.ci/run schedules`: random schedules of the whole engine |
//!
//! All three offer the same names with the same signatures, so the code that a model explores is
//! the code that ships. What differs is stated where it differs; these differences concern all:
//!
//! - `new` of an atomic, a lock or a channel is not `const` under an explorer, which counts the
//!   object as part of the running model. So nothing of this module may sit in a `static`.
//! - `Condvar::notify_one` and `notify_all` are called for their effect only; what parking_lot
//!   returns in addition is not offered by the explorers.
//! - [`Arc`], [`Weak`] and [`OnceLock`] are the standard ones everywhere. No protocol here takes
//!   an ordering from a reference count or from the initialisation of a cell: what the count
//!   guards is dropped, never reused, and a cell holds a value that is the same whoever wrote it.
//!   An explorer that tracked them would only multiply the interleavings. [`OnceCell`] is for what holds
//!   atomics or locks of its own, which loom lets nobody touch who is not ordered after their making.
//! - What is in [`brief`] is for a structure that has models of its own and that others meet by the way: loom
//!   follows it in the former and passes over it in the latter, where each operation is one step with what follows.
//! - Time is the standard clock everywhere. A model must not branch on it.
//!
//! Clippy's `disallowed-types` and `disallowed-methods` keep the rest of the library from taking
//! another way in. Aliases and wrappers below, rather than re-exports, are what makes that
//! possible: the lint looks through a re-export but not through an alias.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[cfg(not(any(chorus_loom, chorus_shuttle)))]
#[path = "std.rs"]
mod backend;

#[cfg(chorus_loom)]
#[path = "loom.rs"]
mod backend;

#[cfg(all(chorus_shuttle, not(chorus_loom)))]
#[path = "shuttle.rs"]
mod backend;

#[cfg(not(chorus_loom))]
mod turns;

#[cfg(any(chorus_loom, chorus_shuttle))]
mod twin;

pub use backend::*;
