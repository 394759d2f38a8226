//! Databases of revm, and where they are asked.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread::ThreadId,
    time::Duration,
};

use alloy_primitives::{Address, B256, U256};
use chorus::store::{
    Answer, DatabaseStore, IoPool, MemoryStore, Query, Read, StateStore, StoreError,
};
use revm::{
    DatabaseRef, bytecode::Bytecode, database_interface::DBErrorMarker, state::AccountInfo,
};

use crate::world::{address, assert_like_world, fetched, mailed, queries, world};

/// The world as a database that keeps its codes apart, and notes who asks.
#[derive(Clone)]
struct Blocking(Arc<Inner>);

struct Inner {
    world: Arc<MemoryStore>,
    askers: Mutex<HashSet<ThreadId>>,
    running: AtomicUsize,
    most: AtomicUsize,
    takes: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("no block {0}")]
struct Missing(u64);

impl DBErrorMarker for Missing {}

impl Blocking {
    fn new(takes: Duration) -> Self {
        Self(Arc::new(Inner {
            world: world(),
            askers: Mutex::default(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            takes,
        }))
    }

    fn block(&self) {
        let running = self.0.running.fetch_add(1, Relaxed) + 1;
        self.0.most.fetch_max(running, Relaxed);
        self.0.askers.lock().unwrap().insert(std::thread::current().id());
        std::thread::sleep(self.0.takes);
        self.0.running.fetch_sub(1, Relaxed);
    }

    fn asked_on_this_thread(&self) -> bool {
        self.0.askers.lock().unwrap().contains(&std::thread::current().id())
    }
}

impl DatabaseRef for Blocking {
    type Error = Missing;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Missing> {
        self.block();
        if address == PANICS {
            std::panic::resume_unwind(Box::new("a bug"));
        }
        let account = self.0.world.account(address).unwrap();
        Ok(account.map(|account| AccountInfo { code: None, ..account }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Missing> {
        let mut accounts = self.0.world.accounts().map(|(_, account)| account.info());
        Ok(accounts.find(|info| info.code_hash == code_hash).unwrap().code.clone().unwrap())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Missing> {
        self.block();
        Ok(self.0.world.storage(address, slot).unwrap())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Missing> {
        self.block();
        self.0.world.block_hash(number).map_err(|_| Missing(number))
    }
}

/// Asking for this account is a bug of the database.
const PANICS: Address = Address::repeat_byte(0xbb);

fn probe(database: &Blocking, address: Address) -> Result<bool, Missing> {
    Ok(database.0.world.has_storage(address).unwrap())
}

/// What the database has: the error of a missing hash is its own.
fn known() -> Vec<Query> {
    let known = |query: &Query| !matches!(query, Query::BlockHash(number) if *number >= 20);
    queries().into_iter().filter(known).collect()
}

#[test]
fn a_database_on_a_pool_answers_like_the_state_it_holds() {
    let pool = IoPool::new(3).unwrap();
    let store = DatabaseStore::new(Blocking::new(Duration::ZERO), pool);
    assert_like_world(&store.with_storage_probe(probe), &world(), &known());
}

#[test]
fn a_database_at_hand_answers_like_the_state_it_holds() {
    let store = DatabaseStore::at_hand(Blocking::new(Duration::ZERO)).with_storage_probe(probe);
    assert!(known().into_iter().all(|query| store.try_get(query).is_some()));
    assert_eq!(store.latency(), None);
    assert_like_world(&store, &world(), &known());
}

#[test]
fn fetched_reads_run_on_the_pool_alone_and_no_more_than_it_has_threads() {
    let database = Blocking::new(Duration::from_millis(2));
    let store = DatabaseStore::new(database.clone(), IoPool::new(2).unwrap());
    let queries: Vec<_> = (0..10).map(|number| Query::Account(address(number))).collect();
    assert!(queries.iter().all(|query| store.try_get(*query).is_none()));
    fetched(&store, &queries);
    assert!(!database.asked_on_this_thread());
    assert!((1..=2).contains(&database.0.most.load(Relaxed)));
    assert_eq!(store.latency(), Some(Duration::from_micros(100)));
    assert_eq!(store.with_latency(Duration::MAX).latency(), Some(Duration::MAX));
}

#[test]
fn the_blocking_methods_ask_on_the_thread_that_calls() {
    let database = Blocking::new(Duration::ZERO);
    let store = DatabaseStore::new(database.clone(), IoPool::new(1).unwrap());
    store.account(address(1)).unwrap();
    assert!(database.asked_on_this_thread());
}

#[test]
fn an_error_names_what_was_read_and_what_the_database_said() {
    let store = DatabaseStore::new(Blocking::new(Duration::ZERO), IoPool::new(1).unwrap());
    let reason = "no block 33".to_owned();
    let expected = StoreError::BlockHashUnread { number: 33, reason };
    assert_eq!(fetched(&store, &[Query::BlockHash(33)]), [Err(expected)]);
}

#[test]
fn a_database_that_panics_fails_its_read_and_no_other() {
    let store = DatabaseStore::new(Blocking::new(Duration::ZERO), IoPool::new(1).unwrap());
    let answers = fetched(&store, &[Query::Account(PANICS), Query::Account(address(1))]);
    assert!(matches!(&answers[0], Err(StoreError::Account { address: PANICS, .. })));
    assert!(matches!(&answers[1], Ok(Answer::Account(Some(_)))));
}

#[test]
fn without_a_probe_no_account_has_storage() {
    let store = DatabaseStore::new(Blocking::new(Duration::ZERO), IoPool::new(1).unwrap());
    assert_eq!(store.try_has_storage(address(5)), Some(Ok(false)));
    assert_eq!(store.with_storage_probe(probe).has_storage(address(5)), Ok(true));
}

#[test]
fn a_dropped_pool_answers_its_reads() {
    let pool = IoPool::new(1).unwrap();
    let store = DatabaseStore::new(Blocking::new(Duration::from_millis(1)), pool.clone());
    let (sender, receiver) = mpsc::channel();
    let reads = (0..50).map(|number| mailed(Query::Account(address(number)), 0, &sender));
    store.fetch(reads.collect());
    drop(sender);
    pool.close();
    let dropped = |(_, result): &(_, _)| matches!(result, Err(StoreError::Dropped { .. }));
    let answers: Vec<_> = receiver.iter().collect();
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().any(dropped));
    // Whoever comes later is told as well.
    let (read, pending) = Read::pending(Query::BlockHash(1), 0);
    store.fetch(vec![read]);
    assert!(matches!(pending.wait(&store), Err(StoreError::Dropped { .. })));
}

#[cfg(feature = "tokio")]
mod on_a_runtime {
    use super::*;

    #[test]
    fn a_database_on_a_runtime_answers_like_the_state_it_holds() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let database = Blocking::new(Duration::ZERO);
        let store = DatabaseStore::on(database.clone(), runtime.handle().clone(), 3);
        let store = store.with_storage_probe(probe);
        fetched(&store, &known());
        assert!(!database.asked_on_this_thread());
        assert!((1..=3).contains(&database.0.most.load(Relaxed)));
        assert_like_world(&store, &world(), &known());
    }

    #[test]
    fn a_runtime_that_is_gone_answers_its_reads() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let database = Blocking::new(Duration::from_millis(1));
        let store = DatabaseStore::on(database, runtime.handle().clone(), 1);
        let (sender, receiver) = mpsc::channel();
        let reads = (0..20).map(|number| mailed(Query::Account(address(number)), 0, &sender));
        store.fetch(reads.collect());
        runtime.shutdown_background();
        store.fetch(vec![mailed(Query::BlockHash(1), 0, &sender)]);
        drop(sender);
        assert_eq!(receiver.iter().count(), 21);
    }
}
