//! Creating and opening databases, and what state they hold.

use std::{fs::File, path::Path};

use redb::{Builder, Database, ReadableDatabase, TableError, TableHandle};

use super::{
    Position, RedbError, RedbOptions, RedbView, birth, guard::guarded, layout::META, meta::Meta,
    scan::state_digest, shared::Shared,
};
use crate::{store::MemoryStore, sync::Arc};

/// A database of one state, which goes from block to block.
///
/// Blocks are executed over a [`view`](Self::view) of it.
#[derive(Debug)]
pub struct RedbStore {
    pub(super) shared: Arc<Shared>,
}

impl RedbStore {
    /// Creates a database of an empty state, to be [imported](Self::import) into, or to have blocks
    /// applied to it.
    ///
    /// # Errors
    ///
    /// [`RedbError::Exists`] if there is a file; else what the system or the library says.
    pub fn create(path: impl AsRef<Path>, options: RedbOptions) -> Result<Self, RedbError> {
        let path = path.as_ref();
        Self::create_in(path, birth::create(path)?, options, true)
    }

    /// Opens a database that holds a complete state.
    ///
    /// # Errors
    ///
    /// [`RedbError::Io`] if there is none, [`RedbError::Unfinished`] if its import was interrupted,
    /// [`RedbError::Locked`] if it is open already; and whatever is wrong with the file.
    pub fn open(path: impl AsRef<Path>, options: RedbOptions) -> Result<Self, RedbError> {
        let path = path.as_ref();
        birth::check(path)?;
        let store = Self::open_file(path, options)?;
        match store.meta()? {
            Some(meta) if meta.complete => Ok(store),
            _ => Err(RedbError::Unfinished { path: path.into() }),
        }
    }

    /// The database at `path`, which holds exactly `state`, the state after `position`. If there is
    /// none, or one whose import was interrupted, it is filled with `state`.
    ///
    /// # Errors
    ///
    /// [`RedbError::AnotherState`] if it holds another one: another state was imported, or blocks
    /// were applied since. Otherwise as [`RedbStore::open`] and [`RedbStore::import`].
    pub fn open_or_import(
        path: impl AsRef<Path>,
        state: &MemoryStore,
        position: Option<Position>,
        options: RedbOptions,
    ) -> Result<Self, RedbError> {
        let path = path.as_ref();
        let store = match Self::open(path, options.clone()) {
            Ok(store) => {
                store.require(state, position)?;
                return Ok(store);
            }
            Err(RedbError::Unfinished { .. }) => Self::resume(path, options)?,
            Err(RedbError::Io { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                Self::create_in(path, birth::create(path)?, options, false)?
            }
            Err(error) => return Err(error),
        };
        store.import(state, position)?;
        Ok(store)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The block whose state it holds: the last one applied, or what the import was told.
    ///
    /// # Errors
    ///
    /// [`RedbError`] if its record cannot be read.
    pub fn last_applied(&self) -> Result<Option<Position>, RedbError> {
        Ok(self.meta()?.unwrap_or_default().position)
    }

    /// Whether it holds exactly this imported state, with no block applied since. It goes by the
    /// digest that the import left, so it reads one record.
    ///
    /// # Errors
    ///
    /// [`RedbError`] if the record cannot be read.
    pub fn holds(&self, state: &MemoryStore) -> Result<bool, RedbError> {
        let meta = self.meta()?.unwrap_or_default();
        Ok(meta.complete && meta.applied == 0 && meta.imported == Some(state_digest(state)))
    }

    /// The state as it is now, to execute blocks over. It stays the same whatever is applied; while it
    /// is open the file keeps what it needs.
    ///
    /// # Errors
    ///
    /// [`RedbError::Unfinished`] if the state is not complete; else what the library says.
    pub fn view(&self) -> Result<RedbView, RedbError> {
        let view = RedbView::open(&self.shared)?;
        if view.meta()?.complete {
            Ok(view)
        } else {
            Err(RedbError::Unfinished { path: self.shared.path.clone() })
        }
    }

    /// Copies the whole state into memory, for checks.
    ///
    /// # Errors
    ///
    /// As [`RedbStore::view`], and every damaged record.
    pub fn to_memory(&self) -> Result<MemoryStore, RedbError> {
        self.view()?.to_memory()
    }

    /// Gives space that the file no longer needs back to the system. Whether there was any.
    ///
    /// # Errors
    ///
    /// [`RedbError::InUse`] if a view is open.
    pub fn compact(&mut self) -> Result<bool, RedbError> {
        self.exclusively("compacting", Database::compact)
    }

    /// Reads the whole file: the checksum of every page, every record, every hash of a code.
    ///
    /// # Errors
    ///
    /// [`RedbError::InUse`] if a view is open; [`RedbError::Damaged`] if checksums do not hold, after
    /// which the library may have gone back to an earlier state; and every damaged record.
    pub fn verify(&mut self) -> Result<(), RedbError> {
        if !self.exclusively("checking its pages", Database::check_integrity)? {
            return Err(RedbError::Damaged { path: self.shared.path.clone() });
        }
        self.to_memory().map(drop)
    }

    fn exclusively<T, E: Into<redb::Error>>(
        &mut self,
        doing: &'static str,
        call: impl FnOnce(&mut Database) -> Result<T, E>,
    ) -> Result<T, RedbError> {
        let in_use = RedbError::InUse { path: self.shared.path.clone() };
        let Some(shared) = Arc::get_mut(&mut self.shared) else { return Err(in_use) };
        let path = shared.path.clone();
        let Some(database) = shared.database_mut() else { return Err(in_use) };
        guarded(&path, doing, || {
            call(database).map_err(|reason| RedbError::failed(&path, doing, reason))
        })
    }

    /// That it holds this state.
    fn require(&self, state: &MemoryStore, position: Option<Position>) -> Result<(), RedbError> {
        let meta = self.meta()?.unwrap_or_default();
        let digest = state_digest(state);
        let wanted = Meta { complete: true, position, imported: Some(digest), applied: 0 };
        let same_place =
            meta.position.zip(position).is_none_or(|(held, wanted)| held.agrees_with(&wanted));
        if meta.imported == wanted.imported && meta.applied == 0 && same_place {
            return Ok(());
        }
        Err(RedbError::AnotherState {
            path: self.shared.path.clone(),
            held: meta.describe(),
            wanted: wanted.describe(),
        })
    }

    /// Opens what an interrupted creation or import left, to be imported into.
    fn resume(path: &Path, options: RedbOptions) -> Result<Self, RedbError> {
        if let Some(file) = birth::emptied(path)? {
            return Self::create_in(path, file, options, false);
        }
        let store = Self::open_file(path, options)?;
        if store.meta()?.is_none() {
            store.initialize(false)?;
        }
        Ok(store)
    }

    fn create_in(
        path: &Path,
        file: File,
        options: RedbOptions,
        complete: bool,
    ) -> Result<Self, RedbError> {
        let store = Self::with(path, options, |builder| builder.create_file(file))?;
        store.initialize(complete)?;
        Ok(store)
    }

    fn open_file(path: &Path, options: RedbOptions) -> Result<Self, RedbError> {
        Self::with(path, options, |builder| builder.open(path))
    }

    fn with(
        path: &Path,
        options: RedbOptions,
        open: impl FnOnce(&Builder) -> Result<Database, redb::DatabaseError>,
    ) -> Result<Self, RedbError> {
        Ok(Self { shared: Arc::new(Shared::open(path, options, open)?) })
    }

    /// Writes the tables into a new database.
    fn initialize(&self, complete: bool) -> Result<(), RedbError> {
        self.shared.write("creating", |tables| {
            Meta { complete, ..Meta::default() }.write(&self.shared.path, &mut tables.meta)
        })
    }

    /// What it says of itself; `None` if it was never told, because its creation was interrupted.
    fn meta(&self) -> Result<Option<Meta>, RedbError> {
        let shared = &*self.shared;
        let (path, doing) = (&*shared.path, "reading what it holds");
        guarded(path, doing, || {
            let failed = |reason: redb::Error| RedbError::failed(path, doing, reason);
            let read = shared.database()?.begin_read().map_err(|reason| failed(reason.into()))?;
            match read.open_table(META.definition) {
                Ok(table) => Meta::read(path, &table).map(Some),
                Err(TableError::TableDoesNotExist(_)) => {
                    let mut tables = read.list_tables().map_err(|reason| failed(reason.into()))?;
                    match tables.find(|table| table.name() != META.name) {
                        None => Ok(None),
                        Some(_) => Err(RedbError::Foreign { path: path.into(), table: META.name }),
                    }
                }
                Err(TableError::TableTypeMismatch { .. } | TableError::TableIsMultimap(_)) => {
                    Err(RedbError::Foreign { path: path.into(), table: META.name })
                }
                Err(reason) => Err(failed(reason.into())),
            }
        })
    }
}
