//! The whole state, for checks: a copy of it, and its digest.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, Keccak256, U256};
use revm::bytecode::Bytecode;

use super::{
    RedbError, RedbView,
    layout::{
        ACCOUNTS, AccountRecord, BLOCK_HASHES, CODE, SLOTS, decode_address, decode_hash,
        decode_number, decode_slot, decode_slot_key, slot_key,
    },
    table::for_each,
};
use crate::store::{MemoryAccount, MemoryStore};

/// A hash of a whole state, the same wherever the state is kept.
///
/// keccak-256 of all records, one after another, each with a byte in front that says its kind.
/// Integers are big-endian.
///
/// | kind | bytes | in the order of |
/// |---|---|---|
/// | 1 | address (20), kind of code (1: 0 ordinary, 1 delegation), nonce (8), balance (32), keccak-256 of the code (32) | addresses |
/// | 2 | address (20), slot (32), value (32), for slots that are not zero | addresses, then slots |
/// | 3 | block number (8), hash (32), for each earlier block whose hash is known | numbers |
pub fn state_digest(state: &MemoryStore) -> B256 {
    let accounts: BTreeMap<_, _> = state.accounts().collect();
    let mut digest = Digest::default();
    for (address, account) in &accounts {
        digest.account(address, &record(account));
    }
    for (address, account) in &accounts {
        let slots: BTreeMap<_, _> = account.slots().collect();
        for (slot, value) in slots {
            digest.slot(&slot_key(address, slot), value);
        }
    }
    for (number, hash) in state.block_hashes() {
        digest.block_hash(number, hash);
    }
    digest.0.finalize()
}

fn record(account: &MemoryAccount) -> AccountRecord {
    let info = account.info();
    AccountRecord {
        delegation: info.code.as_ref().is_some_and(Bytecode::is_eip7702),
        nonce: info.nonce,
        balance: info.balance,
        code_hash: info.code_hash,
    }
}

#[derive(Default)]
struct Digest(Keccak256);

impl Digest {
    fn account(&mut self, address: &Address, record: &AccountRecord) {
        self.0.update([1]);
        self.0.update(address);
        self.0.update(record.encode());
    }

    fn slot(&mut self, key: &[u8], value: U256) {
        self.0.update([2]);
        self.0.update(key);
        self.0.update(value.to_be_bytes::<32>());
    }

    fn block_hash(&mut self, number: u64, hash: B256) {
        self.0.update([3]);
        self.0.update(number.to_be_bytes());
        self.0.update(hash);
    }
}

impl RedbView {
    /// The [digest](state_digest) of the state, for which all of it is read.
    ///
    /// # Errors
    ///
    /// Damaged records, and what the library says.
    pub fn digest(&self) -> Result<B256, RedbError> {
        let mut digest = Digest::default();
        self.inner().guarded(|inner| {
            let path = &*inner.shared.path;
            for_each(path, ACCOUNTS, &inner.accounts, |key, value| {
                digest.account(&decode_address(key)?, &AccountRecord::decode(value)?);
                Ok(())
            })?;
            for_each(path, SLOTS, &inner.slots, |key, value| {
                decode_slot_key(key)?;
                digest.slot(key, decode_slot(value)?);
                Ok(())
            })?;
            for_each(path, BLOCK_HASHES, &inner.block_hashes, |key, value| {
                digest.block_hash(decode_number(key)?, decode_hash(value)?);
                Ok(())
            })
        })?;
        Ok(digest.0.finalize())
    }

    /// Copies the state into memory, every record of it checked, also the codes that no account has.
    ///
    /// # Errors
    ///
    /// Damaged records, slots of accounts that do not exist among them; and what the library says.
    pub fn to_memory(&self) -> Result<MemoryStore, RedbError> {
        let mut builder = MemoryStore::builder();
        self.inner().guarded(|inner| {
            let path = &*inner.shared.path;
            let mut accounts = BTreeMap::new();
            for_each(path, ACCOUNTS, &inner.accounts, |key, value| {
                accounts.insert(decode_address(key)?, AccountRecord::decode(value)?);
                Ok(())
            })?;
            for (address, account) in &accounts {
                builder.account(*address);
                builder.balance(*address, account.balance).nonce(*address, account.nonce);
                builder.bytecode(*address, inner.code(*address, account)?);
            }
            for_each(path, CODE, &inner.code, |key, value| match decode_hash(key)? {
                KECCAK256_EMPTY => Err("empty code has no record".into()),
                hash => match alloy_primitives::keccak256(value) {
                    actual if actual == hash => Ok(()),
                    actual => Err(format!("the hash of this code is {actual}")),
                },
            })?;
            for_each(path, SLOTS, &inner.slots, |key, value| {
                let (address, slot) = decode_slot_key(key)?;
                if !accounts.contains_key(&address) {
                    return Err(format!("account {address} does not exist"));
                }
                builder.slot(address, slot, decode_slot(value)?);
                Ok(())
            })?;
            for_each(path, BLOCK_HASHES, &inner.block_hashes, |key, value| {
                builder.block_hash(decode_number(key)?, decode_hash(value)?);
                Ok(())
            })
        })?;
        Ok(builder.build())
    }
}
