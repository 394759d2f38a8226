//! States read by `async` functions.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use alloy_primitives::{Address, B256, U256};
use chorus::store::{
    AsyncState, AsyncStore, MemoryStore, Query, ReadResult, StateStore, StoreError,
};
use revm::state::AccountInfo;
use tokio::runtime::{Builder, Runtime};

use crate::world::{address, assert_like_world, fetched, mailed, queries, world};

/// The world behind a network, which says how many it served at once and in which order.
struct Remote {
    world: Arc<MemoryStore>,
    takes: Duration,
    batch: usize,
    running: AtomicUsize,
    most: AtomicUsize,
    batches: Mutex<Vec<Vec<Query>>>,
    /// A batch without its last answer.
    forgetful: bool,
}

impl Remote {
    fn new(takes: Duration) -> Self {
        Self {
            world: world(),
            takes,
            batch: 1,
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            batches: Mutex::default(),
            forgetful: false,
        }
    }

    async fn wait(&self) {
        let running = self.running.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(running, Relaxed);
        tokio::time::sleep(self.takes).await;
        self.running.fetch_sub(1, Relaxed);
    }
}

impl AsyncState for Remote {
    async fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.wait().await;
        if address == Address::repeat_byte(0xbb) {
            std::panic::resume_unwind(Box::new("a bug"));
        }
        self.world.account(address)
    }

    async fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        self.wait().await;
        self.world.storage(address, slot)
    }

    async fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        self.wait().await;
        self.world.has_storage(address)
    }

    async fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        self.wait().await;
        self.world.block_hash(number)
    }

    fn max_batch(&self) -> usize {
        self.batch
    }

    async fn read_batch(&self, queries: &[Query]) -> Vec<ReadResult> {
        self.wait().await;
        self.batches.lock().unwrap().push(queries.to_vec());
        if self.batch == 1 && matches!(queries[0], Query::Account(address) if address.0[0] == 0xbb)
        {
            std::panic::resume_unwind(Box::new("a bug"));
        }
        let mut answers: Vec<_> =
            queries.iter().map(|query| self.world.try_get(*query).unwrap()).collect();
        if self.forgetful {
            answers.pop();
        }
        answers
    }
}

/// Only what must be there: each read by its own function.
struct Plain(Remote);

impl AsyncState for Plain {
    async fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.0.account(address).await
    }

    async fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        self.0.storage(address, slot).await
    }

    async fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        self.0.has_storage(address).await
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
}

fn accounts(count: u64) -> Vec<Query> {
    (0..count).map(|number| Query::Account(address(number))).collect()
}

#[test]
fn an_async_state_answers_like_a_state_in_memory() {
    let runtime = runtime();
    let store = AsyncStore::new(Remote::new(Duration::ZERO), runtime.handle().clone(), 64);
    assert_like_world(&store, &world(), &queries());
    assert_eq!(store.with_latency(Duration::MAX).latency(), Some(Duration::MAX));

    let mut many = Remote::new(Duration::ZERO);
    many.batch = 16;
    let store = AsyncStore::new(many, runtime.handle().clone(), 2);
    assert_like_world(&store, &world(), &queries());
    let batches = store.state().batches.lock().unwrap();
    assert!(batches.iter().any(|batch| batch.len() == 16));
    assert!(batches.iter().all(|batch| batch.len() <= 16));
}

#[test]
fn an_async_state_needs_three_functions() {
    let runtime = runtime();
    let plain = Plain(Remote::new(Duration::ZERO));
    let store = AsyncStore::new(plain, runtime.handle().clone(), 8);
    let known = |query: &Query| !matches!(query, Query::BlockHash(_));
    let known: Vec<_> = queries().into_iter().filter(known).collect();
    assert_like_world(&store, &world(), &known);
    assert_eq!(store.block_hash(1), Err(StoreError::BlockHash { number: 1 }));
}

#[test]
fn reads_overlap_up_to_the_bound() {
    let runtime = runtime();
    let remote = Remote::new(Duration::from_millis(20));
    let store = AsyncStore::new(remote, runtime.handle().clone(), 5);
    fetched(&store, &accounts(20));
    assert_eq!(store.state().most.load(Relaxed), 5);
}

#[test]
fn the_most_urgent_read_goes_first() {
    let runtime = runtime();
    let remote = Remote::new(Duration::from_millis(1));
    let store = AsyncStore::new(remote, runtime.handle().clone(), 1);
    let (sender, receiver) = mpsc::channel();
    let ranks = [9, 3, u32::MAX, 0, 3];
    let reads = ranks.iter().zip(accounts(5)).map(|(rank, query)| mailed(query, *rank, &sender));
    store.fetch(reads.collect());
    drop(sender);
    let order: Vec<_> = receiver.iter().map(|(query, _)| query).collect();
    let expected = [3, 1, 4, 0, 2].map(|number| Query::Account(address(number)));
    assert_eq!(order, expected);
}

#[test]
fn a_state_that_panics_or_forgets_fails_its_reads_and_no_others() {
    let runtime = runtime();
    let store = AsyncStore::new(Remote::new(Duration::ZERO), runtime.handle().clone(), 1);
    let bad = Query::Account(Address::repeat_byte(0xbb));
    let answers = fetched(&store, &[bad, Query::Account(address(1))]);
    assert!(matches!(&answers[0], Err(StoreError::Account { .. })));
    assert!(answers[1].is_ok());

    let forgetful = Remote { forgetful: true, batch: 3, ..Remote::new(Duration::ZERO) };
    let store = AsyncStore::new(forgetful, runtime.handle().clone(), 1);
    let answers = fetched(&store, &accounts(3));
    assert!(answers[0].is_ok() && answers[1].is_ok());
    assert!(matches!(&answers[2], Err(StoreError::Account { .. })));
}

#[test]
fn a_runtime_that_is_gone_answers_its_reads() {
    let runtime = runtime();
    let remote = Remote::new(Duration::from_secs(3600));
    let store = AsyncStore::new(remote, runtime.handle().clone(), 2);
    let (sender, receiver) = mpsc::channel();
    store.fetch(accounts(20).into_iter().map(|query| mailed(query, 0, &sender)).collect());
    runtime.shutdown_timeout(Duration::from_secs(10));
    store.fetch(vec![mailed(Query::BlockHash(1), 0, &sender)]);
    drop(sender);
    let answers: Vec<_> = receiver.iter().collect();
    assert_eq!(answers.len(), 21);
    assert!(answers.iter().all(|(_, answer)| matches!(answer, Err(StoreError::Dropped { .. }))));
}

#[tokio::test(flavor = "current_thread")]
async fn a_read_is_a_future_of_the_runtime_that_answers_it() {
    let remote = Remote::new(Duration::from_millis(1));
    let store = AsyncStore::new(remote, tokio::runtime::Handle::current(), 2);
    let query = Query::Slot(address(5), U256::from(1));
    assert_eq!(store.read(query).await, world().try_get(query).unwrap());
}
