//! Operations as they are asked for, and what their analysis comes to.
//!
//! ```text
//!  Call + Operation ── Session::analyse ──► Plan ── Session::execute, read, write ──► result
//!                          │                 gas, everything decided     cannot fail
//!                          └──► Fault        nothing has changed
//!
//!  Call + Access ── Session::read_at, write_at ──► Moved, or Fault      both steps in one
//! ```
//!
//! Operands are whole 256-bit words, as they stand on the stack. Nothing is cut to fewer bits.

use ruint::aliases::U256;

use super::{
    error::RegionError,
    handle::{Address, Handle},
};
use crate::observe::OperationKind;

/// Who asks, and with what means.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The frame that the mappings belong to: its depth, 0 for the transaction itself.
    pub frame: usize,
    /// The frame's own address: what ADDRESS returns.
    pub actor: Address,
    /// Nothing may be changed.
    pub is_static: bool,
    /// Gas there is.
    pub gas: u64,
}

/// An operation with its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the operands are those of the operations' table in the README")]
pub enum Operation {
    Alloc { size: U256, class: U256 },
    Free { handle: Handle },
    Create { name: [u8; 32], size: U256, permissions: U256, options: U256 },
    Open { owner: U256, name: [u8; 32] },
    Map { handle: Handle, options: U256, offset: U256, size: U256 },
    Unmap { mapping: U256 },
    Publish { mapping: U256 },
    Read { mapping: U256, offset: U256, len: U256 },
    ReadPadded { mapping: U256, offset: U256, len: U256 },
    Write { mapping: U256, offset: U256, len: U256 },
    Copy { mapping: U256, destination: U256, source: U256, len: U256 },
    Grow { handle: Handle, size: U256 },
    Grant { handle: Handle, address: U256, permissions: U256 },
    Destroy { handle: Handle },
    Info { handle: Handle },
    Exec { handle: Handle, offset: U256, len: U256, limit: u64 },
}

/// Which bytes a read or a write is about, with the operands as they stand on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The mapping's ordinal in its frame, from 1.
    pub mapping: U256,
    /// In bytes from the mapping's begin.
    pub offset: U256,
    /// How many bytes are asked for.
    pub len: U256,
}

/// A read or a write that has been carried out.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it costs, the base included; memory and data of the caller aside.
    pub gas: u64,
    /// How many bytes were read or written.
    pub bytes: u64,
}

impl Operation {
    /// Which operation it is.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Alloc { .. } => OperationKind::Alloc,
            Self::Free { .. } => OperationKind::Free,
            Self::Create { .. } => OperationKind::Create,
            Self::Open { .. } => OperationKind::Open,
            Self::Map { .. } => OperationKind::Map,
            Self::Unmap { .. } => OperationKind::Unmap,
            Self::Publish { .. } => OperationKind::Publish,
            Self::Read { .. } => OperationKind::Read,
            Self::ReadPadded { .. } => OperationKind::ReadPadded,
            Self::Write { .. } => OperationKind::Write,
            Self::Copy { .. } => OperationKind::Copy,
            Self::Grow { .. } => OperationKind::Grow,
            Self::Grant { .. } => OperationKind::Grant,
            Self::Destroy { .. } => OperationKind::Destroy,
            Self::Info { .. } => OperationKind::Info,
            Self::Exec { .. } => OperationKind::Exec,
        }
    }
}

/// An operand as a number of 64 bits, if it is one.
#[inline]
pub(crate) fn small(operand: &U256) -> Option<u64> {
    let [low, rest @ ..] = operand.as_limbs();
    (rest.iter().fold(0, |bits, limb| bits | limb) == 0).then_some(*low)
}

/// Why an operation does not happen. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What is needed is not there yet. The world wakes the context when it is; ask again then.
    Wait,
    /// The incarnation has to stop; the world knows why.
    Stop,
    /// It costs more than there is.
    OutOfGas,
    /// It would change something in a static frame.
    Static {
        /// Charged until that was found.
        gas: u64,
    },
    /// It is not possible.
    Failed {
        /// Why.
        error: RegionError,
        /// Charged until that was found.
        gas: u64,
    },
}

/// What an operation gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// alloc, create, open (`None`: no such region).
    Handle(Option<Handle>),
    /// The ordinal of a mapping in its frame, from 1.
    Mapping(u64),
    /// Bytes read or written.
    Bytes(u64),
    /// The size in bytes and the caller's permissions.
    Info {
        /// In bytes.
        size: u64,
        /// The caller's.
        permissions: u8,
    },
    /// Nothing.
    Done,
}
