//! revm's database that notes when what was asked of it first in a transaction.

use alloy_primitives::{Address, B256, U256};
use revm::{
    Database,
    bytecode::Bytecode,
    state::{AccountId, AccountInfo},
};

use crate::{
    evm::{
        StateStore, StorageProbe, StoreError, sequential::SequentialState, shared::RegionSource,
    },
    region::world::World,
    sync::time::{Duration, Instant},
};

/// Something that a transaction loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Loaded {
    Account(Address),
    Slot(Address, U256),
}

/// The state of a block, and what one transaction asks of it. revm's journal keeps what it has loaded,
/// so each location comes once, or once more after a revert.
pub(super) struct Noting<'s, 'a, S: ?Sized> {
    state: &'s mut SequentialState<'a, S>,
    begin: Instant,
    pub(super) loads: Vec<(Loaded, Duration)>,
}

impl<'s, 'a, S: StateStore + ?Sized> Noting<'s, 'a, S> {
    pub(super) fn new(state: &'s mut SequentialState<'a, S>) -> Self {
        Self { state, begin: Instant::now(), loads: Vec::new() }
    }

    /// The transaction begins now.
    pub(super) fn begin(&mut self) {
        self.begin = Instant::now();
    }

    /// How long the transaction has run.
    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    fn note(&mut self, loaded: Loaded) {
        self.loads.push((loaded, self.begin.elapsed()));
    }
}

impl<S: StateStore + ?Sized> Database for Noting<'_, '_, S> {
    type Error = StoreError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.note(Loaded::Account(address));
        self.state.basic(address)
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, StoreError> {
        self.state.code_by_hash(code_hash)
    }

    fn storage(&mut self, address: Address, key: U256) -> Result<U256, StoreError> {
        self.note(Loaded::Slot(address, key));
        self.state.storage(address, key)
    }

    fn storage_by_account_id(
        &mut self,
        address: Address,
        account_id: AccountId,
        key: U256,
    ) -> Result<U256, StoreError> {
        self.note(Loaded::Slot(address, key));
        self.state.storage_by_account_id(address, account_id, key)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StoreError> {
        self.state.block_hash(number)
    }
}

impl<S: StateStore + ?Sized> StorageProbe for Noting<'_, '_, S> {
    fn has_storage(&mut self, address: Address) -> bool {
        self.state.has_storage(address)
    }
}

impl<S: StateStore + ?Sized> RegionSource for Noting<'_, '_, S> {
    fn regions(&mut self) -> Option<&mut dyn World> {
        self.state.regions()
    }
}
