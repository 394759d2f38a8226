//! What the tests work with: a place for a file, options, and the file from outside.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::B256;
use chorus::store::{
    IoPool, MemoryStore,
    redb::{Position, RedbError, RedbOptions, RedbStore},
};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

/// A directory of the test's own, with room for a database.
pub(crate) struct Desk {
    directory: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("state.redb")
    }

    pub(crate) fn create(&self) -> RedbStore {
        RedbStore::create(self.path(), options()).unwrap()
    }

    pub(crate) fn open(&self) -> Result<RedbStore, RedbError> {
        RedbStore::open(self.path(), options())
    }

    /// A database of `state`.
    pub(crate) fn with(&self, state: &MemoryStore) -> RedbStore {
        let store = self.create();
        store.import(state, None).unwrap();
        store
    }

    /// Changes records behind the store's back.
    pub(crate) fn tamper(&self, table: &'static str, change: impl FnOnce(&mut Table<'_>)) {
        tamper(&self.path(), table, change);
    }
}

pub(crate) type Table<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

pub(crate) fn tamper(path: &Path, table: &'static str, change: impl FnOnce(&mut Table<'_>)) {
    let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(table);
    let database = Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    change(&mut write.open_table(definition).unwrap());
    write.commit().unwrap();
}

/// Options with little memory, so that pages are read again and again.
pub(crate) fn options() -> RedbOptions {
    options_on(2)
}

pub(crate) fn options_on(threads: usize) -> RedbOptions {
    let io: Arc<IoPool> = IoPool::new(threads).unwrap();
    RedbOptions::new(io).page_cache(1 << 20).code_cache(64 << 10)
}

/// The block of that number, with some hash.
pub(crate) fn block(number: u64) -> Position {
    Position { number, hash: Some(hash(number)) }
}

/// Some hash of the block of that number.
pub(crate) fn hash(number: u64) -> B256 {
    alloy_primitives::keccak256(number.to_be_bytes())
}
