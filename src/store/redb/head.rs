//! The state that moves on with the blocks, as one store.
//!
//! A view is right for one block. What stands in front of a store for many blocks, like a cache, wants
//! a store that is the same one after each:
//!
//! ```text
//!   CachedStore ──► RedbHead ──► the view of the last applied block
//!       ▲              ▲
//!       └── 2. apply ──┴── 1. apply, for which it takes the next view
//! ```
//!
//! Blocks are applied between executions: answers must not change while a block runs. Reads that
//! began before are answered from the state in which they began.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{Position, RedbError, RedbStore, RedbView};
use crate::{
    evm::StateDiff,
    store::{Read, StateStore, StoreError},
    sync::{Arc, ArcSwap, time::Duration},
};

/// The state after the last block that was applied through it.
pub struct RedbHead {
    store: Arc<RedbStore>,
    view: ArcSwap<RedbView>,
}

impl std::fmt::Debug for RedbHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbHead").field("store", &self.store).finish_non_exhaustive()
    }
}

impl RedbHead {
    /// The present state of `store`. Blocks are then applied through this one only: it does not
    /// see what is applied past it.
    ///
    /// # Errors
    ///
    /// As [`RedbStore::view`].
    pub fn new(store: Arc<RedbStore>) -> Result<Self, RedbError> {
        let view = ArcSwap::new(Arc::new(store.view()?));
        Ok(Self { store, view })
    }

    /// [Applies](RedbStore::apply) what `block` changed, and moves on.
    ///
    /// # Errors
    ///
    /// As [`RedbStore::apply`] and [`RedbStore::view`]. After the latter, which comes of damage alone,
    /// the block is in the database and not in this state.
    pub fn apply(
        &self,
        diff: &StateDiff,
        block: Position,
        parent: Option<B256>,
    ) -> Result<(), RedbError> {
        self.store.apply(diff, block, parent)?;
        self.view.store(Arc::new(self.store.view()?));
        Ok(())
    }

    /// The database.
    pub fn store(&self) -> &Arc<RedbStore> {
        &self.store
    }
}

impl StateStore for RedbHead {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.view.load().try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.view.load().try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.view.load().try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.view.load().try_block_hash(number)
    }

    fn fetch(&self, reads: Vec<Read>) {
        self.view.load().fetch(reads);
    }

    fn latency(&self) -> Option<Duration> {
        self.view.load().latency()
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.view.load().account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        self.view.load().storage(address, slot)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        self.view.load().has_storage(address)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        self.view.load().block_hash(number)
    }
}
