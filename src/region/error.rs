//! Why an operation failed: one enum per family of operations, folded into [`RegionError`].
//!
//! Each value explains itself. [`RegionError::reason`] flattens the families again into the name and
//! the words that a Solidity custom error carries, so that a contract sees what Rust sees.

use ruint::aliases::U256;

use super::{
    handle::{Address, Handle},
    rights::Permissions,
};
use crate::pool::Class;

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

/// An error as a name with words: what a Solidity custom error is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its signature, such as `RegionTooLarge(uint256,uint256)`.
    pub signature: &'static str,
    /// Its arguments, one word each.
    pub words: Vec<U256>,
}

impl Reason {
    fn new(signature: &'static str, words: impl Into<Vec<U256>>) -> Self {
        Self { signature, words: words.into() }
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or(self.signature)
    }

    /// Every signature there is.
    pub const SIGNATURES: [&'static str; 17] = [
        "ZeroSize()",
        "RegionTooLarge(uint256,uint256)",
        "TooManyRegions(uint256)",
        "NameInvalid()",
        "RegionExists(bytes32)",
        "InvalidOption(uint256)",
        "InvalidHandle(bytes32)",
        "StaleHandle(bytes32)",
        "PermissionDenied(address,uint8)",
        "AlreadyMapped(uint256)",
        "OutOfBounds(uint256,uint256,uint256)",
        "NotMapped(uint256)",
        "NotOwner(address)",
        "Shrink(uint256,uint256)",
        "RegionInUse(uint256)",
        "PoolExhausted(uint8)",
        "StaticViolation()",
    ];

    /// What a write in a static frame comes to.
    #[must_use]
    pub fn static_violation() -> Self {
        Self::new("StaticViolation()", [])
    }

    fn zero_size() -> Self {
        Self::new("ZeroSize()", [])
    }

    fn too_large(size: U256, max: u64) -> Self {
        Self::new("RegionTooLarge(uint256,uint256)", [size, U256::from(max)])
    }

    fn too_many(max: u32) -> Self {
        Self::new("TooManyRegions(uint256)", [U256::from(max)])
    }

    fn invalid_option(option: U256) -> Self {
        Self::new("InvalidOption(uint256)", [option])
    }

    fn denied(actor: Address, needed: Permissions) -> Self {
        let words = [address_word(actor), U256::from(needed.bits())];
        Self::new("PermissionDenied(address,uint8)", words)
    }

    fn out_of_bounds(offset: U256, len: U256, size: u64) -> Self {
        Self::new("OutOfBounds(uint256,uint256,uint256)", [offset, len, U256::from(size)])
    }

    fn not_owner(actor: Address) -> Self {
        Self::new("NotOwner(address)", [address_word(actor)])
    }

    fn in_use(mappings: u32) -> Self {
        Self::new("RegionInUse(uint256)", [U256::from(mappings)])
    }

    fn lookup(error: &LookupError) -> Self {
        match error {
            LookupError::InvalidHandle { handle } => {
                Self::new("InvalidHandle(bytes32)", [U256::from_be_bytes(handle.0)])
            }
            LookupError::StaleHandle { handle } => {
                Self::new("StaleHandle(bytes32)", [U256::from_be_bytes(handle.0)])
            }
        }
    }
}

fn address_word(address: Address) -> U256 {
    let mut bytes = [0; 32];
    bytes[12..].copy_from_slice(&address.0);
    U256::from_be_bytes(bytes)
}

impl RegionError {
    /// The error as a name with words.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Create(error) => match error {
                CreateError::ZeroSize => Reason::zero_size(),
                CreateError::RegionTooLarge { size, max } => Reason::too_large(*size, *max),
                CreateError::TooManyRegions { max } => Reason::too_many(*max),
                CreateError::NameInvalid => Reason::new("NameInvalid()", []),
                CreateError::RegionExists { handle } => {
                    Reason::new("RegionExists(bytes32)", [U256::from_be_bytes(handle.0)])
                }
                CreateError::InvalidOption { option } => Reason::invalid_option(*option),
            },
            Self::Map(error) => match error {
                MapError::Lookup(error) => Reason::lookup(error),
                MapError::PermissionDenied { actor, needed } => Reason::denied(*actor, *needed),
                MapError::AlreadyMapped { mapping } => {
                    Reason::new("AlreadyMapped(uint256)", [U256::from(*mapping)])
                }
                MapError::InvalidOption { option } => Reason::invalid_option(*option),
                MapError::OutOfBounds { offset, len, size } => {
                    Reason::out_of_bounds(*offset, *len, *size)
                }
            },
            Self::Access(error) => match error {
                AccessError::NotMapped { mapping } => Reason::new("NotMapped(uint256)", [*mapping]),
                AccessError::PermissionDenied { actor, needed } => Reason::denied(*actor, *needed),
                AccessError::InvalidOption { mapping } => Reason::invalid_option(*mapping),
                AccessError::OutOfBounds { offset, len, size } => {
                    Reason::out_of_bounds(*offset, *len, *size)
                }
                AccessError::RegionTooLarge { size, max } => Reason::too_large(*size, *max),
            },
            Self::Change(error) => match error {
                ChangeError::Lookup(error) => Reason::lookup(error),
                ChangeError::PermissionDenied { actor, needed } => Reason::denied(*actor, *needed),
                ChangeError::NotOwner { actor } => Reason::not_owner(*actor),
                ChangeError::RegionTooLarge { size, max } => Reason::too_large(*size, *max),
                ChangeError::Shrink { size, current } => {
                    Reason::new("Shrink(uint256,uint256)", [*size, U256::from(*current)])
                }
                ChangeError::InvalidOption { option } => Reason::invalid_option(*option),
                ChangeError::RegionInUse { mappings } => Reason::in_use(*mappings),
            },
            Self::Alloc(error) => match error {
                AllocError::ZeroSize => Reason::zero_size(),
                AllocError::RegionTooLarge { size, max } => Reason::too_large(*size, *max),
                AllocError::InvalidOption { option } => Reason::invalid_option(*option),
                AllocError::PoolExhausted { class } => {
                    Reason::new("PoolExhausted(uint8)", [U256::from(*class as u8)])
                }
                AllocError::Lookup(error) => Reason::lookup(error),
                AllocError::NotOwner { actor } => Reason::not_owner(*actor),
                AllocError::RegionInUse { mappings } => Reason::in_use(*mappings),
            },
            Self::Exec(error) => match error {
                ExecError::Lookup(error) => Reason::lookup(error),
                ExecError::PermissionDenied { actor, needed } => Reason::denied(*actor, *needed),
                ExecError::RegionTooLarge { size, max } => Reason::too_large(*size, *max),
                ExecError::OutOfBounds { offset, len, size } => {
                    Reason::out_of_bounds(*offset, *len, *size)
                }
            },
        }
    }

    /// Whether a right was missing: what an audit is interested in.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        let name = self.reason().name();
        name == "PermissionDenied" || name == "NotOwner"
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_a_listed_signature_with_as_many_words() {
        let handle = Handle([7; 32]);
        let errors: [RegionError; 6] = [
            CreateError::RegionTooLarge { size: U256::MAX, max: 9 }.into(),
            MapError::Lookup(LookupError::StaleHandle { handle }).into(),
            AccessError::NotMapped { mapping: U256::from(3) }.into(),
            ChangeError::Shrink { size: U256::from(1), current: 2 }.into(),
            AllocError::PoolExhausted { class: Class::K4 }.into(),
            ExecError::PermissionDenied {
                actor: Address::from_number(1),
                needed: Permissions::EXECUTE,
            }
            .into(),
        ];
        for error in errors {
            let reason = error.reason();
            assert!(Reason::SIGNATURES.contains(&reason.signature), "{}", reason.signature);
            let commas = reason.signature.matches(',').count();
            assert_eq!(reason.words.len(), commas + 1, "{}", reason.signature);
        }
    }
}
