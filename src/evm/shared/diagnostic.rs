//! Why an operation failed, for whoever looks at a transaction from outside.
//!
//! An opcode that fails takes the frame's gas and says no more; the precompile gives its reason to
//! the caller, who may swallow it. Either way the typed error is noted here, reverted or not. Part of
//! the outcome: the same whatever runs in parallel.

use alloy_primitives::Address;

use crate::region::{OperationKind, RegionError};

/// Most failures that are noted of one transaction; the first ones are.
pub const MOST_DIAGNOSTICS: usize = 64;

/// An operation on shared memory that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Depth of the frame that asked: 0 for the transaction itself, 1 for the code it calls.
    pub depth: usize,
    /// Whose rights the frame acted with.
    pub actor: Address,
    /// What was asked for.
    pub operation: OperationKind,
    /// Why it failed.
    pub error: RegionError,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { depth, actor, operation, error } = self;
        write!(f, "{} by {actor} at depth {depth}: {error}", operation.name())
    }
}
