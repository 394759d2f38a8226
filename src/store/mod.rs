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
//! | `reads`, `guarded`, `states`, `asked` | the reads of one block: coalesced, ordered by rank, bounded; what their lock guards; the state of each key; those that are queued |
//! | `io_pool` | threads for reads that block |
//! | `backlog`, `ranked` | reads that a bounded number of tasks does, most urgent first |
//! | `database` | any `revm::DatabaseRef`, on an I/O pool or a runtime |
//! | `asynchronous` | any state with `async` functions, on a runtime (feature `tokio`) |
//! | `memory` | everything at hand, in maps |
//! | `redb` | a database on disk, with the feature of that name |
//! | `rpc` | a node, over JSON-RPC, with the feature of that name |
//! | `latency`, `distribution`, `arrivals`, `due`, `achieved` | slow on purpose and precisely so: the store, how slow, what is at hand since when, who waits, what was kept |
//! | `cache`, `kept` | a read-through cache: what is on its way, and what is kept |
//! | `overlay`, `change` | later blocks' changes over a state that does not change |
//! | `recording` | what was read |
//! | `faults` | failing on purpose |

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod achieved;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod arrivals;
mod asked;
#[cfg(all(feature = "tokio", not(any(chorus_loom, chorus_shuttle))))]
mod asynchronous;
mod backlog;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod cache;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod change;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod database;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod distribution;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod due;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod faults;
mod flight;
mod guarded;
mod io_pool;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod kept;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod latency;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod memory;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod overlay;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod query;
mod ranked;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod read;
mod reads;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod recording;
#[cfg(all(feature = "redb", not(any(chorus_loom, chorus_shuttle))))]
pub mod redb;
#[cfg(all(feature = "rpc", not(any(chorus_loom, chorus_shuttle))))]
pub mod rpc;
#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
mod state_store;
mod states;

pub use backlog::{Backlog, Server};
pub use flight::Flight;
pub use io_pool::{IoPool, IoPoolError, Job};
pub use reads::{Pump, ReadTotals, Reads};
pub use states::{Index, Key};

#[cfg(all(feature = "tokio", not(any(chorus_loom, chorus_shuttle))))]
pub use asynchronous::{AsyncState, AsyncStore};

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
pub use self::{
    achieved::Achieved,
    cache::{CacheStats, CachedStore},
    database::DatabaseStore,
    distribution::Latency,
    faults::{Fault, FaultyStore, Victims},
    latency::LatencyStore,
    memory::{MemoryAccount, MemoryStore, MemoryStoreBuilder},
    overlay::OverlayStore,
    query::{Answer, Query, StoreError},
    read::{Pending, Read, ReadResult, Replies, Reply},
    recording::RecordingStore,
    state_store::StateStore,
};
