//! The state a generated block starts from.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use revm::state::AccountInfo;

use crate::evm::{StateStore, StoreError};

/// Accounts and their non-zero storage slots, sorted by address and slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alloc {
    accounts: BTreeMap<Address, (AccountInfo, BTreeMap<U256, U256>)>,
}

impl Alloc {
    /// Puts an account in place, keeping the slots it has already.
    pub fn insert(&mut self, address: Address, info: AccountInfo) {
        self.accounts.entry(address).or_default().0 = info;
    }

    /// Writes a storage slot. The account comes into being, empty, if it was absent. Zero is the
    /// value of an absent slot, so writing it removes the slot.
    pub fn set(&mut self, address: Address, slot: U256, value: U256) {
        let slots = &mut self.accounts.entry(address).or_default().1;
        if value.is_zero() {
            slots.remove(&slot);
        } else {
            slots.insert(slot, value);
        }
    }

    /// The account, if it exists.
    pub fn get(&self, address: Address) -> Option<&AccountInfo> {
        self.accounts.get(&address).map(|(info, _)| info)
    }

    /// Every account with its slots, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (Address, &AccountInfo, &BTreeMap<U256, U256>)> {
        self.accounts.iter().map(|(address, (info, slots))| (*address, info, slots))
    }

    /// The accounts by address, each with its slots.
    pub fn into_accounts(self) -> BTreeMap<Address, (AccountInfo, BTreeMap<U256, U256>)> {
        self.accounts
    }
}

impl StateStore for Alloc {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        Ok(self.get(address).cloned())
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let value = self.accounts.get(&address).and_then(|(_, slots)| slots.get(&slot));
        Ok(value.copied().unwrap_or_default())
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        Ok(self.accounts.get(&address).is_some_and(|(_, slots)| !slots.is_empty()))
    }
}
