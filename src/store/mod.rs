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
//! | `reads` | the reads of one block: coalesced, ordered by rank, bounded |
//! | `io_pool` | threads for reads that block |
//! | `memory` | everything at hand, in maps |

mod flight;
mod io_pool;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod memory;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod query;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod read;
mod reads;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod state_store;

pub use flight::Flight;
pub use io_pool::{IoPool, IoPoolError, Job};
pub use reads::{ReadTotals, Reads};

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
pub use self::{
    memory::{MemoryAccount, MemoryStore, MemoryStoreBuilder},
    query::{Answer, Query, StoreError},
    read::{Pending, Read, ReadResult, Reply},
    state_store::StateStore,
};
