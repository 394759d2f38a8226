//! The cast: a few accounts that the transactions of a block keep meeting.

use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use revm::primitives::{Address, B256, U256, keccak256};

use super::Init;

/// How many accounts send transactions. The last of them is poor.
pub(crate) const SENDERS: u8 = 6;
/// How many script contracts there are.
pub(crate) const SCRIPTS: u8 = 3;
/// How many proxies to script 0 there are.
pub(crate) const PROXIES: u8 = 2;
/// How many delegated accounts there are, from Prague on: to a script, to a delegated account, to
/// a precompile.
pub(crate) const DELEGATED: u8 = 3;

/// A member of the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Sends transactions. Its nonce before the block is its number.
    Eoa(u8),
    /// Holds the script contract's code.
    Script(u8),
    /// Holds little code of its own, which runs script 0's.
    Proxy(u8),
    /// Delegated by EIP-7702 (just another sender before Prague).
    Delegated(u8),
    /// Calls itself.
    Diver,
    /// Exists, and is empty: possible before EIP-161, or left over from then.
    Empty(u8),
    /// Does not exist.
    Absent(u8),
    /// A precompile, or a number that is none yet.
    Precompile(u8),
    /// Beacon roots, block hashes, withdrawal requests, consolidation requests.
    System(u8),
    /// Where a script's CREATE2 of [`Init::Proxy`] ends up.
    Created2 {
        /// The script.
        by: u8,
        /// The salt.
        salt: u8,
    },
    /// Where a script's CREATE ends up.
    Child {
        /// The script.
        of: u8,
        /// Its nonce, 1 before the block.
        nonce: u8,
    },
    /// Where a sender's creation transaction ends up.
    EoaChild {
        /// The sender.
        of: u8,
        /// Its nonce less what it was before the block.
        after: u8,
    },
    /// In a program, the contract that it created last; elsewhere one more absent account.
    Last,
}

impl Who {
    pub(crate) fn address(self) -> Address {
        match self {
            Self::Eoa(i) => named(0xe0, i),
            Self::Script(i) => named(0x5c, i),
            Self::Proxy(i) => named(0x90, i),
            Self::Delegated(i) => named(0xde, i),
            Self::Diver => named(0xd1, 0),
            Self::Empty(i) => named(0x0e, i),
            Self::Absent(i) => named(0xab, i),
            Self::Precompile(i) => Address::with_last_byte(i),
            Self::System(0) => BEACON_ROOTS_ADDRESS,
            Self::System(1) => HISTORY_STORAGE_ADDRESS,
            Self::System(2) => WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
            Self::System(_) => CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
            Self::Created2 { by, salt } => {
                let salt = B256::from(U256::from(salt));
                Self::Script(by).address().create2(salt, keccak256(Init::Proxy.code()))
            }
            Self::Child { of, nonce } => Self::Script(of).address().create(nonce.into()),
            Self::EoaChild { of, after } => {
                Self::Eoa(of).address().create(u64::from(of) + u64::from(after))
            }
            Self::Last => Address::repeat_byte(0xff),
        }
    }
}

/// An address that is easy to recognise.
fn named(kind: u8, i: u8) -> Address {
    let mut address = Address::repeat_byte(kind);
    address.0[19] = i;
    address
}
