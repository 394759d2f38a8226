//! What a contract sees of an error: the name and the words that a Solidity custom error carries, so that it sees
//! what Rust sees.

use ruint::aliases::U256;

use super::{
    error::{
        AccessError, AllocError, ChangeError, CreateError, ExecError, LookupError, MapError,
        RegionError,
    },
    handle::Address,
    rights::Permissions,
};

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
    use crate::{pool::Class, region::handle::Handle};

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
