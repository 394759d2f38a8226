//! What a store and its views have in common: the library's database, and what is kept beside it.

use std::path::{Path, PathBuf};

use redb::{Builder, Database};

use super::{
    RedbError, RedbOptions,
    codes::Codes,
    guard::{dropped, guarded},
    table::Tables,
    view::Pace,
};
use crate::{store::IoPool, sync::Arc};

/// See the module.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// `None` only while it is being dropped.
    database: Option<Database>,
    pub(super) io: Arc<IoPool>,
    pub(super) codes: Codes,
    pub(super) pace: Pace,
    pub(super) import_batch: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Closing writes.
        dropped(self.database.take());
    }
}

impl Shared {
    /// Opens the library's database, as `open` says.
    pub(super) fn open(
        path: &Path,
        options: RedbOptions,
        open: impl FnOnce(&Builder) -> Result<Database, redb::DatabaseError>,
    ) -> Result<Self, RedbError> {
        let doing = "opening";
        let database = guarded(path, doing, || {
            let mut builder = Builder::new();
            builder.set_cache_size(options.page_cache);
            open(&builder).map_err(|reason| RedbError::failed(path, doing, reason))
        })?;
        Ok(Self {
            path: path.to_path_buf(),
            database: Some(database),
            io: options.io,
            codes: Codes::new(options.code_cache),
            pace: Pace::default(),
            import_batch: options.import_batch,
        })
    }

    pub(super) fn database(&self) -> Result<&Database, RedbError> {
        self.database.as_ref().ok_or_else(|| RedbError::InUse { path: self.path.clone() })
    }

    pub(super) fn database_mut(&mut self) -> Option<&mut Database> {
        self.database.as_mut()
    }

    /// Runs `change` in one transaction, which is on disk when this returns, or never was.
    pub(super) fn write<T>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&mut Tables<'_>) -> Result<T, RedbError>,
    ) -> Result<T, RedbError> {
        let path = &*self.path;
        guarded(path, doing, || {
            let failed = |reason: redb::Error| RedbError::failed(path, doing, reason);
            let mut write =
                self.database()?.begin_write().map_err(|reason| failed(reason.into()))?;
            write.set_quick_repair(true);
            let result = change(&mut Tables::open(path, &write)?)?;
            write.commit().map_err(|reason| failed(reason.into()))?;
            Ok(result)
        })
    }
}
