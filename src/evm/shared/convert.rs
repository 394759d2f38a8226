//! Between the core's own types, which need no EVM, and those of `alloy`.
//!
//! ```
//! use alloy_primitives::{B256, U256, address};
//! use chorus::region::{Address, Handle};
//!
//! let maker = address!("0x000000000000000000000000000000000000aa01");
//! let owner: Address = maker.into();
//! assert_eq!(alloy_primitives::Address::from(owner), maker);
//!
//! // As a call returns it, and as it stands on the stack.
//! let word: B256 = Handle([7; 32]).into();
//! assert_eq!(U256::from_be_bytes(word.0), U256::from_be_bytes([7; 32]));
//! assert_eq!(Handle::from(word), Handle([7; 32]));
//! ```

use alloy_primitives::B256;

use crate::region::{Address, Handle};

impl From<alloy_primitives::Address> for Address {
    fn from(address: alloy_primitives::Address) -> Self {
        Self(address.into_array())
    }
}

impl From<Address> for alloy_primitives::Address {
    fn from(address: Address) -> Self {
        Self::new(address.0)
    }
}

impl From<B256> for Handle {
    fn from(word: B256) -> Self {
        Self(word.0)
    }
}

impl From<Handle> for B256 {
    fn from(handle: Handle) -> Self {
        Self(handle.0)
    }
}
