//! One transaction's regions: what it knows, what it changed, and what it may take back.
//!
//! ```text
//!  analyse(call, operation) ──► Plan ──► execute / read / write
//!     │ lookups, pages                       │ journal, overlay
//!     ▼                                      ▼
//!   World: registry, pages of lower     regions, frames, marks ──► Effects
//!   transactions, sidecars                                         observations, changes, usage
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `local` | a region as the transaction sees it |
//! | `frame` | call frames with their mappings |
//! | `journal` | checkpoints: what takes changes back |
//! | `blocks` | pool blocks held, and their reservations |
//! | `lookup` | from handles and names to regions, rights |
//! | `plan` | what an analysis has decided |
//! | `analyse` | the order of checks, and the bill |
//! | `begin` | checks and gas of create, open, alloc, free |
//! | `change` | checks and gas of grow, grant, destroy, info |
//! | `map` | checks of map, and mappings by their ordinals |
//! | `access` | checks of operations on bytes |
//! | `quick` | the commonest case of operations on bytes |
//! | `reach` | gas of data and pages, and having pages loaded |
//! | `execute` | operations on regions as a whole, decided already |
//! | `bytes` | moving bytes between callers and overlays |
//! | `snapshot` | bytes of copy-on-write mappings |
//! | `effects` | what is left when the transaction ends |
//! | `reuse` | the same session for the next one |
//!
//! Invariants
//!
//! 1. `analyse` changes nothing that an operation could observe. What it learns from the world stays,
//!    so asking again after [`Fault::Wait`](super::Fault::Wait) goes on where it stopped.
//! 2. A plan is carried out at once or not at all, and carrying it out cannot fail.
//! 3. Whatever of the world an answer depended on is in the effects, whether or not the operation
//!    came about, and whether or not it was reverted.
//! 4. Gas and results depend on the world's answers, the configuration and the transaction's own
//!    earlier operations, and on nothing else.
//!
//! Where the specification leaves a choice:
//!
//! - Names of `Transaction` regions are a namespace of their own, so creating one depends on no other
//!   transaction. `open` finds a transaction's own region before a persistent one of the same name.
//! - A mapping of "to the end" follows the region as it grows, unless it is a snapshot. A window
//!   keeps its size: a write past it is clipped, and does not grow the region.
//! - Mapping the same window with the same options twice in a frame is `AlreadyMapped`; different
//!   windows or options of one region can stand side by side.
//! - `copy` moves everything or nothing, since it has no result to tell a part by.
//! - A pool block does not count against `max_shared_regions`: what bounds it is its class's quota.
//! - A pool block has the size that was asked for, and can grow up to its class.
//! - `publish` pays for data by the words that the mapping wrote to, whole or in part.
//! - After `publish` a mapping still shows its own writes; publishing again applies what was written
//!   since.
//! - `open` of what cannot be a name or an owner finds nothing, and costs a first lookup every time.
//! - At levels below `Strict` nobody is kept from what only the owner may do.
//! - `destroy` takes pool blocks too; `free` takes nothing but pool blocks.

mod access;
mod analyse;
mod begin;
mod blocks;
mod bytes;
mod change;
mod effects;
mod execute;
mod frame;
mod journal;
mod local;
mod lookup;
mod map;
mod plan;
mod quick;
mod reach;
#[cfg(feature = "evm")]
mod reuse;
mod snapshot;

use std::collections::{HashMap, HashSet};

use self::{
    blocks::Blocks,
    frame::Frame,
    journal::{Mark, Undo},
    local::{Local, Name, RegionNumber},
};
pub use self::{
    effects::{Denied, Effects},
    plan::Plan,
};
use super::{
    config::ChainConfig,
    handle::{Handle, RegionId},
};
use crate::{
    observe::Usage,
    sync::{Arc, RandomState},
};

/// The regions of one transaction.
pub struct Session {
    config: Arc<ChainConfig>,
    regions: Vec<Local>,
    /// Persistent regions and names that were looked up.
    names: HashMap<RegionId, Name, RandomState>,
    /// The transaction's own regions and its sidecars.
    handles: HashMap<Handle, RegionNumber, RandomState>,
    /// What the transaction calls its own regions.
    own_names: HashMap<RegionId, Handle, RandomState>,
    /// Names and regions looked up before, so cheap to look up.
    warm: HashSet<RegionId, RandomState>,
    frames: Vec<Frame>,
    /// Frames that have ended, empty, for the next ones.
    spare: Vec<Frame>,
    journal: Vec<Undo>,
    marks: Vec<Mark>,
    epoch: u64,
    /// Of the frame that began last.
    serial: u64,
    /// Words of page memory charged.
    words: u64,
    /// Regions created, pool blocks aside.
    created: u32,
    /// The last ordinal of a region of the transaction's own.
    ordinal: u64,
    /// Pool blocks held, by class.
    blocks: Blocks,
    usage: Usage,
    denied: Vec<Denied>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("regions", &self.regions.len())
            .field("depth", &self.depth())
            .field("journal", &self.journal.len())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session for a transaction that is within `depth` call frames already.
    #[must_use]
    pub fn new(config: Arc<ChainConfig>, depth: usize) -> Self {
        let mut session = Self::empty(config);
        session.begin_at(depth);
        session
    }

    fn empty(config: Arc<ChainConfig>) -> Self {
        Self {
            config,
            regions: Vec::new(),
            names: HashMap::default(),
            handles: HashMap::default(),
            own_names: HashMap::default(),
            warm: HashSet::default(),
            frames: Vec::new(),
            spare: Vec::new(),
            journal: Vec::new(),
            marks: Vec::new(),
            epoch: 0,
            serial: 0,
            words: 0,
            created: 0,
            ordinal: 0,
            blocks: Blocks::default(),
            usage: Usage::default(),
            denied: Vec::new(),
        }
    }

    /// Makes an empty session one for a transaction that is within `depth` call frames already.
    pub(crate) fn begin_at(&mut self, depth: usize) {
        debug_assert!(self.frames.is_empty() && self.regions.is_empty(), "an empty session");
        self.begin_frame();
        for _ in 0..depth {
            self.checkpoint(true);
        }
    }

    /// What the chain fixes.
    #[must_use]
    pub fn config(&self) -> &Arc<ChainConfig> {
        &self.config
    }
}
