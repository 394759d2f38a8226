//! Blocks that use shared memory, by opcodes and by the precompile.
//!
//! | file | concept |
//! |---|---|
//! | `code` | bytecode under construction |
//! | `lab` | a chain with shared memory, block after block |
//! | `operation` | operations with small operands |
//! | `step` | one operation, rendered as an opcode or as a call of the precompile, with what it left |

// Each test binary uses what it needs of this module.
#![allow(dead_code, unused_imports)]

mod code;
mod lab;
pub(crate) mod operation;
mod step;

pub(crate) use code::Code;
pub(crate) use lab::{GAS, Lab, Ran, account};
pub(crate) use step::{
    Interface, Left, MEMORY, Step, calldata, error_data, mixed, opcode_of, operands, program,
};

use alloy_primitives::{Address, U256, address};
use chorus::region::{
    Handle, Name,
    handle::{Kind, RegionId},
};

/// Where the precompile is.
pub(crate) const PRECOMPILE: Address = address!("000000000000000000000000000000000000C405");

/// A number as a word.
pub(crate) fn word(number: u64) -> U256 {
    U256::from(number)
}

/// A region's owner.
pub(crate) fn owner(address: Address) -> chorus::region::Address {
    chorus::region::Address(address.0.0)
}

/// A name as its bytes.
pub(crate) fn name(text: &str) -> [u8; 32] {
    *Name::new(text).unwrap().bytes()
}

/// The handle of a region of the transaction's own, the `ordinal`-th it makes.
pub(crate) fn transient(who: Address, text: &str, ordinal: u64) -> Handle {
    let name = Name::new(text).ok();
    RegionId::of(Kind::Transaction, owner(who), name).at(ordinal)
}

/// The handle of a block of the pool.
pub(crate) fn block(who: Address, ordinal: u64) -> Handle {
    RegionId::of(Kind::Transaction, owner(who), None).at(ordinal)
}

/// The handle of a persistent region.
pub(crate) fn persistent(who: Address, text: &str, generation: u64) -> Handle {
    let name = Name::new(text).ok();
    RegionId::of(Kind::Persistent, owner(who), name).at(generation)
}

/// A handle as a word.
pub(crate) fn handle_word(handle: Handle) -> U256 {
    U256::from_be_bytes(handle.0)
}
