//! Any `revm::DatabaseRef` as a store.
//!
//! Such a database answers by blocking, so where it is asked is the question:
//!
//! | made by | where it is asked | for |
//! |---|---|---|
//! | [`new`](DatabaseStore::new) | on the threads of an [`IoPool`] | disks |
//! | `on` (feature `tokio`) | on the embedder's runtime, `spawn_blocking`, so many at a time | the same, in an async program |
//! | [`at_hand`](DatabaseStore::at_hand) | on the worker that needs it | what is in memory |
//!
//! The blocking methods ask on the calling thread in all three: that is what their caller wants.
//!
//! Nothing is kept. Below a database that is slow, [`CachedStore`](super::CachedStore) is what makes the
//! next block find what the last one read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::{Address, B256, U256};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

use super::{Answer, IoPool, Job, Query, Read, ReadResult, StateStore, StoreError};
use crate::sync::{Arc, time::Duration};

/// What a read from a local disk takes, unless the embedder knows better.
const DISK: Duration = Duration::from_micros(100);

/// A database behind the trait of stores.
pub struct DatabaseStore<D: DatabaseRef> {
    source: Arc<Source<D>>,
    place: Place,
    latency: Duration,
}

impl<D: DatabaseRef + std::fmt::Debug> std::fmt::Debug for DatabaseStore<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseStore")
            .field("database", &self.source.database)
            .field("place", &self.place)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

/// Tells whether an account of the database has storage.
type Probe<D> = dyn Fn(&D, Address) -> Result<bool, <D as DatabaseRef>::Error> + Send + Sync;

struct Source<D: DatabaseRef> {
    database: Arc<D>,
    probe: Option<Box<Probe<D>>>,
}

/// Where the database is asked.
#[derive(Debug)]
enum Place {
    AtHand,
    Pool(Arc<IoPool>),
    #[cfg(feature = "tokio")]
    Runtime(tokio::runtime::Handle, Arc<super::Backlog<Read>>),
}

impl<D: DatabaseRef + Send + Sync + 'static> DatabaseStore<D> {
    /// A database that is asked on the threads of `pool`.
    pub fn new(database: D, pool: Arc<IoPool>) -> Self {
        Self::placed(database, Place::Pool(pool), DISK)
    }

    /// A database that answers so fast that workers ask it themselves.
    pub fn at_hand(database: D) -> Self {
        Self::placed(database, Place::AtHand, Duration::ZERO)
    }

    /// A database that is asked on blocking threads of a tokio runtime, at most `max_blocking` at a time,
    /// most urgent reads first.
    #[cfg(feature = "tokio")]
    pub fn on(database: D, runtime: tokio::runtime::Handle, max_blocking: usize) -> Self {
        let backlog = super::Backlog::new(max_blocking);
        Self::placed(database, Place::Runtime(runtime, backlog), DISK)
    }

    fn placed(database: D, place: Place, latency: Duration) -> Self {
        let source = Source { database: Arc::new(database), probe: None };
        Self { source: Arc::new(source), place, latency }
    }

    /// Says how to find out whether an account has storage, which `DatabaseRef` cannot.
    ///
    /// Only a creation asks (EIP-7610: it collides with an account that has storage, even one without
    /// nonce and code). Without a probe the answer is `false`, which is right wherever each account
    /// with storage has a nonce or code: on a chain that began with EIP-158, and on mainnet, where
    /// the 28 exceptions lie at addresses that nobody is known to be able to create a contract at.
    #[must_use]
    pub fn with_storage_probe(
        mut self,
        probe: impl Fn(&D, Address) -> Result<bool, D::Error> + Send + Sync + 'static,
    ) -> Self {
        let (database, probe) = (self.source.database.clone(), Some(Box::new(probe) as _));
        self.source = Arc::new(Source { database, probe });
        self
    }

    /// Says about how long a read takes, by which the engine decides how far to read ahead. 100 µs
    /// unless said otherwise. A store whose database is at hand takes no notice.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The database.
    pub fn database(&self) -> &D {
        &self.source.database
    }

    fn is_at_hand(&self) -> bool {
        matches!(self.place, Place::AtHand)
    }
}

impl<D: DatabaseRef> Source<D> {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let failed = |error| failed::<D>(Query::Account(address), error);
        let Some(mut account) = self.database.basic_ref(address).map_err(failed)? else {
            return Ok(None);
        };
        if account.code.is_none() {
            account.code = Some(if account.is_empty_code_hash() {
                Bytecode::default()
            } else {
                self.database.code_by_hash_ref(account.code_hash).map_err(failed)?
            });
        }
        Ok(Some(account))
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let failed = |error| failed::<D>(Query::Slot(address, slot), error);
        self.database.storage_ref(address, slot).map_err(failed)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        let failed = |error| failed::<D>(Query::HasStorage(address), error);
        match &self.probe {
            Some(probe) => probe(&self.database, address).map_err(failed),
            None => Ok(false),
        }
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        let failed = |error| failed::<D>(Query::BlockHash(number), error);
        self.database.block_hash_ref(number).map_err(failed)
    }

    fn get(&self, query: Query) -> ReadResult {
        match query {
            Query::Account(address) => self.account(address).map(Answer::Account),
            Query::Slot(address, slot) => self.storage(address, slot).map(Answer::Slot),
            Query::HasStorage(address) => self.has_storage(address).map(Answer::HasStorage),
            Query::BlockHash(number) => self.block_hash(number).map(Answer::BlockHash),
        }
    }

    /// Answers a read, unless nobody wants it any more. A database that panics fails that read only.
    fn serve(&self, read: Read) {
        if !read.is_wanted() {
            return;
        }
        let query = read.query();
        let result = catch_unwind(AssertUnwindSafe(|| self.get(query)));
        read.answer(result.unwrap_or_else(|panic| {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
            Err(StoreError::failed(query, "the database panicked"))
        }));
    }
}

fn failed<D: DatabaseRef>(query: Query, error: D::Error) -> StoreError {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    StoreError::failed(query, reason)
}

impl<D: DatabaseRef + Send + Sync + 'static> StateStore for DatabaseStore<D> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.is_at_hand().then(|| self.source.account(address))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.is_at_hand().then(|| self.source.storage(address, slot))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        // Nothing to ask without a probe.
        let known = self.is_at_hand() || self.source.probe.is_none();
        known.then(|| self.source.has_storage(address))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.is_at_hand().then(|| self.source.block_hash(number))
    }

    fn fetch(&self, reads: Vec<Read>) {
        match &self.place {
            Place::AtHand => reads.into_iter().for_each(|read| self.source.serve(read)),
            Place::Pool(pool) => pool.submit_batch(reads.into_iter().map(|read| {
                let source = self.source.clone();
                (read.rank(), Box::new(move || source.serve(read)) as Job)
            })),
            #[cfg(feature = "tokio")]
            Place::Runtime(runtime, backlog) => {
                for mut server in backlog.push(reads.into_iter().map(|read| (read.rank(), read))) {
                    let source = self.source.clone();
                    // A runtime that is shut down drops the server, which answers for it.
                    runtime.spawn_blocking(move || {
                        while let Some(read) = server.take(1).pop() {
                            source.serve(read);
                        }
                    });
                }
            }
        }
    }

    fn latency(&self) -> Option<Duration> {
        (!self.is_at_hand()).then_some(self.latency)
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.source.account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        self.source.storage(address, slot)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        self.source.has_storage(address)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        self.source.block_hash(number)
    }
}
