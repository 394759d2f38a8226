//! Shared memory in the EVM: sixteen opcodes and a precompile over one transaction's
//! [`Session`](crate::region::Session).
//!
//! ```text
//!  opcodes ──────┐                            ┌── Session: frames, overlay, journal
//!                ├─ Operation ─► SharedJournal ┤
//!  precompile ───┘  (analyse, pay, execute)    └── World, through the database
//!     │ abi
//!   Solidity
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `instructions` | the opcodes |
//! | `exec` | a region's bytes as code |
//! | `ask` | how a frame asks: analysis and payment, or both and the bytes at once |
//! | `abi` | calls of the precompile as Solidity encodes them |
//! | `precompile` | the precompile, beside those of Ethereum |
//! | `ISharedMemory.sol` | the interface for contracts to import |
//! | `build` | an EVM with all that |
//! | `disassemble` | opcodes by name |
//! | `assemble` | code from text, with the same names |
//! | `journal` | what is asked of a journal, and the part that each journal holds |
//! | `diagnostic` | why operations failed, for the outcome |
//! | `attached` | what is attached to a block and its transactions |
//! | `convert` | addresses and handles as `alloy` has them |
//! | `code` | the byte of code at the precompile's address |
//!
//! Invariants
//!
//! 1. Where the chain has shared memory off, the opcodes are undefined, the address is an ordinary
//!    account, and a transaction costs what it costs on stock revm.
//! 2. A session has as many open checkpoints as its journal. A frame's depth is their number; the
//!    precompile, whose call is a checkpoint of its own, acts for the frame one above.
//! 3. An operation is analysed, then paid, then carried out.
//!
//! Rules from before EIP-161 (Spurious Dragon) do without shared memory: there, an account with the
//! precompile's byte of code could not be told from one that exists. System calls of a block's prologue
//! and epilogue do without it as well.

mod abi;
mod ask;
mod assemble;
mod attached;
mod build;
mod code;
mod convert;
mod diagnostic;
mod disassemble;
mod exec;
mod instructions;
mod journal;
mod precompile;

pub use self::{
    assemble::{AssembleError, assemble},
    build::{SharedEvm, build},
    diagnostic::{Diagnostic, MOST_DIAGNOSTICS},
    disassemble::{disassemble, mnemonic, opcode_name},
    journal::{RegionSource, Shared, SharedEnd, SharedJournal, SharedRegions},
    precompile::SharedPrecompiles,
};
pub(crate) use self::{attached::check_sidecars, code::put_on};
use revm::primitives::hardfork::SpecId;

use super::Block;
use crate::{region::config::ChainConfig, sync::Arc};

/// The configuration, if it is in force in a block.
#[must_use]
pub fn in_force(config: Option<&Arc<ChainConfig>>, block: &Block) -> Option<Arc<ChainConfig>> {
    let number = block.env.number.saturating_to();
    config
        .filter(|config| config.is_active(number))
        .filter(|_| block.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON))
        .cloned()
}
