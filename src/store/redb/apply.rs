//! From the state after one block to the state after the next.

use std::path::Path;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::bytecode::Bytecode;

use super::{
    Position, RedbError, RedbStore,
    layout::{ACCOUNTS, AccountRecord, encode_slot, slot_key, slot_keys},
    meta::Meta,
    table::{Tables, Writable, get, put, remove},
};
use crate::evm::{AccountChange, StateDiff};

impl RedbStore {
    /// Applies what `block` changed. Either all of it is on disk when this returns, or the state
    /// stays what it was.
    ///
    /// `parent` is the hash of the block before, if the caller knows it: it is then checked too.
    ///
    /// # Errors
    ///
    /// [`RedbError::NotNext`] or [`RedbError::NotParent`] if the block does not follow the last
    /// applied one; a damaged record; what the library says.
    pub fn apply(
        &self,
        diff: &StateDiff,
        block: Position,
        parent: Option<B256>,
    ) -> Result<(), RedbError> {
        let path = self.path();
        self.shared.write("applying a block", |tables| {
            let meta = Meta::read(path, &tables.meta)?;
            if !meta.complete {
                return Err(RedbError::Unfinished { path: path.into() });
            }
            follows(path, meta.position, block, parent)?;
            for (address, change) in &diff.accounts {
                apply(path, tables, address, change)?;
            }
            if let Some(hash) = block.hash {
                let number = block.number.to_be_bytes();
                put(path, &mut tables.block_hashes, &number, hash.as_slice())?;
            }
            let applied = meta.applied.saturating_add(1);
            Meta { position: Some(block), applied, ..meta }.write(path, &mut tables.meta)
        })
    }
}

/// That the block comes right after the last one. Any block may be the first.
fn follows(
    path: &Path,
    last: Option<Position>,
    block: Position,
    parent: Option<B256>,
) -> Result<(), RedbError> {
    let Some(last) = last else { return Ok(()) };
    let path = path.to_path_buf();
    if last.number.checked_add(1) != Some(block.number) {
        return Err(RedbError::NotNext { path, last: Box::new(last), block: Box::new(block) });
    }
    match parent {
        Some(parent) if last.hash.is_some_and(|known| known != parent) => {
            let (last, block) = (Box::new(last), Box::new(block));
            Err(RedbError::NotParent { path, last, block, parent })
        }
        _ => Ok(()),
    }
}

fn apply(
    path: &Path,
    tables: &mut Tables<'_>,
    address: &Address,
    change: &AccountChange,
) -> Result<(), RedbError> {
    if change.wiped || change.deleted {
        remove_slots(path, &mut tables.slots, address)?;
    }
    if change.deleted {
        return remove(path, &mut tables.accounts, address.as_slice());
    }
    let former = match change.wiped {
        true => None,
        false => get(path, ACCOUNTS, &tables.accounts, address.as_slice(), AccountRecord::decode)?,
    };
    let mut record = former.unwrap_or(AccountRecord::EMPTY);
    record.balance = change.balance.unwrap_or(record.balance);
    record.nonce = change.nonce.unwrap_or(record.nonce);
    if let Some((hash, code)) = &change.code {
        (record.code_hash, record.delegation) = (*hash, code.is_eip7702());
        put_code(path, &mut tables.code, address, *hash, code)?;
    }
    if former != Some(record) {
        put(path, &mut tables.accounts, address.as_slice(), &record.encode())?;
    }
    for (slot, value) in &change.storage {
        put_slot(path, &mut tables.slots, &slot_key(address, *slot), *value)?;
    }
    Ok(())
}

/// Writes a slot; a zero removes it.
pub(super) fn put_slot(
    path: &Path,
    slots: &mut Writable<'_>,
    key: &[u8],
    value: U256,
) -> Result<(), RedbError> {
    if value.is_zero() {
        remove(path, slots, key)
    } else {
        put(path, slots, key, &encode_slot(value)).map(drop)
    }
}

/// Writes a code under its hash, if it is not there already.
pub(super) fn put_code(
    path: &Path,
    table: &mut Writable<'_>,
    address: &Address,
    claimed: B256,
    code: &Bytecode,
) -> Result<(), RedbError> {
    // Under a wrong hash it would be damage that no later read could tell from the disk's.
    let actual = code.hash_slow();
    if actual != claimed {
        return Err(RedbError::CodeHash { path: path.into(), address: *address, claimed, actual });
    }
    if actual == KECCAK256_EMPTY {
        return Ok(());
    }
    put(path, table, actual.as_slice(), code.original_byte_slice()).map(drop)
}

fn remove_slots(path: &Path, slots: &mut Writable<'_>, address: &Address) -> Result<(), RedbError> {
    let keys = slot_keys(address);
    slots
        .retain_in::<&[u8], _>(&keys.start()[..]..=&keys.end()[..], |_, _| false)
        .map_err(|reason| RedbError::failed(path, "removing an account's slots", reason))
}
