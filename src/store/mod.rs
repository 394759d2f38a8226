//! State stores: where a block's starting state comes from.
//!
//! Every store stands behind [`StateStore`](crate::evm::StateStore); the engine knows nothing
//! else of it.

mod memory;

pub use memory::{MemoryAccount, MemoryStore, MemoryStoreBuilder};
