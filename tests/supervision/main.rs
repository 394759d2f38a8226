//! However a block ends, it ends: cancelled, too late, panicked, with a dead worker. The engine
//! goes on.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../common/event.rs"]
mod event;
#[cfg(feature = "evm")]
#[path = "../common/executor.rs"]
mod executor;
mod patience;

#[cfg(feature = "evm")]
mod endless;
#[cfg(feature = "evm")]
mod evm_cancel;
#[cfg(feature = "evm")]
mod evm_panics;
mod native_cancel;
mod native_panics;
mod pool;
mod timer;
