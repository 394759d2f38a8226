//! What a store can be asked, and what it answers.

use alloy_primitives::{Address, B256, U256};
use revm::{database_interface::DBErrorMarker, state::AccountInfo};

use crate::sync::time::Duration;

/// One read of the state before a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// An account with its code.
    Account(Address),
    /// A storage slot of an account.
    Slot(Address, U256),
    /// Whether any slot of an account is non-zero (EIP-7610).
    HasStorage(Address),
    /// The hash of the block of that number.
    BlockHash(u64),
}

impl Query {
    /// The account that is asked about.
    pub(crate) fn address(&self) -> Option<&Address> {
        match self {
            Self::Account(address) | Self::Slot(address, _) | Self::HasStorage(address) => {
                Some(address)
            }
            Self::BlockHash(_) => None,
        }
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(address) => write!(f, "account {address}"),
            Self::Slot(address, slot) => write!(f, "slot {slot:#x} of account {address}"),
            Self::HasStorage(address) => write!(f, "storage of account {address}"),
            Self::BlockHash(number) => write!(f, "hash of block {number}"),
        }
    }
}

/// The answer to a [`Query`], of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The account with its code filled in, or `None` if it does not exist.
    Account(Option<AccountInfo>),
    /// The value; zero if it was never written.
    Slot(U256),
    /// Whether any slot is non-zero.
    HasStorage(bool),
    /// The hash.
    BlockHash(B256),
}

impl Answer {
    /// The account.
    ///
    /// # Errors
    ///
    /// If this answers another kind of query than `query`, which is a fault of the store.
    pub fn into_account(self, query: Query) -> Result<Option<AccountInfo>, StoreError> {
        match self {
            Self::Account(account) => Ok(account),
            other => Err(other.mistaken(query)),
        }
    }

    /// The value of a slot.
    ///
    /// # Errors
    ///
    /// See [`Answer::into_account`].
    pub fn into_slot(self, query: Query) -> Result<U256, StoreError> {
        match self {
            Self::Slot(value) => Ok(value),
            other => Err(other.mistaken(query)),
        }
    }

    /// Whether there is storage.
    ///
    /// # Errors
    ///
    /// See [`Answer::into_account`].
    pub fn into_has_storage(self, query: Query) -> Result<bool, StoreError> {
        match self {
            Self::HasStorage(any) => Ok(any),
            other => Err(other.mistaken(query)),
        }
    }

    /// The hash.
    ///
    /// # Errors
    ///
    /// See [`Answer::into_account`].
    pub fn into_block_hash(self, query: Query) -> Result<B256, StoreError> {
        match self {
            Self::BlockHash(hash) => Ok(hash),
            other => Err(other.mistaken(query)),
        }
    }

    /// This, if it is of the kind that `query` asks for.
    pub(crate) fn checked(self, query: Query) -> Result<Self, StoreError> {
        match (&self, query) {
            (Self::Account(_), Query::Account(_))
            | (Self::Slot(_), Query::Slot(..))
            | (Self::HasStorage(_), Query::HasStorage(_))
            | (Self::BlockHash(_), Query::BlockHash(_)) => Ok(self),
            _ => Err(self.mistaken(query)),
        }
    }

    fn mistaken(&self, query: Query) -> StoreError {
        StoreError::failed(query, format!("the store answered with {self:?}"))
    }
}

/// Why a store could not answer. It ends the block, naming what was read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// The account could not be read.
    #[error("reading account {address}: {reason}")]
    Account {
        /// The account asked for.
        address: Address,
        /// What the back end said.
        reason: String,
    },
    /// The storage slot could not be read.
    #[error("reading slot {slot:#x} of account {address}: {reason}")]
    Slot {
        /// The account whose slot was asked for.
        address: Address,
        /// The slot.
        slot: U256,
        /// What the back end said.
        reason: String,
    },
    /// The block reads BLOCKHASH of a number that its input does not hold.
    #[error("block input holds no hash for block {number}, which a transaction reads")]
    BlockHash {
        /// The block number whose hash is missing.
        number: u64,
    },
    /// The hash of an earlier block could not be read, though the store may have it.
    #[error("reading the hash of block {number}: {reason}")]
    BlockHashUnread {
        /// The block number.
        number: u64,
        /// What the back end said.
        reason: String,
    },
    /// The store has not answered within the time that the engine waits for a read.
    #[error("reading {query}: no answer within {after:?}")]
    TimedOut {
        /// What was asked.
        query: Query,
        /// How long the engine waited.
        after: Duration,
    },
    /// The store let go of the read without an answer.
    #[error("reading {query}: the store dropped the read")]
    Dropped {
        /// What was asked.
        query: Query,
    },
}

impl StoreError {
    /// The error of a read, with what the back end says of it.
    pub fn failed(query: Query, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        match query {
            Query::Account(address) | Query::HasStorage(address) => {
                Self::Account { address, reason }
            }
            Query::Slot(address, slot) => Self::Slot { address, slot, reason },
            Query::BlockHash(number) => Self::BlockHashUnread { number, reason },
        }
    }
}

impl DBErrorMarker for StoreError {}
