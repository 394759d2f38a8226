//! The sequential reference: one transaction after another on one EVM.
//!
//! It is three things at once: what the parallel engine must equal, what it is measured against,
//! and the direct path that it takes itself when a block cannot gain. So it is as fast as one can
//! make it without threads. Only the direct path takes shortcuts: plain transfers go past revm (`transfer`),
//! hashes are remembered, and frequent opcodes run in a loop of their own (`inner_loop`). `links` sees
//! whether transactions could have run beside each other.
//!
//! ```text
//!  Block ─► Sequential ─► prologue ─► transaction 0 … n ─► epilogue ─► BlockOutcome
//!                             │              │                 │
//!                             └────────► Machine ◄─────────────┘
//!                                 EVM + SequentialState ─► StateStore
//! ```
//!
//! # The seam for the parallel engine
//!
//! [`prologue()`] and [`epilogue()`] know nothing of how the transactions between them run: each
//! takes a [`Machine`] over any [`StateStore`](super::StateStore) and leaves its changes in the
//! machine's [`SequentialState`], whose [`diff`](SequentialState::diff) says exactly what changed
//! relative to that store. The engine runs the prologue over the store itself and publishes the
//! diff as the version before the first transaction; it runs the epilogue over a store that shows
//! its committed state and lays that diff over the block's.

mod by_ref;
mod cached;
mod dao;
mod epilogue;
mod execute;
mod links;
mod machine;
mod progress;
mod prologue;
mod requests;
mod started;
mod state;
mod transfer;

pub use epilogue::epilogue;
pub use execute::Sequential;
pub(crate) use execute::finish;
pub use machine::{Failure, Machine};
pub(crate) use machine::{Shortcuts, copy_transaction};
pub(crate) use progress::{Begun, Done, Head, Pace, Tail, Watch};
pub use prologue::prologue;
pub use state::SequentialState;
