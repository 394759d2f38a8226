//! Shared memory of a running engine: the registry actor with its messages, and the host's side.
//!
//! ```text
//!  context ── look up(id) ──┐                          ┌─► BlockRegions: versions below the context
//!  host ──── create, ... ───┼─► mailbox ─► Registry ───┼─► publisher of the table
//!  host ──── commit ────────┤      ▲                   └─► limbo of destroyed regions
//!  host ──── collect ───────┘      │ polled by workers ahead of contexts, and by whoever asked
//!                                  └ replies wake contexts
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `memory` | [`SharedMemory`]: what a host holds and does |
//! | `upkeep` | what else it does: collections, checks, pools, figures |
//! | `host_error` | why its requests fail |
//! | `registry` | the actor: its messages, and what it answers |
//! | `collect` | the collector: destroyed regions, cold pages, the memory budget |
//! | `ask` | a context's question to the registry |
//! | `block` | shared memory within one block that runs in parallel |
//! | `world` | the regions below a context |
//! | `model` | what the models in `loom-tests` reach of all this; exists for them alone |
//!
//! Invariants
//!
//! 1. The registry alone publishes the table. It changes at a commit, when the host creates or
//!    destroys a region between blocks, and when the collector has put pages into another form,
//!    which changes nothing that can be read; never for what a transaction does.
//! 2. What it answers a context is a function of the block's table and the versions below the
//!    context, and is part of the context's read set. So a worker that has the answer does not ask again for
//!    as long as no transaction has touched the region ([`known`](crate::region::known)).
//! 3. A block runs on the table that was published when it began. Executing a block changes nothing:
//!    its outcome carries the changes, and committing them is a step of its own, as it is for
//!    accounts. The same block can be executed again.
//! 4. Enabling and disabling take effect at the next block.

mod ask;
mod block;
mod collect;
mod host_error;
mod memory;
#[cfg(chorus_loom)]
pub mod model;
mod registry;
mod upkeep;
mod world;

pub(crate) use self::{
    ask::{Asker, Waking},
    block::{SharedBlock, Trouble},
    world::ContextWorld,
};
pub use self::{
    collect::CollectReport,
    host_error::HostError,
    memory::{RegionInfo, SharedMemory},
    registry::Stats,
};
