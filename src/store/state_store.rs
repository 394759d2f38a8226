//! The state a block starts from, as the engine asks for it.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{Answer, Pending, Query, Read, ReadResult, StoreError};
use crate::sync::time::Duration;

/// The state before the block. Answers must not change while a block runs.
///
/// A store says at once what it has at hand (`try_…`), and fetches the rest ([`fetch`](Self::fetch)):
/// reads are handed to it with the right to answer, and it answers from whatever thread it likes
/// whenever it can. Workers never wait in a store and never poll one's futures, so a slow store
/// holds no thread, and a read outlives the transaction that asked.
///
/// A store that has everything at hand implements the `try_…` methods and nothing else. One that
/// reads by blocking, or through `async` functions, is wrapped by
/// [`DatabaseStore`](crate::store::DatabaseStore) or [`AsyncStore`](crate::store::AsyncStore).
pub trait StateStore: Send + Sync {
    /// The account with its code filled in (`AccountInfo::code` is `Some`), or `None` if it does
    /// not exist. An account that exists but is empty (possible before EIP-161) is `Some`. The outer
    /// `None`: not at hand.
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>>;

    /// The value of a storage slot; zero if it was never written. `None`: not at hand.
    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>>;

    /// Whether any slot of the account is non-zero (EIP-7610). `None`: not at hand.
    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>>;

    /// The hash of an earlier block, if the store knows it. Asked only for numbers that the
    /// block's own input does not hold. `None`: not at hand.
    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        Some(Err(StoreError::BlockHash { number }))
    }

    /// Starts reads and returns without waiting for any. Each is answered once, in any order, from
    /// any thread, this call included; what is dropped counts as failed. Some may be at hand: who reads
    /// ahead of a transaction does not always look. The default answers what is at hand and fails the rest.
    fn fetch(&self, reads: Vec<Read>) {
        for read in reads {
            let query = read.query();
            let result = self.try_get(query);
            read.answer(result.unwrap_or_else(|| {
                Err(StoreError::failed(query, "not at hand, and the store fetches nothing"))
            }));
        }
    }

    /// About how long a fetched read takes where it is read, without what it costs to hand it over;
    /// `None` if everything is at hand, so that nothing is ever fetched. The engine decides by it
    /// whether to prefetch, to scout, or to read one by one, because handing over costs more. A store that says `None`
    /// and lacks something all the same has it fetched when a transaction needs it, and nothing sooner; it is not
    /// [driven](Self::drive) for that.
    fn latency(&self) -> Option<Duration> {
        None
    }

    /// Lets a store without threads answer what is due. Engine threads call it between transactions
    /// while reads are in flight. `true`: more is to come that hangs on the next call, or may come to:
    /// an answer that another thread gives may start reads that nobody else would drive.
    fn drive(&self) -> bool {
        false
    }

    /// Reads that will probably come, of a block that is not executed yet. A store with a cache may
    /// fill it; the answers go nowhere else.
    fn prefetch(&self, queries: &[Query]) {
        let _ = queries;
    }

    /// What is at hand, whatever its kind.
    fn try_get(&self, query: Query) -> Option<ReadResult> {
        Some(match query {
            Query::Account(address) => self.try_account(address)?.map(Answer::Account),
            Query::Slot(address, slot) => self.try_storage(address, slot)?.map(Answer::Slot),
            Query::HasStorage(address) => self.try_has_storage(address)?.map(Answer::HasStorage),
            Query::BlockHash(number) => self.try_block_hash(number)?.map(Answer::BlockHash),
        })
    }

    /// What is at hand of several, one answer for each, in their order: [`try_get`](Self::try_get), at the price of less
    /// where a store can look them up together.
    fn try_get_several(&self, queries: &[Query]) -> Vec<Option<ReadResult>> {
        queries.iter().map(|query| self.try_get(*query)).collect()
    }

    /// Reads one thing, as a future that needs no particular runtime.
    fn read(&self, query: Query) -> Pending {
        match self.try_get(query) {
            Some(result) => Pending::ready(result),
            None => {
                let (read, pending) = Read::pending(query, 0);
                self.fetch(vec![read]);
                pending
            }
        }
    }

    /// Reads many things as one batch; the answers are in the order of the queries.
    fn read_many(&self, queries: &[Query]) -> Vec<Pending> {
        let mut reads = Vec::new();
        let pending = queries.iter().map(|query| match self.try_get(*query) {
            Some(result) => Pending::ready(result),
            None => {
                let (read, pending) = Read::pending(*query, 0);
                reads.push(read);
                pending
            }
        });
        let pending = pending.collect();
        if !reads.is_empty() {
            self.fetch(reads);
        }
        pending
    }

    /// [`try_account`](Self::try_account), blocking the calling thread if need be.
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let query = Query::Account(address);
        match self.try_account(address) {
            Some(result) => result,
            None => self.read(query).wait(self)?.into_account(query),
        }
    }

    /// [`try_storage`](Self::try_storage), blocking the calling thread if need be.
    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let query = Query::Slot(address, slot);
        match self.try_storage(address, slot) {
            Some(result) => result,
            None => self.read(query).wait(self)?.into_slot(query),
        }
    }

    /// [`try_has_storage`](Self::try_has_storage), blocking the calling thread if need be.
    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        let query = Query::HasStorage(address);
        match self.try_has_storage(address) {
            Some(result) => result,
            None => self.read(query).wait(self)?.into_has_storage(query),
        }
    }

    /// [`try_block_hash`](Self::try_block_hash), blocking the calling thread if need be.
    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        let query = Query::BlockHash(number);
        match self.try_block_hash(number) {
            Some(result) => result,
            None => self.read(query).wait(self)?.into_block_hash(query),
        }
    }
}
