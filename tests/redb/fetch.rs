//! Reading through the store's trait: on the pool's threads, in batches.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use alloy_primitives::{Address, U256};
use chorus::{
    evm::StateStore,
    store::{
        IoPool, MemoryStore, Query, Read, ReadResult, Reply, StoreError, redb::RedbOptions,
        redb::RedbStore,
    },
};

use crate::{
    desk::{Desk, options, options_on},
    story::{Story, address},
};

/// Everything there is to ask, and something there is not.
fn queries(state: &MemoryStore) -> Vec<Query> {
    let mut queries = vec![Query::BlockHash(7), Query::BlockHash(8)];
    let absent = address(u64::MAX);
    for (address, account) in state.accounts() {
        queries.extend([Query::Account(*address), Query::HasStorage(*address)]);
        queries.extend(account.slots().map(|(slot, _)| Query::Slot(*address, slot)));
        queries.push(Query::Slot(*address, U256::from(1) << 200));
    }
    queries.extend([
        Query::Account(absent),
        Query::HasStorage(absent),
        Query::Slot(absent, U256::ZERO),
    ]);
    queries
}

#[test]
fn answers_are_those_of_memory_one_by_one_and_in_batches() {
    let state = Story { seed: 1 }.genesis(300);
    let desk = Desk::new();
    let view = desk.with(&state).view().unwrap();
    let queries = queries(&state);
    let expected: Vec<ReadResult> =
        queries.iter().map(|query| state.try_get(*query).unwrap()).collect();
    for (query, expected) in queries.iter().zip(&expected) {
        assert_eq!(&view.read(*query).wait(&view), expected, "{query}");
        assert_eq!(view.try_get(*query), None);
    }
    let pending = view.read_many(&queries);
    for ((query, expected), pending) in queries.iter().zip(&expected).zip(pending) {
        assert_eq!(&pending.wait(&view), expected, "{query}");
    }
}

#[test]
fn a_blocking_read_answers_like_a_fetched_one() {
    let state = Story { seed: 2 }.genesis(50);
    let desk = Desk::new();
    let view = desk.with(&state).view().unwrap();
    for query in queries(&state) {
        match query {
            Query::Account(a) => assert_eq!(view.account(a), state.account(a)),
            Query::Slot(a, s) => assert_eq!(view.storage(a, s), state.storage(a, s)),
            Query::HasStorage(a) => assert_eq!(view.has_storage(a), state.has_storage(a)),
            Query::BlockHash(n) => assert_eq!(view.block_hash(n), state.block_hash(n)),
        }
    }
}

#[test]
fn reads_run_on_the_pools_threads_and_the_caller_goes_on() {
    struct Who(mpsc::Sender<String>);
    impl Reply for Who {
        fn answer(self: Box<Self>, _: Query, result: ReadResult) {
            result.unwrap();
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            self.0.send(name).unwrap();
        }
    }
    let desk = Desk::new();
    desk.with(&Story { seed: 3 }.genesis(10));
    let io = IoPool::new(2).unwrap();
    let view = RedbStore::open(desk.path(), RedbOptions::new(io.clone())).unwrap().view().unwrap();
    // Both threads are held, so nothing is answered before `fetch` returns.
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    for _ in 0..2 {
        let held = held.clone();
        io.submit(0, move || _ = held.lock().unwrap().recv());
    }
    let (sender, names) = mpsc::channel();
    let read =
        |account| Read::new(Query::Account(address(account)), 1, Box::new(Who(sender.clone())));
    view.fetch((0..100).map(read).collect());
    assert!(names.try_recv().is_err());
    drop(release);
    for _ in 0..100 {
        let name = names.recv().unwrap();
        assert!(name.starts_with("chorus-io"), "{name}");
    }
}

#[test]
fn what_nobody_wants_is_not_read() {
    struct Unwanted(Arc<AtomicUsize>);
    impl Reply for Unwanted {
        fn answer(self: Box<Self>, query: Query, result: ReadResult) {
            assert_eq!(result, Err(StoreError::Dropped { query }));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        fn is_wanted(&self) -> bool {
            false
        }
    }
    let desk = Desk::new();
    let store = desk.with(&Story { seed: 3 }.genesis(10));
    let view = store.view().unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let read = |account| {
        Read::new(Query::Account(address(account)), 0, Box::new(Unwanted(dropped.clone())))
    };
    view.fetch((0..50).map(read).collect());
    // The pool ends with its last user, after its jobs; one read behind them is enough to see.
    view.read_many(&[Query::Account(address(1)); 200]).into_iter().for_each(|pending| {
        pending.wait(&view).unwrap();
    });
    drop((view, store));
    while dropped.load(Ordering::SeqCst) < 50 {
        std::thread::yield_now();
    }
}

#[test]
fn the_most_urgent_reads_come_first() {
    struct Note(u32, Arc<Mutex<Vec<u32>>>, mpsc::Sender<()>);
    impl Reply for Note {
        fn answer(self: Box<Self>, _: Query, result: ReadResult) {
            result.unwrap();
            self.1.lock().unwrap().push(self.0);
            self.2.send(()).unwrap();
        }
    }
    let desk = Desk::new();
    desk.with(&Story { seed: 4 }.genesis(10));
    let store = RedbStore::open(desk.path(), options_on(1)).unwrap();
    let view = store.view().unwrap();
    let (order, (sender, answered)) = (Arc::new(Mutex::new(Vec::new())), mpsc::channel());
    let read = |rank| {
        let note = Note(rank, order.clone(), sender.clone());
        Read::new(Query::Account(address(1)), rank, Box::new(note))
    };
    view.fetch((0..10).rev().map(read).collect());
    (0..10).for_each(|_| answered.recv().unwrap());
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_view_outlives_its_store_and_many_threads_share_it() {
    let state = Arc::new(Story { seed: 5 }.genesis(100));
    let desk = Desk::new();
    let view = desk.with(&state).view().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (view, state) = (view.clone(), state.clone());
            std::thread::spawn(move || {
                let mut addresses: Vec<Address> = state.accounts().map(|(a, _)| *a).collect();
                addresses.sort_unstable();
                addresses.rotate_left(thread * 20);
                for address in addresses {
                    assert_eq!(view.account(address), state.account(address));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn the_latency_is_that_of_a_fast_disk() {
    let desk = Desk::new();
    let store = RedbStore::create(desk.path(), options()).unwrap();
    let latency = store.view().unwrap().latency().unwrap();
    assert!((1..1000).contains(&latency.as_micros()), "{latency:?}");
}
