//! Before and after the transactions: what the prologue and the epilogue change.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::state::AccountInfo;

use super::{
    StateDiff, StateStore, StoreError,
    machine::{EvmMachine, SlotKey, VersionedAccount, landing, storage, target::Target},
};
use crate::{
    context::Run,
    store::{Answer, Query, ReadResult},
    sync::Arc,
};

/// The committed state of a block as a store, for the prologue and the epilogue to run on.
///
/// They run on the calling thread, which waits where the store has to. The reads go with those of
/// the transactions, so what was read ahead is at hand.
pub(crate) struct CommittedState<'a> {
    run: &'a Arc<Run<EvmMachine>>,
    machine: &'a EvmMachine,
}

impl<'a> CommittedState<'a> {
    pub(crate) fn new(run: &'a Arc<Run<EvmMachine>>) -> Self {
        Self { run, machine: &run.machine }
    }

    /// Sees to it that the account is known.
    pub(crate) fn load_account(&self, address: Address) -> Result<(), StoreError> {
        let id = self.machine.accounts.intern(&address);
        let info = self.account(address)?;
        self.machine.accounts.entry(id).fill(VersionedAccount::from_info(info));
        Ok(())
    }

    /// Reads with the reads of the block, unless that ends meanwhile.
    fn wait(&self, query: Query) -> ReadResult {
        let target = self.machine.target_of(query);
        let Some(flight) = storage::ask(self.run, target, 0) else {
            return self.arrived(query, target);
        };
        let gone = || self.run.machine.storage.is_closed();
        match flight.wait(|| landing::drive(self.run), gone) {
            Some(Ok(Some(answer))) => Ok(*answer),
            Some(Ok(None)) => self.arrived(query, target),
            Some(Err(error)) => Err(*error),
            None => Err(StoreError::Dropped { query }),
        }
    }

    /// What lies in the entry that the answer belongs to.
    fn arrived(&self, query: Query, target: Target) -> ReadResult {
        let answer = match target {
            Target::Account(id) => {
                let account = self.machine.accounts.entry(id).committed();
                account.map(|account| Answer::Account(account.to_info()))
            }
            Target::Slot(id) => self.machine.slots.entry(id).committed().map(Answer::Slot),
            Target::HasStorage(_) | Target::BlockHash(_) => None,
        };
        answer.ok_or(StoreError::Dropped { query })
    }

    fn committed(&self, address: Address) -> Option<(u32, VersionedAccount)> {
        let accounts = &self.machine.accounts;
        let id = accounts.find(&address)?;
        Some((id.get(), accounts.entry(id).committed()?))
    }

    fn slot(&self, account: u32, generation: u32, slot: U256) -> Option<U256> {
        let slots = &self.machine.slots;
        let id = slots.find(&SlotKey { account, generation, slot })?;
        slots.entry(id).committed()
    }
}

impl StateStore for CommittedState<'_> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        match self.committed(address) {
            Some((_, account)) => Some(Ok(account.to_info())),
            None => self.machine.store.try_account(address),
        }
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        if let Some((id, account)) = self.committed(address) {
            if let Some(value) = self.slot(id, account.generation, slot) {
                return Some(Ok(value));
            }
            if account.generation != 0 {
                return Some(Ok(U256::ZERO));
            }
        }
        self.machine.store.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        match self.committed(address) {
            // Nothing in the epilogue creates contracts over accounts that this block gave storage.
            Some((_, account)) if account.generation != 0 => Some(Ok(false)),
            _ => self.machine.store.try_has_storage(address),
        }
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.machine.store.try_block_hash(number)
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let query = Query::Account(address);
        match self.try_account(address) {
            Some(info) => info,
            None => self.wait(query)?.into_account(query),
        }
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let query = Query::Slot(address, slot);
        match self.try_storage(address, slot) {
            Some(value) => value,
            None => self.wait(query)?.into_slot(query),
        }
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        let query = Query::HasStorage(address);
        match self.try_has_storage(address) {
            Some(any) => any,
            None => self.wait(query)?.into_has_storage(query),
        }
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        let query = Query::BlockHash(number);
        match self.try_block_hash(number) {
            Some(hash) => hash,
            None => self.wait(query)?.into_block_hash(query),
        }
    }
}

/// Applies changes made outside of any transaction. `generation` is that of accounts they destroy.
pub(crate) fn apply(
    state: &CommittedState<'_>,
    diff: &StateDiff,
    generation: u32,
) -> Result<(), StoreError> {
    let machine = state.machine;
    for (address, change) in &diff.accounts {
        let id = machine.accounts.intern(address);
        let entry = machine.accounts.entry(id);
        let base = match entry.committed() {
            Some(account) => account,
            None => VersionedAccount::from_info(state.account(*address)?),
        };
        let mut account = base.clone();
        if change.wiped || change.deleted {
            account = VersionedAccount { generation: generation.max(1), ..Default::default() };
        }
        account.exists = !change.deleted;
        if let Some(balance) = change.balance {
            account.balance = balance;
        }
        if let Some(nonce) = change.nonce {
            account.nonce = nonce;
        }
        if let Some((hash, code)) = &change.code {
            account.code_hash = *hash;
            account.code = Some(code.clone()).filter(|_| *hash != KECCAK256_EMPTY);
        }
        let generation = account.generation;
        entry.replace(base, account);
        for (slot, value) in &change.storage {
            let key = SlotKey { account: id.get(), generation, slot: *slot };
            let entry = machine.slots.entry(machine.slots.intern(&key));
            let base = match entry.committed() {
                Some(value) => value,
                None if generation != 0 => U256::ZERO,
                None => state.storage(*address, *slot)?,
            };
            entry.replace(base, *value);
        }
    }
    Ok(())
}
