//! State stores: where a block's starting state comes from.
//!
//! ```text
//!   engine ── try_… ──► StateStore ── at hand ──► answer
//!      │                    ▲
//!      └── fetch(reads) ────┘ · · · later, from any thread · · ·► Read::answer ──► wakes the context
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `state_store` | the trait that all stores stand behind |
//! | `query` | what can be asked, the answers, the errors |
//! | `read` | a read that a store owes an answer, and the future of whoever asked |
//! | `flight` | one answer on its way and its waiters |
//! | `memory` | everything at hand, in maps |
//! | `rpc` | the state of a node, over JSON-RPC (feature `rpc`) |

mod flight;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod memory;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod query;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod read;
#[cfg(all(feature = "rpc", not(any(chorus_loom, chorus_shuttle))))]
pub mod rpc;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod state_store;

pub use flight::Flight;

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
pub use self::{
    memory::{MemoryAccount, MemoryStore, MemoryStoreBuilder},
    query::{Answer, Query, StoreError},
    read::{Pending, Read, ReadResult, Reply},
    state_store::StateStore,
};
