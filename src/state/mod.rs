//! Multi-version state: what each transaction of a block wrote, and what each one saw.
//!
//! ```text
//!  Table<C>   key ──► EntryId ──► Entry<C>
//!             Guide<C>: one          first       value before the block
//!             worker's memory        committed   value after every committed transaction
//!                                   pending     changes of executed, uncommitted transactions, by index
//!                                   readers     transactions that looked, to be told of a change
//! ```
//!
//! The module knows no transaction, no account and no VM: a [`Cell`] says what a location holds, how
//! a change is applied to it, and when an observation still holds. Changes may be absolute or
//! commutative (a delta); observations may be exact values or predicates. Both compose, because an
//! entry folds changes in block order over the committed value.
//!
//! Invariants
//!
//! 1. `committed` holds the effect of exactly the committed transactions, all of which have lower
//!    indices than every pending change.
//! 2. A transaction has at most one pending change per entry. It is *published* or an *estimate*:
//!    what an aborted incarnation wrote, kept so that readers wait rather than run into it, or what
//!    a hint predicts.
//! 3. Whoever reads an entry, other than by a peek or a glance, is in `readers` before it leaves the
//!    entry's lock, so a later change by a lower transaction finds it; not so those of a value that
//!    hardly changes, unless they ask for it. A reader is told at most once per change, and
//!    re-validates by value: being told costs time, never correctness.
//! 4. Entries are created, never removed, while a block runs; [`EntryId`]s stay valid.
//! 5. At the commit cursor an observation is checked against `committed` alone, which nothing but
//!    the commit step changes. That check decides; every earlier one is an optimisation.

mod arena;
pub mod bounds;
mod cell;
mod contention;
mod entry;
mod entry_id;
mod extent;
mod guide;
mod index;
mod inner;
mod left_out;
mod line;
mod rivals;
mod table;

pub use bounds::Bounds;
pub use cell::Cell;
pub use entry::Entry;
pub use entry_id::EntryId;
pub use extent::Extent;
pub use guide::Guide;
pub use inner::Read;
pub use left_out::{left_out, places};
pub use table::Table;

/// Position of a transaction in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxIndex(pub u32);

impl TxIndex {
    /// As an index into per-transaction arrays.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for TxIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
