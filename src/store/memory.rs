//! State in memory: one map of accounts, each with its own map of slots.
//!
//! Built once, then read by any number of threads without a lock. Slots hang under their account,
//! so that whoever keeps a [`MemoryAccount`] pays one hash per slot and none per account.

use std::collections::BTreeMap;

use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, HashMap},
};
use revm::{bytecode::Bytecode, state::AccountInfo};

use super::{Answer, Query, ReadResult, StateStore, StoreError};
use crate::evm::{AccountChange, StateDiff};

/// One account of a [`MemoryStore`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryAccount {
    /// Balance, nonce, and analysed code (`code` is always `Some`).
    info: AccountInfo,
    /// The slots that are not zero.
    storage: HashMap<U256, U256>,
}

impl MemoryAccount {
    /// Balance, nonce, and analysed code; `code` is always `Some`.
    pub fn info(&self) -> &AccountInfo {
        &self.info
    }

    /// The value of a slot; zero if it was never written.
    pub fn slot(&self, slot: U256) -> U256 {
        self.storage.get(&slot).copied().unwrap_or_default()
    }

    /// The slots that are not zero, in no order.
    pub fn slots(&self) -> impl Iterator<Item = (U256, U256)> {
        self.storage.iter().map(|(slot, value)| (*slot, *value))
    }

    /// Whether any slot is non-zero.
    pub fn has_storage(&self) -> bool {
        !self.storage.is_empty()
    }

    fn set_slot(&mut self, slot: U256, value: U256) {
        // Absence stands for zero, so `has_storage` needs no scan.
        if value.is_zero() {
            self.storage.remove(&slot);
        } else {
            self.storage.insert(slot, value);
        }
    }

    fn set_code(&mut self, code: Bytecode) {
        self.info.code_hash = code.hash_slow();
        self.info.code = Some(code);
    }

    fn apply(&mut self, change: &AccountChange) {
        if change.wiped {
            *self = Self::default();
        }
        if let Some(balance) = change.balance {
            self.info.balance = balance;
        }
        if let Some(nonce) = change.nonce {
            self.info.nonce = nonce;
        }
        if let Some((hash, code)) = &change.code {
            self.info.code_hash = *hash;
            self.info.code = Some(code.clone());
        }
        for (slot, value) in &change.storage {
            self.set_slot(*slot, *value);
        }
    }
}

/// A complete state in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    accounts: AddressMap<MemoryAccount>,
    block_hashes: BTreeMap<u64, B256>,
}

impl MemoryStore {
    /// An empty state, to be filled.
    pub fn builder() -> MemoryStoreBuilder {
        MemoryStoreBuilder::default()
    }

    /// The account with its storage, for readers that keep it and save the second lookup.
    pub fn get(&self, address: &Address) -> Option<&MemoryAccount> {
        self.accounts.get(address)
    }

    /// Every account, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = (&Address, &MemoryAccount)> {
        self.accounts.iter()
    }

    /// The hashes of earlier blocks that it knows, by number.
    pub fn block_hashes(&self) -> impl Iterator<Item = (u64, B256)> {
        self.block_hashes.iter().map(|(number, hash)| (*number, *hash))
    }

    /// How many accounts exist.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no account exists.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Turns the state before a block into the state after it.
    pub fn apply(&mut self, diff: &StateDiff) {
        for (address, change) in &diff.accounts {
            if change.deleted {
                self.accounts.remove(address);
            } else {
                self.accounts.entry(*address).or_default().apply(change);
            }
        }
    }
}

impl StateStore for MemoryStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        Some(Ok(self.accounts.get(&address).map(|account| account.info.clone())))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        Some(Ok(self.accounts.get(&address).map_or(U256::ZERO, |account| account.slot(slot))))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        Some(Ok(self.accounts.get(&address).is_some_and(MemoryAccount::has_storage)))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        Some(self.block_hashes.get(&number).copied().ok_or(StoreError::BlockHash { number }))
    }

    fn try_get_several(&self, queries: &[Query]) -> Vec<Option<ReadResult>> {
        // All accounts first, and then all slots: a look that misses the processor's caches need not wait for another.
        let mut last = None;
        let accounts: Vec<_> = queries
            .iter()
            .map(|query| {
                let address = query.address()?;
                match last {
                    Some((known, account)) if known == address => account,
                    _ => {
                        let account = self.accounts.get(address);
                        last = Some((address, account));
                        account
                    }
                }
            })
            .collect();
        let slots: Vec<_> = queries
            .iter()
            .zip(&accounts)
            .map(|(query, account)| match (query, account) {
                (Query::Slot(_, slot), Some(account)) => account.slot(*slot),
                _ => U256::ZERO,
            })
            .collect();
        let answers = queries.iter().zip(accounts).zip(slots);
        let answers = answers.map(|((query, account), slot)| match query {
            Query::Account(_) => Some(Ok(Answer::Account(account.map(|found| found.info.clone())))),
            Query::Slot(..) => Some(Ok(Answer::Slot(slot))),
            Query::HasStorage(_) | Query::BlockHash(_) => self.try_get(*query),
        });
        answers.collect()
    }
}

/// Fills a [`MemoryStore`]. Naming an account makes it exist, empty if nothing else is said.
#[derive(Clone, Debug, Default)]
pub struct MemoryStoreBuilder {
    store: MemoryStore,
}

impl MemoryStoreBuilder {
    /// Makes the account exist.
    pub fn account(&mut self, address: Address) -> &mut Self {
        self.entry(address);
        self
    }

    /// Sets a balance in wei.
    pub fn balance(&mut self, address: Address, balance: U256) -> &mut Self {
        self.entry(address).info.balance = balance;
        self
    }

    /// Sets a nonce.
    pub fn nonce(&mut self, address: Address, nonce: u64) -> &mut Self {
        self.entry(address).info.nonce = nonce;
        self
    }

    /// Sets code from bytes and analyses it. The 23 bytes of an EIP-7702 designator become a
    /// delegation; anything else is ordinary code, whatever it starts with.
    pub fn code(&mut self, address: Address, code: Bytes) -> &mut Self {
        let code =
            Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code));
        self.bytecode(address, code)
    }

    /// Sets code that is analysed already.
    pub fn bytecode(&mut self, address: Address, code: Bytecode) -> &mut Self {
        self.entry(address).set_code(code);
        self
    }

    /// Sets a storage slot.
    pub fn slot(&mut self, address: Address, slot: U256, value: U256) -> &mut Self {
        self.entry(address).set_slot(slot, value);
        self
    }

    /// Sets the hash of an earlier block.
    pub fn block_hash(&mut self, number: u64, hash: B256) -> &mut Self {
        self.store.block_hashes.insert(number, hash);
        self
    }

    /// The finished store. The builder is left empty.
    pub fn build(&mut self) -> MemoryStore {
        std::mem::take(&mut self.store)
    }

    fn entry(&mut self, address: Address) -> &mut MemoryAccount {
        self.store.accounts.entry(address).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = Address::repeat_byte(0xaa);
    const B: Address = Address::repeat_byte(0xbb);

    #[test]
    fn absent_accounts_are_none_and_named_ones_exist_empty() {
        let store = MemoryStore::builder().account(A).build();
        assert_eq!(store.account(A).unwrap(), Some(AccountInfo::default()));
        assert!(store.account(A).unwrap().unwrap().code.is_some());
        assert_eq!(store.account(B).unwrap(), None);
        assert_eq!(store.storage(B, U256::from(1)).unwrap(), U256::ZERO);
        assert_eq!(store.block_hash(7), Err(StoreError::BlockHash { number: 7 }));
    }

    #[test]
    fn zero_slots_are_not_storage() {
        let (one, two) = (U256::from(1), U256::from(2));
        let mut builder = MemoryStore::builder();
        builder.slot(A, one, U256::ZERO).slot(B, one, two).slot(B, two, one).slot(
            B,
            two,
            U256::ZERO,
        );
        let store = builder.build();
        assert!(!store.has_storage(A).unwrap());
        assert!(store.has_storage(B).unwrap());
        assert_eq!(store.get(&B).unwrap().slots().collect::<Vec<_>>(), [(one, two)]);
    }

    #[test]
    fn only_a_whole_designator_is_a_delegation() {
        let designator = [&[0xef, 0x01, 0x00][..], B.as_slice()].concat();
        let mut builder = MemoryStore::builder();
        builder.code(A, designator.clone().into()).code(B, designator[..22].to_vec().into());
        let store = builder.build();
        assert!(store.get(&A).unwrap().info().code.as_ref().unwrap().is_eip7702());
        assert!(!store.get(&B).unwrap().info().code.as_ref().unwrap().is_eip7702());
    }

    #[test]
    fn several_are_answered_as_each_of_them_is() {
        let (one, two) = (U256::from(1), U256::from(2));
        let mut builder = MemoryStore::builder();
        builder.balance(A, two).slot(A, one, two).slot(B, two, one).block_hash(7, B256::ZERO);
        let store = builder.build();
        let of = |address| {
            let slots = [one, two].map(|slot| Query::Slot(address, slot));
            slots.into_iter().chain([Query::Account(address), Query::HasStorage(address)])
        };
        let mut queries: Vec<_> = [A, B, Address::ZERO].into_iter().flat_map(of).collect();
        queries.extend([7, 8].map(Query::BlockHash));
        // Neighbours of one account and of several, in several orders.
        for step in [1, 3, 5] {
            let some: Vec<_> = queries.iter().cycle().step_by(step).take(28).copied().collect();
            let each: Vec<_> = some.iter().map(|query| store.try_get(*query)).collect();
            assert_eq!(store.try_get_several(&some), each);
        }
    }

    #[test]
    fn a_diff_wipes_deletes_and_creates() {
        let (one, two) = (U256::from(1), U256::from(2));
        let mut builder = MemoryStore::builder();
        builder.balance(A, one).slot(A, one, one).balance(B, two);
        let mut store = builder.build();
        let wiped = AccountChange {
            wiped: true,
            nonce: Some(3),
            storage: vec![(two, two)],
            ..Default::default()
        };
        let deleted = AccountChange { deleted: true, ..Default::default() };
        let created = AccountChange { created: true, ..Default::default() };
        let c = Address::repeat_byte(0xcc);
        store.apply(&StateDiff { accounts: vec![(A, wiped), (B, deleted), (c, created)] });

        let mut expected = MemoryStore::builder();
        expected.nonce(A, 3).slot(A, two, two).account(c);
        assert_eq!(store, expected.build());
    }
}
