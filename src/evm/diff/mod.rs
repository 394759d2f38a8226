//! What a block changed, from the versions that are committed.
//!
//! ```text
//!              shared with a worker            caller                  worker 1
//!   accounts ─┬► piece ─┐            ┌─ accounts in their order     slots by account, ─┐
//!             └► piece ─┼► Assembly ─┤                              each in its order  │
//!   slots ────┬► piece ─┤            └─ the diff ◄─────────────────────────────────────┘
//!             └► piece ─┘
//! ```
//!
//! The entries of a block are spread over the caches of those who wrote them, and to look at each is most
//! of the work. So that is shared ([`Shares`](crate::context::Shares)) with a worker that has just left the block. What
//! comes of it is put together by the caller; where there is much, the worker puts the slots in order meanwhile.
//!
//! | file | concept |
//! |---|---|
//! | `piece` | what changed among some of the entries |
//! | `assembly` | the diff, from the pieces |
//! | `order` | the order of addresses and slots |
//! | `hash` | a hash of a diff that an outsider can recompute |

mod assembly;
mod hash;
pub(super) mod order;
mod piece;

pub(super) use self::{
    assembly::Assembly,
    piece::{Piece, Pieces, assist},
};
use super::{StateDiff, machine::EvmMachine};

/// What the block changed, all by the calling thread.
pub(super) fn alone(machine: &EvmMachine) -> StateDiff {
    let pieces = Pieces::share_out(machine);
    Assembly::new(pieces.finish(machine), pieces.positions()).finish()
}
