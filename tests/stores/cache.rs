//! A read-through cache in bounded memory.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use alloy_primitives::U256;
use chorus::{
    evm::{AccountChange, StateDiff},
    store::{
        Answer, CachedStore, Fault, FaultyStore, Latency, LatencyStore, MemoryStore, Query, Read,
        StateStore, StoreError, Victims,
    },
};

use crate::world::{Gate, address, assert_like_world, changes, fetched, mailed, queries, world};

const MEBIBYTE: u64 = 1 << 20;

#[test]
fn what_was_read_is_at_hand() {
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), MEBIBYTE);
    // An account that does not exist and a slot that is zero are as good as any other answer.
    let queries = [
        Query::Account(address(1)),
        Query::Account(address(30)),
        Query::Slot(address(1), U256::ZERO),
        Query::Slot(address(30), U256::from(77)),
        Query::HasStorage(address(30)),
        Query::BlockHash(3),
    ];
    assert!(queries.iter().all(|query| store.try_get(*query).is_none()));
    let answers = fetched(&store, &queries);
    for (query, answer) in queries.iter().zip(answers) {
        assert_eq!(store.try_get(*query), Some(answer));
    }
    assert_eq!(gate.fetched(), 6);
    let stats = store.stats();
    assert_eq!((stats.misses, stats.hits, stats.joined, stats.entries), (6, 6, 0, 6));
    assert!(stats.bytes <= stats.capacity);
    store.clear();
    assert_eq!(store.try_get(queries[0]), None);
}

#[test]
fn concurrent_misses_of_one_location_are_one_read() {
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), MEBIBYTE);
    let (sender, receiver) = mpsc::channel();
    let query = Query::Account(address(1));
    for rank in 0..5 {
        store.fetch(vec![mailed(query, rank, &sender), mailed(query, rank, &sender)]);
    }
    store.prefetch(&[query]);
    assert_eq!(gate.fetched(), 1);
    assert!(receiver.try_recv().is_err());
    gate.open();
    assert_eq!(receiver.try_iter().count(), 10);
    assert_eq!((store.stats().misses, store.stats().joined), (1, 9));
}

#[test]
fn an_error_reaches_all_who_wait_and_is_not_kept() {
    let query = Query::Account(address(1));
    let faulty = FaultyStore::new(world()).with(Victims::Only(query), Fault::Error).passing();
    let store = CachedStore::new(Arc::new(faulty), MEBIBYTE);
    assert!(matches!(fetched(&store, &[query])[0], Err(StoreError::Account { .. })));
    assert_eq!(fetched(&store, &[query])[0], world().try_get(query).unwrap());
}

#[test]
fn a_dropped_read_is_told_to_all_who_wait() {
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), MEBIBYTE);
    let (sender, receiver) = mpsc::channel();
    let query = Query::BlockHash(1);
    store.fetch(vec![mailed(query, 0, &sender), mailed(query, 1, &sender)]);
    drop(gate.take());
    let answers: Vec<_> = receiver.try_iter().collect();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|(_, answer)| *answer == Err(StoreError::Dropped { query })));
    assert!(fetched(&store, &[query])[0].is_ok());
}

#[test]
fn an_answer_of_another_kind_is_not_kept() {
    let query = Query::Account(address(1));
    let faulty = FaultyStore::new(world()).with(Victims::Only(query), Fault::WrongKind).passing();
    let store = CachedStore::new(Arc::new(faulty), MEBIBYTE);
    assert!(store.account(address(1)).is_err());
    assert_eq!(store.account(address(1)), world().account(address(1)));
}

#[test]
fn an_announced_read_is_kept() {
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), MEBIBYTE);
    let query = Query::Account(address(1));
    store.prefetch(&[query, query, Query::BlockHash(2)]);
    let waiting = gate.take();
    assert_eq!(waiting.len(), 2);
    // Nobody waits, yet it is wanted.
    assert!(waiting.iter().all(|read| read.is_wanted() && read.rank() == Read::LAST));
    for read in waiting {
        let answer = world().try_get(read.query()).unwrap();
        read.answer(answer);
    }
    assert_eq!(store.try_get(query), world().try_get(query));
    store.prefetch(&[query]);
    assert_eq!(gate.fetched(), 2);
}

#[test]
fn memory_is_bounded_and_what_was_pushed_out_is_read_again() {
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), 64 * 1024);
    let slots: Vec<_> = (0..5_000).map(|slot| Query::Slot(address(3), U256::from(slot))).collect();
    for some in slots.chunks(100) {
        fetched(&store, some);
        assert!(store.stats().bytes <= store.stats().capacity);
    }
    let stats = store.stats();
    assert!(stats.capacity <= 66 * 1024 && stats.entries > 100);
    assert!(slots.iter().filter(|slot| store.try_get(**slot).is_some()).count() < 400);
    assert_like_world(&store, &world(), &queries());
}

#[test]
fn code_counts_for_memory() {
    let mut builder = MemoryStore::builder();
    for number in 0..40 {
        builder.code(address(number), vec![0x5b; 24 * 1024].into());
    }
    let inner =
        LatencyStore::new(Arc::new(builder.build()), Latency::Fixed(Duration::from_nanos(1)));
    let store = CachedStore::new(Arc::new(inner), 256 * 1024);
    for number in 0..40 {
        store.account(address(number)).unwrap();
    }
    assert!((2..11).contains(&store.stats().entries), "{:?}", store.stats());
}

#[test]
fn the_next_block_finds_what_the_last_one_left() {
    let (one, two) = (U256::from(1), U256::from(2));
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), MEBIBYTE);
    let (changed, destroyed, created) = (address(6), address(5), address(30));
    let known = [
        Query::Account(changed),
        Query::Slot(changed, one),
        Query::Account(destroyed),
        Query::Slot(destroyed, one),
        Query::HasStorage(destroyed),
        Query::Account(created),
    ];
    fetched(&store, &known);
    let diff = StateDiff {
        accounts: vec![
            (destroyed, AccountChange { deleted: true, wiped: true, ..Default::default() }),
            (
                changed,
                AccountChange {
                    balance: Some(two),
                    storage: vec![(one, two)],
                    ..Default::default()
                },
            ),
            (created, AccountChange { created: true, nonce: Some(1), ..Default::default() }),
        ],
    };
    gate.world.lock().unwrap().apply(&diff);
    store.apply(&diff);
    let reads = gate.fetched();
    let after = gate.world.lock().unwrap().clone();
    for query in known {
        if query != Query::Slot(destroyed, one) {
            assert_eq!(store.try_get(query), after.try_get(query), "{query}");
        }
    }
    assert_eq!(store.storage(destroyed, one), Ok(U256::ZERO));
    assert_eq!(gate.fetched(), reads + 1);
}

#[test]
fn an_answer_from_before_a_block_is_not_kept_after_it() {
    let gate = Gate::new();
    let store = CachedStore::new(gate.clone(), MEBIBYTE);
    let (account, one) = (address(1), U256::from(1));
    let query = Query::Account(account);
    store.prefetch(&[query]);
    let old: Vec<Read> = gate.take();
    let change = AccountChange { balance: Some(one), ..Default::default() };
    let diff = StateDiff { accounts: vec![(account, change)] };
    gate.world.lock().unwrap().apply(&diff);
    store.apply(&diff);
    // A new reader does not join the old read.
    let (sender, receiver) = mpsc::channel();
    store.fetch(vec![mailed(query, 0, &sender)]);
    for read in old {
        read.answer(world().try_get(query).unwrap());
    }
    assert!(receiver.try_recv().is_err());
    assert_eq!(store.try_get(query), None);
    gate.open();
    let Ok((_, Ok(Answer::Account(Some(info))))) = receiver.try_recv() else { panic!() };
    assert_eq!(info.balance, one);
    assert_eq!(store.account(account).unwrap().unwrap().balance, one);
}

#[test]
fn block_after_block_the_cache_is_like_the_state() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let gate = Gate::new();
        let store = CachedStore::new(gate.clone(), if seed % 2 == 0 { MEBIBYTE } else { 40_000 });
        for _ in 0..8 {
            let some: Vec<_> = queries().into_iter().filter(|_| random.bool()).collect();
            let state = gate.world.lock().unwrap().clone();
            assert_like_world(&store, &state, &some);
            let diff = changes(&state, &mut random);
            // Announced before the block ended, answered at any time.
            let announced: Vec<_> = queries().into_iter().filter(|_| random.u8(..9) == 0).collect();
            store.prefetch(&announced);
            if random.bool() {
                gate.open();
            }
            gate.world.lock().unwrap().apply(&diff);
            store.apply(&diff);
        }
    }
}

#[test]
fn many_threads_read_each_location_once() {
    let slow = LatencyStore::new(world(), Latency::Fixed(Duration::from_micros(200)));
    let slow = Arc::new(slow);
    let store = CachedStore::new(slow.clone(), MEBIBYTE);
    let locations: Vec<_> =
        queries().into_iter().filter(|query| !matches!(query, Query::BlockHash(_))).collect();
    let answers: Vec<Vec<_>> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(|| fetched(&store, &locations))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    let expected: Vec<_> = locations.iter().map(|query| world().try_get(*query).unwrap()).collect();
    assert!(answers.iter().all(|answers| *answers == expected));
    let stats = store.stats();
    assert_eq!(stats.misses, locations.len() as u64);
    assert_eq!(stats.hits + stats.joined, 3 * stats.misses);
}
