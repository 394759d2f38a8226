//! Shared memory: named, permissioned, copy-on-write regions of persistent immutable pages.
//!
//! ```text
//!   contract, closure, host
//!          │ Call + Operation
//!          ▼
//!       Session ────────── one transaction: frames, mappings, overlay, journal
//!          │ World
//!    ┌─────┴──────────────────┬──────────────────────────┐
//!    ▼                        ▼                          ▼
//!  MetaCell, by RegionId    PageCell, by PageKey      Sidecar, by Handle
//!  versions of metadata     versions of words         the block's input
//!    └─────┬──────────────────┘
//!          ▼ commit, in block order
//!        Regions ─── the table before and after a block, with its root
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `handle` | owners, names, and the identity that stands for both |
//! | `rights` | permissions, options, security levels |
//! | `config`, `presets` | what a chain fixes and what a host chooses, and configurations to begin with |
//! | `gas` | what operations cost |
//! | `operation` | the operations, asked for and answered |
//! | `error`, `reason` | why one failed, and what of that a contract sees |
//! | `page`, `mask` | a page, and which of its words or bytes |
//! | `page_map` | a persistent map of pages |
//! | `keccak`, `merkle` | the commitment to all regions |
//! | `meta`, `content` | metadata and pages as versioned locations |
//! | `sidecar` | read-only data of the block's input |
//! | `world` | what a transaction asks of the world outside of it |
//! | [`session`] | one transaction's regions |
//! | [`tier`] | the forms of committed pages: as they are, compressed, in a file |
//! | `record` | one persistent region |
//! | `regions`, `change` | all persistent regions, what a block changed, the root |
//! | `direct` | regions of a block that runs one by one |
//! | `versions` | regions of a block that runs in parallel |
//! | `known` | what one worker remembers of them |
//! | `interim` | how the one becomes the other amid a block |
//!
//! Invariants
//!
//! 1. A page that anything else can reach never changes: whoever writes one holds it alone, or
//!    copies it first.
//! 2. What a contract observes is a function of the block and of [`ChainConfig`](config::ChainConfig).
//! 3. Whatever a transaction saw of others is among its observations; nothing else of others decides
//!    anything in it.
//! 4. An operation that fails has changed nothing.

pub mod change;
pub mod config;
pub mod content;
pub mod direct;
pub mod error;
pub mod gas;
pub mod handle;
#[cfg(feature = "evm")]
pub(crate) mod interim;
pub mod keccak;
pub mod known;
pub mod mask;
pub mod merkle;
pub mod meta;
pub mod operation;
pub mod page;
pub mod page_map;
mod presets;
mod reason;
mod record;
pub mod regions;
pub mod rights;
pub mod session;
pub mod sidecar;
pub mod tier;
pub mod versions;
pub mod world;

pub use crate::observe::OperationKind;

pub use self::{
    error::RegionError,
    handle::{Address, Handle, Name},
    operation::{Access, Call, Fault, Moved, Operation, Output},
    rights::{MapOptions, Permissions, RegionOptions, SecurityLevel},
    session::Session,
};
