//! Any state that is read by `async` functions as a store, on the embedder's tokio runtime.
//!
//! The engine does not poll anybody's futures: what a network client needs, its reactor and its timers,
//! belongs to a runtime, and workers are not one. Reads wait in a [`Backlog`], most urgent first;
//! tasks on the runtime, no more than the embedder allows, take them from there. No runtime is
//! started here.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{Answer, Backlog, Query, Read, ReadResult, Server, StateStore, StoreError};
use crate::sync::{Arc, time::Duration};

/// What a read over a network takes, unless the embedder knows better.
const NETWORK: Duration = Duration::from_millis(5);

/// The state before a block, read by `async` functions.
///
/// Answers are those of [`StateStore`]. Errors are made by [`StoreError::failed`], with what the back end
/// says.
pub trait AsyncState: Send + Sync + 'static {
    /// The account with its code filled in, or `None` if it does not exist.
    fn account(
        &self,
        address: Address,
    ) -> impl Future<Output = Result<Option<AccountInfo>, StoreError>> + Send;

    /// The value of a storage slot; zero if it was never written.
    fn storage(
        &self,
        address: Address,
        slot: U256,
    ) -> impl Future<Output = Result<U256, StoreError>> + Send;

    /// Whether any slot of the account is non-zero (EIP-7610).
    fn has_storage(
        &self,
        address: Address,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The hash of an earlier block. Asked only for numbers that the block's own input does not hold,
    /// so that the default, which knows none, does for most.
    fn block_hash(&self, number: u64) -> impl Future<Output = Result<B256, StoreError>> + Send {
        async move { Err(StoreError::BlockHash { number }) }
    }

    /// How many reads [`read_batch`](Self::read_batch) takes at a time.
    fn max_batch(&self) -> usize {
        1
    }

    /// Reads several things in one go, for a back end that is quicker so. The answers are in the order of
    /// the queries; one that is missing fails its read. The default reads one after another.
    fn read_batch(&self, queries: &[Query]) -> impl Future<Output = Vec<ReadResult>> + Send {
        async move {
            let mut answers = Vec::with_capacity(queries.len());
            for query in queries {
                answers.push(match *query {
                    Query::Account(address) => self.account(address).await.map(Answer::Account),
                    Query::Slot(address, slot) => {
                        self.storage(address, slot).await.map(Answer::Slot)
                    }
                    Query::HasStorage(address) => {
                        self.has_storage(address).await.map(Answer::HasStorage)
                    }
                    Query::BlockHash(number) => {
                        self.block_hash(number).await.map(Answer::BlockHash)
                    }
                });
            }
            answers
        }
    }
}

/// An [`AsyncState`] behind the trait of stores.
///
/// Nothing is at hand: put a [`CachedStore`](super::CachedStore) around it to keep what was read. The
/// blocking methods block their thread until a task of the runtime has answered, so they must not be
/// called on a thread that the runtime needs for that.
#[derive(Debug)]
pub struct AsyncStore<S> {
    state: Arc<S>,
    runtime: tokio::runtime::Handle,
    backlog: Arc<Backlog<Read>>,
    latency: Duration,
}

impl<S: AsyncState> AsyncStore<S> {
    /// Reads `state` in tasks on `runtime`, at most `max_tasks` at a time, each with one batch.
    pub fn new(state: S, runtime: tokio::runtime::Handle, max_tasks: usize) -> Self {
        let (state, backlog) = (Arc::new(state), Backlog::new(max_tasks));
        Self { state, runtime, backlog, latency: NETWORK }
    }

    /// Says about how long a read takes, by which the engine decides how far to read ahead. 5 ms unless
    /// said otherwise.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The state.
    pub fn state(&self) -> &S {
        &self.state
    }
}

/// Reads batches until there are no more.
async fn serve<S: AsyncState>(state: Arc<S>, mut server: Server<Read>) {
    loop {
        let mut reads = server.take(state.max_batch());
        if reads.is_empty() {
            return;
        }
        reads.retain(Read::is_wanted);
        if reads.is_empty() {
            continue;
        }
        let queries: Vec<_> = reads.iter().map(Read::query).collect();
        let answers = caught(state.read_batch(&queries)).await;
        // A batch that panicked has no answers.
        let reason =
            if answers.is_some() { "its batch has no answer" } else { "the state panicked" };
        let mut answers = answers.unwrap_or_default().into_iter();
        for read in reads {
            let query = read.query();
            let missing = || Err(StoreError::failed(query, reason));
            read.answer(answers.next().unwrap_or_else(missing));
        }
    }
}

/// The future's output, or `None` if it panics: the task goes on with other reads.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(panic) => {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
            Poll::Ready(None)
        }
    })
    .await
}

impl<S: AsyncState> StateStore for AsyncStore<S> {
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

    fn fetch(&self, reads: Vec<Read>) {
        for server in self.backlog.push(reads.into_iter().map(|read| (read.rank(), read))) {
            // A runtime that is shut down drops the server, which answers for it.
            self.runtime.spawn(serve(self.state.clone(), server));
        }
    }

    fn latency(&self) -> Option<Duration> {
        Some(self.latency)
    }
}
