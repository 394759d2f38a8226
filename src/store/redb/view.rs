//! One state of a database, to execute a block over.
//!
//! A view holds a read transaction of the library: a tree of pages that nobody changes while it is
//! open. Nothing is at hand without a look into the file, so the `try_…` methods say so, and what
//! is fetched is read on the pool's threads. Whoever wants what was read once to be at hand wraps the
//! view, or the [head](super::RedbHead), in a store that caches.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use redb::{ReadOnlyTable, ReadableDatabase};
use revm::{bytecode::Bytecode, state::AccountInfo};

use super::{
    Position, RedbError,
    guard::guarded,
    layout::{
        ACCOUNTS, AccountRecord, BLOCK_HASHES, CODE, META, Named, SLOTS, decode_hash, decode_slot,
        slot_key, slot_keys,
    },
    meta::Meta,
    shared::Shared,
    table::get,
};
use crate::{
    store::{Answer, Job, Query, Read, ReadResult, StateStore, StoreError},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        time::{Duration, Instant},
    },
};

/// At most so many reads are one job, so that an urgent one does not wait behind a long batch.
const JOB_READS: usize = 16;
type Reader = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// One state of a [`RedbStore`](super::RedbStore). Clones share it.
#[derive(Clone)]
pub struct RedbView {
    inner: Arc<Inner>,
}

/// The tables come before what they are read from, so that they are dropped first.
pub(super) struct Inner {
    pub(super) accounts: Reader,
    pub(super) code: Reader,
    pub(super) slots: Reader,
    pub(super) block_hashes: Reader,
    meta: Reader,
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for RedbView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbView").field("path", &self.inner.shared.path).finish_non_exhaustive()
    }
}

impl RedbView {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, RedbError> {
        let (path, doing) = (&*shared.path, "opening a view");
        guarded(path, doing, || {
            let failed = |reason: redb::Error| RedbError::failed(path, doing, reason);
            let read = shared.database()?.begin_read().map_err(|reason| failed(reason.into()))?;
            let open = |table: Named| match read.open_table(table.definition) {
                Ok(table) => Ok(table),
                Err(redb::TableError::Storage(reason)) => Err(failed(reason.into())),
                Err(_) => Err(RedbError::Foreign { path: path.into(), table: table.name }),
            };
            let inner = Inner {
                accounts: open(ACCOUNTS)?,
                code: open(CODE)?,
                slots: open(SLOTS)?,
                block_hashes: open(BLOCK_HASHES)?,
                meta: open(META)?,
                shared: shared.clone(),
            };
            Ok(Self { inner: Arc::new(inner) })
        })
    }

    /// The block whose state this is, if anybody said.
    ///
    /// # Errors
    ///
    /// [`RedbError`] if its record cannot be read.
    pub fn last_applied(&self) -> Result<Option<Position>, RedbError> {
        Ok(self.meta()?.position)
    }

    pub(super) fn meta(&self) -> Result<Meta, RedbError> {
        self.inner.guarded(|inner| Meta::read(&inner.shared.path, &inner.meta))
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }
}

impl Inner {
    /// Calls the library, for reading.
    pub(super) fn guarded<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, RedbError>,
    ) -> Result<T, RedbError> {
        guarded(&self.shared.path, "reading", || read(self))
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, RedbError> {
        let path = &*self.shared.path;
        let key = address.as_slice();
        let record = get(path, ACCOUNTS, &self.accounts, key, AccountRecord::decode)?;
        let Some(record) = record else { return Ok(None) };
        let AccountRecord { nonce, balance, code_hash, .. } = record;
        let code = Some(self.code(address, &record)?);
        Ok(Some(AccountInfo { nonce, balance, code_hash, code, ..AccountInfo::default() }))
    }

    pub(super) fn code(
        &self,
        address: Address,
        account: &AccountRecord,
    ) -> Result<Bytecode, RedbError> {
        let (hash, delegation) = (account.code_hash, account.delegation);
        let wrong = |reason: &str| {
            let (path, key) = (&*self.shared.path, address.as_slice());
            RedbError::record(path, ACCOUNTS.name, key, &account.encode(), reason)
        };
        if hash == KECCAK256_EMPTY {
            return match delegation {
                false => Ok(Bytecode::default()),
                true => Err(wrong("its code is empty, and no delegation")),
            };
        }
        if let Some(code) = self.shared.codes.get(hash, delegation) {
            return Ok(code);
        }
        let bytes = get(&self.shared.path, CODE, &self.code, hash.as_slice(), |bytes| {
            match keccak256(bytes) {
                actual if actual == hash => Ok(Bytes::copy_from_slice(bytes)),
                actual => Err(format!("the hash of this code is {actual}")),
            }
        })?;
        let Some(bytes) = bytes else { return Err(wrong("no code has the hash in it")) };
        let code = match delegation {
            true => Bytecode::new_eip7702_raw(bytes)
                .map_err(|reason| wrong(&format!("its code is no delegation: {reason}")))?,
            false => Bytecode::new_legacy(bytes),
        };
        self.shared.codes.put(hash, delegation, code.clone());
        Ok(code)
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, RedbError> {
        let key = slot_key(&address, slot);
        let value = get(&self.shared.path, SLOTS, &self.slots, &key, decode_slot)?;
        Ok(value.unwrap_or_default())
    }

    fn has_storage(&self, address: Address) -> Result<bool, RedbError> {
        let keys = slot_keys(&address);
        let failed = |reason| RedbError::failed(&self.shared.path, "reading", reason);
        let mut slots =
            self.slots.range::<&[u8]>(&keys.start()[..]..=&keys.end()[..]).map_err(failed)?;
        Ok(slots.next().transpose().map_err(failed)?.is_some())
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, RedbError> {
        let key = number.to_be_bytes();
        get(&self.shared.path, BLOCK_HASHES, &self.block_hashes, &key, decode_hash)
    }

    fn read(&self, query: Query) -> ReadResult {
        let result = self.guarded(|inner| match query {
            Query::Account(address) => inner.account(address).map(Answer::Account).map(Some),
            Query::Slot(address, slot) => inner.slot(address, slot).map(Answer::Slot).map(Some),
            Query::HasStorage(address) => {
                inner.has_storage(address).map(Answer::HasStorage).map(Some)
            }
            Query::BlockHash(number) => Ok(inner.block_hash(number)?.map(Answer::BlockHash)),
        });
        match (result, query) {
            (Ok(Some(answer)), _) => Ok(answer),
            (Ok(None), Query::BlockHash(number)) => Err(StoreError::BlockHash { number }),
            (Ok(None), _) => Err(StoreError::failed(query, "there is no answer")),
            (Err(error), _) => Err(StoreError::failed(query, error.to_string())),
        }
    }

    /// Reads, and notes how long that takes.
    fn timed(&self, query: Query) -> ReadResult {
        let start = Instant::now();
        let result = self.read(query);
        self.shared.pace.note(start.elapsed());
        result
    }

    /// A job on the pool. What nobody wants any more is dropped, which answers it.
    fn answer(&self, reads: Vec<Read>) {
        for read in reads {
            if read.is_wanted() {
                let result = self.timed(read.query());
                read.answer(result);
            }
        }
    }
}

impl StateStore for RedbView {
    fn try_account(&self, _: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        None
    }

    fn try_storage(&self, _: Address, _: U256) -> Option<Result<U256, StoreError>> {
        None
    }

    fn try_has_storage(&self, _: Address) -> Option<Result<bool, StoreError>> {
        None
    }

    fn try_block_hash(&self, _: u64) -> Option<Result<B256, StoreError>> {
        None
    }

    fn fetch(&self, mut reads: Vec<Read>) {
        reads.sort_by_key(Read::rank);
        let io = &self.inner.shared.io;
        let jobs = reads.len().div_ceil(JOB_READS).max(reads.len().min(io.threads()));
        let mut hands: Vec<Vec<Read>> = Vec::new();
        hands.resize_with(jobs, Vec::new);
        // Dealt like cards: each job starts with its most urgent read, and none has all of them.
        for (index, read) in reads.into_iter().enumerate() {
            hands[index % jobs].push(read);
        }
        io.submit_batch(hands.into_iter().filter_map(|hand| {
            let rank = hand.first()?.rank();
            let inner = self.inner.clone();
            Some((rank, Box::new(move || inner.answer(hand)) as Job))
        }));
    }

    fn latency(&self) -> Option<Duration> {
        Some(self.inner.shared.pace.average())
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let query = Query::Account(address);
        self.inner.timed(query)?.into_account(query)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let query = Query::Slot(address, slot);
        self.inner.timed(query)?.into_slot(query)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        let query = Query::HasStorage(address);
        self.inner.timed(query)?.into_has_storage(query)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        let query = Query::BlockHash(number);
        self.inner.timed(query)?.into_block_hash(query)
    }
}

/// How long reads took lately: an average in which each counts for an eighth.
#[derive(Debug)]
pub(super) struct Pace(AtomicU64);

impl Default for Pace {
    /// What a read takes of which no page is at hand, on a fast disk, ten times less than a page's
    /// way from it: most of the pages above it are.
    fn default() -> Self {
        Self(AtomicU64::new(10_000))
    }
}

impl Pace {
    fn note(&self, took: Duration) {
        // Relaxed, and not one step: a sample that is lost now and then does not matter, and the
        // number is a hint.
        let average = self.0.load(Ordering::Relaxed);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / 8;
        self.0.store((average - average / 8).saturating_add(took), Ordering::Relaxed);
    }

    fn average(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
