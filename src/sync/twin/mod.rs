//! What loom and shuttle share: parking_lot's locks and crossbeam's channels, as models of them.
//!
//! A third-party primitive is an axiom of the proofs. Its twin promises what the crate's
//! documentation promises and, where that is possible, nothing else, so that a protocol cannot
//! lean on how the crate happens to be built:
//!
//! - [`lock`]: mutual exclusion; a lock happens after the unlock before it; no poisoning.
//! - [`channel`]: first in, first out; a receive happens after *its* send. Finding a channel empty
//!   or full orders nothing, and may rest on an old value.

#[cfg(chorus_loom)]
use ::loom::sync as raw;
#[cfg(all(chorus_shuttle, not(chorus_loom)))]
use ::shuttle::sync as raw;

pub mod channel;
mod lock;
mod queue;

pub use lock::{Condvar, Mutex, MutexGuard};
