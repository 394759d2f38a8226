//! Filling a database with a state, of any size, in bounded memory.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::{bytecode::Bytecode, state::AccountInfo};

use super::{
    Position, RedbError, RedbStore, RedbView,
    apply::{put_code, put_slot},
    layout::{AccountRecord, slot_key},
    meta::Meta,
    table::{Tables, put},
};
use crate::store::MemoryStore;

/// So many bytes of code make a transaction, however few its records are.
const BATCH_CODE: usize = 16 << 20;

impl RedbStore {
    /// Fills the database with `state`, the state after `position`. Its
    /// [digest](super::state_digest) is returned and remembered.
    ///
    /// The state of a genesis file is
    /// [`ChainSpec::genesis_state`](crate::evm::ChainSpec::genesis_state), after block 0; that of a
    /// block directory comes with [`load_block`](crate::evm::input::load_block), after
    /// [`Position::before`] the block.
    ///
    /// # Errors
    ///
    /// As [`RedbStore::importer`].
    pub fn import(
        &self,
        state: &MemoryStore,
        position: Option<Position>,
    ) -> Result<B256, RedbError> {
        let mut import = self.importer()?;
        // In the order of the keys: the library then writes each page once.
        let accounts: BTreeMap<_, _> = state.accounts().collect();
        for (address, account) in accounts {
            import.account(*address, account.info(), account.slots())?;
        }
        for (number, hash) in state.block_hashes() {
            import.block_hash(number, hash)?;
        }
        import.finish(position)
    }

    /// Starts to fill the database, record by record. Until [`Import::finish`] the database has no
    /// state: it can be neither viewed nor, after a restart, opened. An import that was given up, or
    /// whose process was killed, is followed by another one, which starts from nothing.
    ///
    /// # Errors
    ///
    /// [`RedbError::Filled`] if the database holds a state already; what the library says.
    pub fn importer(&self) -> Result<Import<'_>, RedbError> {
        let path = self.path();
        self.shared.write("starting an import", |tables| {
            let meta = Meta::read(path, &tables.meta)?;
            if meta.complete && (meta != Meta { complete: true, ..Meta::default() }) {
                return Err(RedbError::Filled { path: path.into(), held: meta.describe() });
            }
            clear(tables).map_err(|reason| RedbError::failed(path, "clearing", reason))?;
            Meta::default().write(path, &mut tables.meta)
        })?;
        Ok(Import { store: self, batch: Batch::default() })
    }
}

fn clear(tables: &mut Tables<'_>) -> Result<(), redb::StorageError> {
    let Tables { accounts, code, slots, block_hashes, meta: _ } = tables;
    for table in [accounts, code, slots, block_hashes] {
        table.retain(|_, _| false)?;
    }
    Ok(())
}

/// A state on its way into a database.
#[derive(Debug)]
#[must_use = "an import that is not finished leaves no state"]
pub struct Import<'a> {
    store: &'a RedbStore,
    batch: Batch,
}

/// What the next transaction writes.
#[derive(Debug, Default)]
struct Batch {
    accounts: Vec<(Address, AccountRecord)>,
    codes: Vec<(Address, B256, Bytecode)>,
    code_bytes: usize,
    slots: Vec<([u8; 52], U256)>,
    block_hashes: Vec<(u64, B256)>,
}

impl Batch {
    fn is_full(&self, most_records: usize) -> bool {
        self.accounts.len() + self.slots.len() + self.block_hashes.len() >= most_records
            || self.code_bytes >= BATCH_CODE
    }
}

impl Import<'_> {
    /// Adds an account with its storage. Slots of zero are passed over. Addresses in ascending order
    /// are fastest.
    ///
    /// # Errors
    ///
    /// [`RedbError::CodeHash`] if the code is missing or has another hash than the account says;
    /// [`RedbError::Twice`], here or later, if the account was added before; what the library says.
    pub fn account(
        &mut self,
        address: Address,
        info: &AccountInfo,
        slots: impl IntoIterator<Item = (U256, U256)>,
    ) -> Result<(), RedbError> {
        let code = self.code(address, info)?;
        self.batch.accounts.push((
            address,
            AccountRecord {
                delegation: code.as_ref().is_some_and(Bytecode::is_eip7702),
                nonce: info.nonce,
                balance: info.balance,
                code_hash: info.code_hash,
            },
        ));
        if let Some(code) = code {
            self.batch.code_bytes += code.original_byte_slice().len();
            self.batch.codes.push((address, info.code_hash, code));
        }
        for (slot, value) in slots {
            self.batch.slots.push((slot_key(&address, slot), value));
            self.flush_if_full()?;
        }
        self.flush_if_full()
    }

    /// Adds the hash of an earlier block.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub fn block_hash(&mut self, number: u64, hash: B256) -> Result<(), RedbError> {
        self.batch.block_hashes.push((number, hash));
        self.flush_if_full()
    }

    /// Makes the state visible, all at once, as that after `position`. Returns its
    /// [digest](super::state_digest), for which everything is read back once.
    ///
    /// # Errors
    ///
    /// What the library says.
    pub fn finish(mut self, position: Option<Position>) -> Result<B256, RedbError> {
        self.flush()?;
        let shared = &self.store.shared;
        let digest = RedbView::open(shared)?.digest()?;
        shared.write("finishing an import", |tables| {
            let meta = Meta { complete: true, position, imported: Some(digest), applied: 0 };
            meta.write(&shared.path, &mut tables.meta)
        })?;
        Ok(digest)
    }

    /// The account's code, `None` if it is empty.
    fn code(&self, address: Address, info: &AccountInfo) -> Result<Option<Bytecode>, RedbError> {
        if info.code_hash == KECCAK256_EMPTY {
            return Ok(None);
        }
        let missing = || RedbError::CodeHash {
            path: self.store.path().into(),
            address,
            claimed: info.code_hash,
            actual: KECCAK256_EMPTY,
        };
        info.code.clone().map(Some).ok_or_else(missing)
    }

    fn flush_if_full(&mut self) -> Result<(), RedbError> {
        let full = self.batch.is_full(self.store.shared.import_batch);
        if full { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), RedbError> {
        let mut batch = std::mem::take(&mut self.batch);
        // Stable, so that of two values of one slot the later one stands.
        batch.slots.sort_by_key(|(key, _)| *key);
        let path = self.store.path();
        self.store.shared.write("importing", |tables| {
            for (address, record) in &batch.accounts {
                if put(path, &mut tables.accounts, address.as_slice(), &record.encode())? {
                    return Err(RedbError::Twice { path: path.into(), address: *address });
                }
            }
            for (address, hash, code) in &batch.codes {
                put_code(path, &mut tables.code, address, *hash, code)?;
            }
            for (key, value) in &batch.slots {
                put_slot(path, &mut tables.slots, key, *value)?;
            }
            for (number, hash) in &batch.block_hashes {
                put(path, &mut tables.block_hashes, &number.to_be_bytes(), hash.as_slice())?;
            }
            Ok(())
        })
    }
}
