//! A store that notes what was read, and what came of it.
//!
//! What a block reads of a state is all that it needs of it: from the records of one execution comes a
//! small state that the block can be executed on again.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{Answer, MemoryStore, Query, Read, ReadResult, Reply, StateStore, StoreError};
use crate::sync::{Arc, Mutex, time::Duration};

/// Notes every query with its last answer.
pub struct RecordingStore {
    inner: Arc<dyn StateStore>,
    records: Arc<Records>,
}

#[derive(Default)]
struct Records {
    by_query: Mutex<BTreeMap<Query, ReadResult>>,
}

impl Records {
    fn note(&self, query: Query, result: &ReadResult) {
        self.by_query.lock().insert(query, result.clone());
    }
}

impl std::fmt::Debug for RecordingStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingStore").field("records", &self.len()).finish_non_exhaustive()
    }
}

impl RecordingStore {
    /// Notes what is read of `inner`.
    pub fn new(inner: Arc<dyn StateStore>) -> Self {
        Self { inner, records: Arc::default() }
    }

    /// What was read and is answered, in the order of queries. Errors are among it.
    pub fn records(&self) -> Vec<(Query, ReadResult)> {
        let records = self.records.by_query.lock();
        records.iter().map(|(query, result)| (*query, result.clone())).collect()
    }

    /// How many different things were read.
    pub fn len(&self) -> usize {
        self.records.by_query.lock().len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what was read.
    pub fn clear(&self) {
        self.records.by_query.lock().clear();
    }

    /// A state in memory that answers what was read as it was answered here, and whatever else as if it
    /// were not there. Errors are left out. That an account has storage is known by its slots
    /// alone: if none of those that are not zero was read, it has none here.
    pub fn to_memory(&self) -> MemoryStore {
        let mut builder = MemoryStore::builder();
        for (query, result) in self.records() {
            match (query, result) {
                (Query::Account(address), Ok(Answer::Account(Some(account)))) => {
                    builder.balance(address, account.balance).nonce(address, account.nonce);
                    if let Some(code) = account.code.filter(|code| !code.is_empty()) {
                        builder.bytecode(address, code);
                    }
                }
                // Zero is what a slot is that was never set, and setting it would make the account exist.
                (Query::Slot(address, slot), Ok(Answer::Slot(value))) if !value.is_zero() => {
                    builder.slot(address, slot, value);
                }
                (Query::BlockHash(number), Ok(Answer::BlockHash(hash))) => {
                    builder.block_hash(number, hash);
                }
                _ => {}
            }
        }
        builder.build()
    }

    /// Notes what is at hand.
    fn noted<T: Clone>(
        &self,
        query: Query,
        result: Option<Result<T, StoreError>>,
        answer: fn(T) -> Answer,
    ) -> Option<Result<T, StoreError>> {
        if let Some(result) = &result {
            self.records.note(query, &result.clone().map(answer));
        }
        result
    }
}

/// Notes an answer and passes it on.
struct Noting {
    records: Arc<Records>,
    read: Read,
}

impl Reply for Noting {
    fn answer(self: Box<Self>, query: Query, result: ReadResult) {
        self.records.note(query, &result);
        self.read.answer(result);
    }

    fn is_wanted(&self) -> bool {
        self.read.is_wanted()
    }
}

impl StateStore for RecordingStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        let result = self.inner.try_account(address);
        self.noted(Query::Account(address), result, Answer::Account)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        let result = self.inner.try_storage(address, slot);
        self.noted(Query::Slot(address, slot), result, Answer::Slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        let result = self.inner.try_has_storage(address);
        self.noted(Query::HasStorage(address), result, Answer::HasStorage)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        let result = self.inner.try_block_hash(number);
        self.noted(Query::BlockHash(number), result, Answer::BlockHash)
    }

    fn fetch(&self, reads: Vec<Read>) {
        let noting = reads.into_iter().map(|read| {
            let (query, rank) = (read.query(), read.rank());
            Read::new(query, rank, Box::new(Noting { records: self.records.clone(), read }))
        });
        self.inner.fetch(noting.collect());
    }

    fn latency(&self) -> Option<Duration> {
        self.inner.latency()
    }

    fn drive(&self) -> bool {
        self.inner.drive()
    }

    /// Passed on. What was merely announced is not read.
    fn prefetch(&self, queries: &[Query]) {
        self.inner.prefetch(queries);
    }
}
