//! Reading one record.

use std::path::Path;

use redb::{ReadableTable, Table};

use super::{
    RedbError,
    layout::{ACCOUNTS, BLOCK_HASHES, CODE, META, Named, SLOTS},
};

/// A table of byte strings that can be read.
pub(super) trait Readable: ReadableTable<&'static [u8], &'static [u8]> {}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Readable for T {}

/// A table being written.
pub(super) type Writable<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// All tables, being written.
pub(super) struct Tables<'t> {
    pub(super) accounts: Writable<'t>,
    pub(super) code: Writable<'t>,
    pub(super) slots: Writable<'t>,
    pub(super) block_hashes: Writable<'t>,
    pub(super) meta: Writable<'t>,
}

impl<'t> Tables<'t> {
    /// Opens all tables, creating those that are absent.
    pub(super) fn open(path: &Path, write: &'t redb::WriteTransaction) -> Result<Self, RedbError> {
        let open = |table: Named| {
            write
                .open_table(table.definition)
                .map_err(|reason| RedbError::failed(path, "opening its tables", reason))
        };
        Ok(Self {
            accounts: open(ACCOUNTS)?,
            code: open(CODE)?,
            slots: open(SLOTS)?,
            block_hashes: open(BLOCK_HASHES)?,
            meta: open(META)?,
        })
    }
}

/// The record of `key`, decoded; `None` if there is none.
pub(super) fn get<T>(
    path: &Path,
    named: Named,
    table: &impl Readable,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<Option<T>, RedbError> {
    let record = table.get(key).map_err(|reason| RedbError::failed(path, "reading", reason))?;
    let Some(record) = record else { return Ok(None) };
    let value = record.value();
    match decode(value) {
        Ok(decoded) => Ok(Some(decoded)),
        Err(reason) => Err(RedbError::record(path, named.name, key, value, reason)),
    }
}

/// Writes a record; whether there was one.
pub(super) fn put(
    path: &Path,
    table: &mut Writable<'_>,
    key: &[u8],
    value: &[u8],
) -> Result<bool, RedbError> {
    match table.insert(key, value) {
        Ok(former) => Ok(former.is_some()),
        Err(reason) => Err(RedbError::failed(path, "writing", reason)),
    }
}

/// Removes a record, if there is one.
pub(super) fn remove(path: &Path, table: &mut Writable<'_>, key: &[u8]) -> Result<(), RedbError> {
    match table.remove(key) {
        Ok(_) => Ok(()),
        Err(reason) => Err(RedbError::failed(path, "writing", reason)),
    }
}

/// Hands every record to `visit`, in the order of the keys.
pub(super) fn for_each(
    path: &Path,
    named: Named,
    table: &impl Readable,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), String>,
) -> Result<(), RedbError> {
    let failed = |reason| RedbError::failed(path, "scanning", reason);
    for record in table.iter().map_err(failed)? {
        let (key, value) = record.map_err(failed)?;
        let (key, value) = (key.value(), value.value());
        visit(key, value)
            .map_err(|reason| RedbError::record(path, named.name, key, value, reason))?;
    }
    Ok(())
}
