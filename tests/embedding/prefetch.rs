//! Ethereum blocks in the queue: what they will read is known to the store before their turn, and
//! their state goes from one to the next.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Waker},
};

use alloy_primitives::{Address, B256, TxKind, U256, hex};
use chorus::{
    evm::{
        AccountInfo, Block, BlockEnv, BlockError, Engine, ExecuteOptions, InvalidPolicy, Path,
        Sequential, SpecId, StateStore, StoreError, TransactionOutcome, TxEnv,
    },
    store::{MemoryStore, Query},
};
use tokio::runtime::Builder;

use crate::{patience::in_time, world::block_on};

const COUNTER: Address = Address::repeat_byte(0xcc);

/// Notes what it is told to prefetch.
struct Told {
    memory: MemoryStore,
    queries: Mutex<Vec<Query>>,
}

impl StateStore for Told {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.memory.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.memory.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.memory.try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.memory.try_block_hash(number)
    }

    fn prefetch(&self, queries: &[Query]) {
        self.queries.lock().unwrap().extend(queries);
    }
}

fn sender(i: u64) -> Address {
    Address::left_padding_from(&(0xa0_0000 + i).to_be_bytes())
}

/// Each adds one to the counter's slot.
fn block(first: u64, code: &[u8]) -> (Arc<Block>, Arc<Told>) {
    let mut memory = MemoryStore::builder();
    memory.nonce(COUNTER, 1).code(COUNTER, code.to_vec().into());
    let transactions = (first..first + 10).map(|i| TxEnv {
        caller: sender(i),
        gas_limit: 1 << 60,
        kind: TxKind::Call(COUNTER),
        ..TxEnv::default()
    });
    let env = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    let block = Block::new(SpecId::PRAGUE, 1, env, transactions);
    (Arc::new(block), Arc::new(Told { memory: memory.build(), queries: Mutex::default() }))
}

const COUNTS: [u8; 7] = hex!("5f54 600101 5f55");
const LOOPS: [u8; 3] = hex!("5b 5f56");

#[test]
fn a_block_that_waits_tells_the_store_what_it_will_read_and_one_that_does_not_tells_nothing() {
    for path in [Path::Direct, Path::Parallel] {
        in_time(move || {
            let engine = Engine::builder().threads(2).path(path).build().unwrap();
            let (endless, first_store) = block(0, &LOOPS);
            let (counts, second_store) = block(5, &COUNTS);
            let store: Arc<dyn StateStore> = first_store.clone();
            let first = engine.submit(&endless, &store, ExecuteOptions::new());
            let store: Arc<dyn StateStore> = second_store.clone();
            let second = engine.submit(&counts, &store, ExecuteOptions::new());
            assert!(first_store.queries.lock().unwrap().is_empty());
            let told = second_store.queries.lock().unwrap().clone();
            for address in (5..15).map(sender).chain([COUNTER]) {
                let times = told.iter().filter(|query| **query == Query::Account(address)).count();
                assert_eq!(times, 1, "{address}");
            }
            first.cancel();
            assert_eq!(first.wait().unwrap_err(), BlockError::Cancelled { committed: None });
            let outcome = second.wait().unwrap();
            let memory = &second_store.memory;
            let expected = Sequential::new().execute(&counts, memory, InvalidPolicy::Fail).unwrap();
            assert_eq!(outcome.transactions, expected.transactions);
            assert_eq!(outcome.diff, expected.diff);
        });
    }
}

#[test]
fn a_dropped_ethereum_block_lets_the_next_one_run_on_every_flavour() {
    for path in [Path::Direct, Path::Parallel] {
        in_time(move || {
            let engine = Engine::builder().threads(2).path(path).build().unwrap();
            let runtimes = [
                Builder::new_current_thread().build().unwrap(),
                Builder::new_multi_thread().worker_threads(1).build().unwrap(),
            ];
            for runtime in runtimes {
                let (endless, store) = block(0, &LOOPS);
                let store: Arc<dyn StateStore> = store;
                let mut stuck = engine.submit(&endless, &store, ExecuteOptions::new());
                let mut context = Context::from_waker(Waker::noop());
                assert!(std::pin::Pin::new(&mut stuck).poll(&mut context).is_pending());
                drop(stuck);
                let (counts, store) = block(0, &COUNTS);
                let store: Arc<dyn StateStore> = store;
                let next = engine.submit(&counts, &store, ExecuteOptions::new());
                assert_eq!(runtime.block_on(next).unwrap().transactions.len(), 10);
            }
        });
    }
}

#[test]
fn ethereum_outcomes_are_streamed_as_they_commit() {
    for path in [Path::Direct, Path::Parallel] {
        in_time(move || {
            let engine = Engine::builder().threads(2).path(path).build().unwrap();
            let (counts, store) = block(0, &COUNTS);
            let store: Arc<dyn StateStore> = store;
            let options = ExecuteOptions::new().stream(2);
            let mut execution = engine.submit(&counts, &store, options);
            let streamed: Vec<TransactionOutcome> =
                execution.outcomes().unwrap().blocking().collect();
            assert_eq!(block_on(execution).unwrap().transactions, streamed);
        });
    }
}
