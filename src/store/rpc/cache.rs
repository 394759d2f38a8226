//! A file that keeps a node's answers between runs.
//!
//! Answers are of a block, named by chain, number and hash, so none ever becomes wrong, and one file
//! serves any number of blocks and chains. It grows until it is deleted. Only one process can have it
//! open. All of its reads and writes block, so they run on the runtime's threads for that.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, Bytes, keccak256};
use redb::{Builder, Database, ReadableDatabase, TableDefinition};
use revm::{primitives::KECCAK_EMPTY, state::AccountInfo};

use super::{
    account::bytecode,
    cached::{self, Scope, Stored},
};
use crate::{
    store::{Answer, Query},
    sync::Mutex,
};

const ANSWERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("answers 1");
const CODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("codes 1");

/// So many answers are written at a time. A process that is killed loses fewer.
const WRITTEN_AT_ONCE: usize = 512;

/// What redb keeps in memory: little, since answers are kept by their store anyway.
const MEMORY: usize = 16 << 20;

/// Where answers are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The file. It is created if it is absent.
    pub path: PathBuf,
    /// What to do if it cannot be used.
    pub if_unusable: IfUnusable,
}

impl CacheOptions {
    /// A file that has to be usable.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), if_unusable: IfUnusable::Refuse }
    }
}

/// What to do with a file that is damaged, in use by another process, or cannot be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfUnusable {
    /// It is an error: of the connection, or of the read that finds the damage.
    #[default]
    Refuse,
    /// Everything is asked of the node.
    /// [`RpcNode::cache_trouble`](crate::store::rpc::RpcNode::cache_trouble) says why.
    Ignore,
}

/// Why a file of answers cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CacheError {
    /// Another process has it, or this one twice.
    #[error("{}: the cache is in use by another process", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// It is no file of answers, or one that was damaged.
    #[error("{}: the cache is damaged or no cache ({reason}); delete it to begin anew", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

/// The open file and what is yet to be written.
pub(super) struct Cache {
    database: Database,
    path: PathBuf,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    answers: Vec<(Vec<u8>, Vec<u8>)>,
    codes: HashMap<B256, Bytes>,
}

impl Cache {
    /// Opens or creates the file. Blocks.
    pub(super) fn open(path: &Path) -> Result<Self, CacheError> {
        let opened = guarded(path, || {
            let database = Builder::new().set_cache_size(MEMORY).create(path)?;
            let write = database.begin_write()?;
            write.open_table(ANSWERS)?;
            write.open_table(CODES)?;
            write.commit()?;
            Ok(database)
        });
        Ok(Self { database: opened?, path: path.to_owned(), pending: Mutex::default() })
    }

    /// The answers that are there, in the order of the queries. Blocks.
    pub(super) fn get(
        &self,
        scope: &Scope,
        queries: &[Query],
    ) -> Result<Vec<Option<Answer>>, CacheError> {
        guarded(&self.path, || {
            let read = self.database.begin_read()?;
            let (answers, codes) = (read.open_table(ANSWERS)?, read.open_table(CODES)?);
            let get = |query: &Query| {
                let key = cached::key(scope, *query);
                let Some(value) = answers.get(key.as_slice())? else { return Ok(None) };
                let wrong =
                    || redb::Error::Corrupted(format!("the answer to {query} is not whole"));
                let (nonce, balance, code_hash) = match cached::stored(*query, &key, value.value())
                    .ok_or_else(wrong)?
                {
                    Stored::Whole(answer) => return Ok(Some(answer)),
                    Stored::Account { nonce, balance, code_hash } => (nonce, balance, code_hash),
                };
                let mut info = AccountInfo { nonce, balance, ..AccountInfo::default() };
                info.code = Some(Default::default());
                if code_hash != KECCAK_EMPTY {
                    let Some(code) = codes.get(code_hash.as_slice())? else { return Ok(None) };
                    let code = code.value();
                    if keccak256(code) != code_hash {
                        let reason = format!("the code of hash {code_hash} is not whole");
                        return Err(redb::Error::Corrupted(reason));
                    }
                    info.code_hash = code_hash;
                    info.code = Some(bytecode(Bytes::copy_from_slice(code)));
                }
                Ok(Some(Answer::Account(Some(info))))
            };
            queries.iter().map(get).collect()
        })
    }

    /// Keeps an answer, in memory for now. `true`: it is time to [`flush`](Self::flush).
    pub(super) fn put(&self, scope: &Scope, query: Query, answer: &Answer) -> bool {
        let key = cached::key(scope, query);
        let value = cached::value(&key, answer);
        let mut pending = self.pending.lock();
        if let Answer::Account(Some(AccountInfo { code: Some(code), code_hash, .. })) = answer
            && !code.is_empty()
        {
            pending.codes.insert(*code_hash, code.original_bytes());
        }
        pending.answers.push((key, value));
        pending.answers.len() >= WRITTEN_AT_ONCE
    }

    /// Writes what was put. Blocks until it is on disk.
    pub(super) fn flush(&self) -> Result<(), CacheError> {
        let Pending { answers, codes } = std::mem::take(&mut *self.pending.lock());
        if answers.is_empty() {
            return Ok(());
        }
        guarded(&self.path, || {
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(CODES)?;
                for (hash, code) in &codes {
                    table.insert(hash.as_slice(), code.as_ref())?;
                }
                let mut table = write.open_table(ANSWERS)?;
                for (key, value) in &answers {
                    table.insert(key.as_slice(), value.as_slice())?;
                }
            }
            Ok(write.commit()?)
        })
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // What cannot be written is asked of the node again.
        let _ = self.flush();
    }
}

/// Does something with a file of which nothing is known. redb may panic on a damaged one.
fn guarded<T>(path: &Path, act: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, CacheError> {
    let path = path.to_owned();
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => Err(CacheError::InUse { path }),
        // A file that does not begin like a database is "invalid data" to redb.
        Ok(Err(redb::Error::Io(error))) if !is_damage(&error) => {
            Err(CacheError::Io { path, reason: error.to_string() })
        }
        Ok(Err(error)) => Err(CacheError::Damaged { path, reason: error.to_string() }),
        Err(_) => Err(CacheError::Damaged { path, reason: "it cannot be read".into() }),
    }
}

fn is_damage(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, U256};

    use super::*;

    const SCOPE: Scope = Scope { chain_id: 1, number: 7, hash: B256::repeat_byte(3) };
    const A: Address = Address::repeat_byte(0xaa);

    #[test]
    fn answers_survive_closing_and_other_blocks_do_not_see_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        let code = bytecode(Bytes::from_static(&[0x60, 0x01]));
        let info = AccountInfo::new(U256::from(5), 3, code.hash_slow(), code);
        let queries = [Query::Account(A), Query::HasStorage(A)];
        {
            let cache = Cache::open(&path).unwrap();
            cache.put(&SCOPE, queries[0], &Answer::Account(Some(info.clone())));
            assert_eq!(cache.get(&SCOPE, &queries).unwrap(), [None, None]);
        }
        let cache = Cache::open(&path).unwrap();
        let expected = [Some(Answer::Account(Some(info))), None];
        assert_eq!(cache.get(&SCOPE, &queries).unwrap(), expected);
        let other = Scope { hash: B256::ZERO, ..SCOPE };
        assert_eq!(cache.get(&other, &queries).unwrap(), [None, None]);
    }

    #[test]
    fn a_file_in_use_and_one_that_is_none_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        let _cache = Cache::open(&path).unwrap();
        assert!(matches!(Cache::open(&path), Err(CacheError::InUse { .. })));
        let text = directory.path().join("text");
        std::fs::write(&text, "no database at all, but some text".repeat(200)).unwrap();
        let error = Cache::open(&text).map(|_| ()).unwrap_err();
        assert!(matches!(error, CacheError::Damaged { .. }), "{error}");
        let nowhere = directory.path().join("absent").join("cache");
        assert!(matches!(Cache::open(&nowhere), Err(CacheError::Io { .. })));
    }
}
