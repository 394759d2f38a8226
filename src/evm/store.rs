//! The state a block starts from, as the engine asks for it.

use alloy_primitives::{Address, B256, U256};
use revm::{database_interface::DBErrorMarker, state::AccountInfo};

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
}

impl DBErrorMarker for StoreError {}

/// The state before the block. Answers must not change while a block runs.
pub trait StateStore: Send + Sync {
    /// The account with its code filled in (`AccountInfo::code` is `Some`), or `None` if it does
    /// not exist. An account that exists but is empty (possible before EIP-161) is `Some`.
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError>;

    /// The value of a storage slot; zero if it was never written.
    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError>;

    /// Whether any slot of the account is non-zero (EIP-7610).
    fn has_storage(&self, address: Address) -> Result<bool, StoreError>;

    /// The hash of an earlier block, if the store knows it. Asked only for numbers that the
    /// block's own input does not hold.
    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        Err(StoreError::BlockHash { number })
    }
}
