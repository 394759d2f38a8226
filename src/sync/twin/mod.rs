//! What loom and shuttle share: parking_lot's locks, crossbeam's channels and arc-swap's place, as
//! models of them.
//!
//! A third-party primitive is an axiom of the proofs. Its twin promises what the crate's
//! documentation promises and, where that is possible, nothing else, so that a protocol cannot
//! lean on how the crate happens to be built:
//!
//! - [`lock`]: mutual exclusion; a lock happens after the unlock before it; no poisoning.
//! - [`channel`]: first in, first out; a receive happens after *its* send. Finding a channel empty
//!   or full orders nothing, and may rest on an old value.
//! - [`place`]: a load finds some stored value whole and happens after *its* store; the loads and
//!   stores of one place have one order for everybody, and no order with any other location.

#[cfg(chorus_loom)]
use ::loom::sync as raw;
#[cfg(all(chorus_shuttle, not(chorus_loom)))]
use ::shuttle::sync as raw;

pub mod channel;
mod lock;
mod place;
mod queue;

pub use lock::{Condvar, Mutex, MutexGuard};
pub use place::{ArcSwap, ArcSwapGuard};
