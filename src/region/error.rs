//! Why an operation failed: one enum per family of operations, folded into [`RegionError`].
//!
//! Each value explains itself. [`RegionError::reason`] flattens the families again, for contracts.

use ruint::aliases::U256;

use super::{
    handle::{Address, Handle},
    rights::Permissions,
};
use crate::pool::Class;

pub use super::reason::Reason;

/// No region stands behind a handle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There never was one.
    #[error("{handle} is not the handle of a region")]
    InvalidHandle {
        /// What was given.
        handle: Handle,
    },
    /// There was one, and it has been destroyed.
    #[error("the region {handle} has been destroyed")]
    StaleHandle {
        /// What was given.
        handle: Handle,
    },
}

/// Why a region was not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// A region has at least one byte.
    #[error("a region of 0 bytes")]
    ZeroSize,
    /// Larger than the chain allows.
    #[error("a region of {size} bytes, the chain allows {max}")]
    RegionTooLarge {
        /// What was asked for, in bytes.
        size: U256,
        /// What is allowed, in bytes.
        max: u64,
    },
    /// The transaction has created as many as it may.
    #[error("the transaction has created {max} regions, and may create no more")]
    TooManyRegions {
        /// How many it may create.
        max: u32,
    },
    /// The name is zero.
    #[error("a region's name must not be zero")]
    NameInvalid,
    /// The owner has a region of that name and lifetime.
    #[error("the owner has a region of this name: {handle}")]
    RegionExists {
        /// That region.
        handle: Handle,
    },
    /// An undefined bit, compression 3, or what the chain has switched off.
    #[error("{option:#x} are no options or permissions of a region here")]
    InvalidOption {
        /// The operand.
        option: U256,
    },
}

/// Why a region was not mapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// No region.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The frame's address lacks a right.
    #[error("{actor} lacks permissions {:#05b} on the region", needed.bits())]
    PermissionDenied {
        /// Who asked.
        actor: Address,
        /// What it lacks.
        needed: Permissions,
    },
    /// The frame has mapped the same window with the same options.
    #[error("mapping {mapping} of this frame is the same window with the same options")]
    AlreadyMapped {
        /// That mapping.
        mapping: u64,
    },
    /// An undefined bit, or what the chain or the region does not allow.
    #[error("{option:#x} are no options for mapping this region")]
    InvalidOption {
        /// The operand.
        option: U256,
    },
    /// The window does not lie within the region.
    #[error("a window of {len} bytes at {offset} of a region of {size} bytes")]
    OutOfBounds {
        /// Where the window begins.
        offset: U256,
        /// Its size.
        len: U256,
        /// The region's size.
        size: u64,
    },
}

/// Why an operation on a mapping failed: unmap, publish, read, write, copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The frame has no such mapping.
    #[error("{mapping} is not a mapping of this frame")]
    NotMapped {
        /// What was given.
        mapping: U256,
    },
    /// The mapping lacks a right.
    #[error("the mapping lacks permissions {:#05b}", needed.bits())]
    PermissionDenied {
        /// Who asked.
        actor: Address,
        /// What it lacks.
        needed: Permissions,
    },
    /// Not copy-on-write, so there is nothing to publish.
    #[error("mapping {mapping} is not copy-on-write")]
    InvalidOption {
        /// The mapping.
        mapping: U256,
    },
    /// Beyond the end.
    #[error("{len} bytes at {offset} of a mapping of {size} bytes")]
    OutOfBounds {
        /// First byte.
        offset: U256,
        /// How many.
        len: U256,
        /// The mapping's size.
        size: u64,
    },
    /// It would grow beyond what the chain allows.
    #[error("the region would grow to {size} bytes, the chain allows {max}")]
    RegionTooLarge {
        /// The size it would need.
        size: U256,
        /// What is allowed, in bytes.
        max: u64,
    },
}

/// Why a region was not changed as a whole: grow, grant, destroy, info.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No region.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The frame's address lacks a right.
    #[error("{actor} lacks permissions {:#05b} on the region", needed.bits())]
    PermissionDenied {
        /// Who asked.
        actor: Address,
        /// What it lacks.
        needed: Permissions,
    },
    /// Only the owner may do that.
    #[error("{actor} is not the owner of the region")]
    NotOwner {
        /// Who asked.
        actor: Address,
    },
    /// Larger than the chain allows.
    #[error("{size} bytes, the chain allows {max}")]
    RegionTooLarge {
        /// What was asked for, in bytes.
        size: U256,
        /// What is allowed, in bytes.
        max: u64,
    },
    /// Regions grow only.
    #[error("{size} bytes is less than the {current} that the region has")]
    Shrink {
        /// What was asked for, in bytes.
        size: U256,
        /// What it has, in bytes.
        current: u64,
    },
    /// Undefined permission bits, or an address with more than 20 bytes.
    #[error("{option:#x} is not an operand of a grant")]
    InvalidOption {
        /// The operand.
        option: U256,
    },
    /// The transaction itself still maps it.
    #[error("the transaction has {mappings} mappings of the region")]
    RegionInUse {
        /// How many.
        mappings: u32,
    },
}

/// Why a pool block was not given or not taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocError {
    /// A block has at least one byte.
    #[error("a block of 0 bytes")]
    ZeroSize,
    /// Larger than the class, or than any class.
    #[error("{size} bytes do not fit a block of {max}")]
    RegionTooLarge {
        /// What was asked for, in bytes.
        size: U256,
        /// What the class holds, in bytes.
        max: u64,
    },
    /// There is no such class.
    #[error("{option:#x} is no block class: 0 to 3, or 4 for the smallest that fits")]
    InvalidOption {
        /// The operand.
        option: U256,
    },
    /// The transaction holds as many blocks of the class as it may.
    #[error("the transaction holds all the {class:?} blocks it may")]
    PoolExhausted {
        /// The class.
        class: Class,
    },
    /// Not a pool block, or one given back already.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// Only the owner may give it back.
    #[error("{actor} is not the owner of the block")]
    NotOwner {
        /// Who asked.
        actor: Address,
    },
    /// The transaction itself still maps it.
    #[error("the transaction has {mappings} mappings of the block")]
    RegionInUse {
        /// How many.
        mappings: u32,
    },
}

/// Why a region's bytes were not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// No region.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The frame's address may not execute it.
    #[error("{actor} lacks permissions {:#05b} on the region", needed.bits())]
    PermissionDenied {
        /// Who asked.
        actor: Address,
        /// What it lacks.
        needed: Permissions,
    },
    /// More code than the limit of init code (EIP-3860).
    #[error("{size} bytes of code, the limit is {max}")]
    RegionTooLarge {
        /// What was asked for, in bytes.
        size: U256,
        /// What is allowed, in bytes.
        max: u64,
    },
    /// The code does not lie within the region.
    #[error("code of {len} bytes at {offset} of a region of {size} bytes")]
    OutOfBounds {
        /// First byte.
        offset: U256,
        /// How many.
        len: U256,
        /// The region's size.
        size: u64,
    },
}

/// Why an operation failed. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// create
    #[error(transparent)]
    Create(#[from] CreateError),
    /// map
    #[error(transparent)]
    Map(#[from] MapError),
    /// unmap, publish, read, read_padded, write, copy
    #[error(transparent)]
    Access(#[from] AccessError),
    /// grow, grant, destroy, info
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// alloc, free
    #[error(transparent)]
    Alloc(#[from] AllocError),
    /// exec
    #[error(transparent)]
    Exec(#[from] ExecError),
}
