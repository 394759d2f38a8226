//! What can be wrong with a database.

use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, hex};

use super::Position;

/// So much of a key or a value is shown in a message.
const SHOWN: usize = 80;

/// Why something could not be done with a database. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum RedbError {
    /// The file cannot be reached.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A database was to be created where something is already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process, or another handle of this one, has the file open.
    #[error("{} is in use: another handle or process holds its lock", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file does not start as a database does.
    #[error("{} is no redb database: it starts with 0x{head}", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        head: String,
    },
    /// A redb database of something else.
    #[error("{} is a redb database of another kind: it has no table `{table}`", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// A table that it would have.
        table: &'static str,
    },
    /// The database was written in another format.
    #[error("{} has format {found}, and only format {supported} can be read", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the file says.
        found: u32,
        /// The only one known.
        supported: u32,
    },
    /// The creation of the file, or the import of its state, never came to its end.
    #[error(
        "{} holds no complete state: its creation or import was interrupted; import again",
        path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// An import into a database that holds a state.
    #[error("{} holds a state already: {held}", path.display())]
    Filled {
        /// The file.
        path: PathBuf,
        /// What is known of that state.
        held: String,
    },
    /// The database holds another state than the one asked for.
    #[error("{} holds another state ({held}) than {wanted}", path.display())]
    AnotherState {
        /// The file.
        path: PathBuf,
        /// What it holds.
        held: String,
        /// What was asked for.
        wanted: String,
    },
    /// A record is damaged.
    #[error(
        "{}: table `{table}`, key 0x{key}, value 0x{value}: {reason}",
        path.display()
    )]
    Record {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The key in hex, cut if it is long.
        key: String,
        /// The value in hex, cut if it is long.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The block does not follow the last applied one by its number.
    #[error("{}: {block} does not follow the last applied block, {last}", path.display())]
    NotNext {
        /// The file.
        path: PathBuf,
        /// The last applied block.
        last: Box<Position>,
        /// The block that was to be applied.
        block: Box<Position>,
    },
    /// The block has the right number and another parent than the last applied block.
    #[error(
        "{}: the parent of {block} is {parent}, and the last applied block is {last}",
        path.display()
    )]
    NotParent {
        /// The file.
        path: PathBuf,
        /// The last applied block.
        last: Box<Position>,
        /// The block that was to be applied.
        block: Box<Position>,
        /// The parent that it names.
        parent: B256,
    },
    /// The same account was imported twice.
    #[error("{}: account {address} is imported twice", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The account.
        address: Address,
    },
    /// Code that was to be written does not have the hash it came with, or is missing.
    #[error("{}: account {address} comes with code hash {claimed}, and its code has {actual}", path.display())]
    CodeHash {
        /// The file.
        path: PathBuf,
        /// The account.
        address: Address,
        /// The hash in the account.
        claimed: B256,
        /// The hash of the code.
        actual: B256,
    },
    /// The database must have no views for this.
    #[error("{} cannot be compacted or verified while views of it are open", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The whole file was checked, and pages of it are damaged.
    #[error("{} is damaged: checksums of its pages do not hold", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The database library failed.
    #[error("{}, {doing}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// In doing what.
        doing: &'static str,
        /// What it said.
        reason: Box<redb::Error>,
    },
    /// The database library panicked, which a damaged file can make it do.
    #[error("{}, {doing}: the database library panicked: {message}", path.display())]
    Panicked {
        /// The file.
        path: PathBuf,
        /// In doing what.
        doing: &'static str,
        /// The panic's message.
        message: String,
    },
}

impl RedbError {
    /// A failure of the library, of whichever of its kinds.
    pub(super) fn failed(path: &Path, doing: &'static str, reason: impl Into<redb::Error>) -> Self {
        let path = path.to_path_buf();
        match reason.into() {
            redb::Error::DatabaseAlreadyOpen => Self::Locked { path },
            reason => Self::Database { path, doing, reason: Box::new(reason) },
        }
    }

    /// A damaged record.
    pub(super) fn record(
        path: &Path,
        table: &'static str,
        key: &[u8],
        value: &[u8],
        reason: impl Into<String>,
    ) -> Self {
        Self::Record {
            path: path.to_path_buf(),
            table,
            key: shown(key),
            value: shown(value),
            reason: reason.into(),
        }
    }
}

/// Bytes in hex, of which a long string shows its beginning and its length.
pub(super) fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        Some(head) if bytes.len() > SHOWN => {
            format!("{}… ({} bytes)", hex::encode(head), bytes.len())
        }
        _ => hex::encode(bytes),
    }
}
