//! What the engine leaves to itself: paths, workers, speculation. Whatever it chooses, the result is that
//! of one transaction after another.
#![cfg(feature = "evm")]
// A test may use std, and start threads of its own.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use alloy_primitives::{Address, U256};

use chorus::evm::{
    AccountInfo, BlockError, BlockOutcome, CancelToken, Engine, EngineBuilder, ExecuteOptions,
    Path, Sequential, StateStore, Statistics, StoreError,
    workload::{Scenario, scenario::Contention},
};
use chorus::store::{Fault, FaultyStore, Query, Victims};

fn work(name: &str, size: usize) -> Contention {
    let scenario = Scenario::by_name(name).unwrap();
    scenario.build(size, 1, &scenario.settings([]).unwrap())
}

/// A block that is built to waste speculation, of which a tenth does not look like it.
fn wasteful(size: usize) -> Contention {
    let scenario = Scenario::by_name("wasteful").unwrap();
    scenario.build(size, 1, &scenario.settings([("quiet", "10")]).unwrap())
}

fn sequential(work: &Contention) -> BlockOutcome {
    let mut machine = Sequential::with_shared_memory(work.memory.clone());
    machine.execute(&work.block, &*work.store, work.policy).unwrap()
}

fn engine(work: &Contention, threads: usize) -> EngineBuilder {
    Engine::builder().threads(threads).policy(work.policy).shared_memory(work.memory.clone())
}

fn execute(work: &Contention, engine: &Engine) -> BlockOutcome {
    let store: Arc<dyn StateStore> = work.store.clone();
    engine.execute(&work.block, &store).unwrap()
}

#[track_caller]
fn assert_same(outcome: &BlockOutcome, expected: &BlockOutcome, name: &str) {
    assert_eq!(outcome.transactions, expected.transactions, "{name}");
    assert_eq!(outcome.diff, expected.diff, "{name}");
    assert_eq!(outcome.regions, expected.regions, "{name}");
    assert_eq!(outcome.gas_used, expected.gas_used, "{name}");
}

#[test]
fn every_scenario_ends_as_one_by_one_cold_and_with_what_was_learned() {
    for scenario in Scenario::ALL {
        let work = work(scenario.name, 300);
        let expected = sequential(&work);
        let engine = engine(&work, 4).build().unwrap();
        for _ in 0..4 {
            assert_same(&execute(&work, &engine), &expected, scenario.name);
        }
        engine.forget();
        assert_same(&execute(&work, &engine), &expected, scenario.name);
    }
}

#[test]
fn every_scenario_ends_as_one_by_one_wherever_it_changes_its_path() {
    for scenario in Scenario::ALL {
        let work = work(scenario.name, 120);
        let expected = sequential(&work);
        let engine = engine(&work, 2).window(32).build().unwrap();
        for (head, end) in [(0, 1), (1, 60), (40, 41), (50, 119), (119, 120), (120, 120)] {
            let store: Arc<dyn StateStore> = work.store.clone();
            let options = ExecuteOptions::new();
            let outcome = engine.execute_in_parts(&work.block, &store, head, end, options).unwrap();
            let name = format!("{} in parts {head}, {end}", scenario.name);
            assert_same(&outcome, &expected, &name);
            let Statistics { parallel, direct, .. } = outcome.statistics;
            assert_eq!(parallel, head < 120, "{name}");
            assert!(direct >= head as u64, "{name}: {direct} one by one");
        }
    }
}

#[test]
fn a_block_that_is_cancelled_leaves_an_exact_prefix_in_whichever_part_it_is() {
    for (name, stop) in ["mixed", "region-words", "region-maps"]
        .into_iter()
        .flat_map(|name| [10, 45, 55, 90, 110, 140].map(|stop| (name, stop)))
    {
        let work = work(name, 150);
        let expected = sequential(&work);
        let engine = engine(&work, 2).build().unwrap();
        let token = CancelToken::new();
        let mut options = ExecuteOptions::new().cancel(&token).keep_committed().stream(4);
        let mut outcomes = options.outcomes().unwrap().blocking();
        let store: Arc<dyn StateStore> = work.store.clone();
        let ended = thread::scope(|scope| {
            scope.spawn(|| {
                let taken = outcomes.by_ref().take(stop).count();
                assert_eq!(taken, stop);
                token.cancel();
                // What was under way.
                outcomes.by_ref().for_each(drop);
            });
            engine.execute_in_parts(&work.block, &store, 50, 100, options)
        });
        let Err(error @ BlockError::Cancelled { .. }) = &ended else { panic!("{ended:?}") };
        let partial = error.committed().unwrap();
        let count = partial.transactions.len();
        assert!((stop..=stop + 4).contains(&count), "{count} after {stop}");
        assert_eq!(partial.transactions[..], expected.transactions[..count]);
        let mut prefix = (*work.block).clone();
        prefix.transactions.truncate(count);
        let mut alone = Sequential::with_shared_memory(work.memory.clone());
        let alone = alone.execute(&prefix, &*work.store, work.policy).unwrap();
        assert_eq!(partial.diff, alone.diff, "{name} after {count}");
        assert_eq!(partial.regions, alone.regions, "{name} after {count}");
    }
}

/// What a block of a thousand transactions that is built to waste may waste in a window, going by `outcome`: half of what
/// was committed on the workers, half of the allowances of gas and of 16 transactions, and what was under way.
fn allowed(work: &Contention, outcome: &BlockOutcome, window: u32) -> u64 {
    let mean = outcome.gas_used / 1_000;
    let promised: u64 = work.block.transactions.iter().map(|tx| tx.env.gas_limit).sum();
    let committed = 1_000 - outcome.statistics.direct;
    (committed / 2 + 8 + u64::from(window)) * mean + promised * 16 / 2_000 + promised / 96
}

#[test]
fn a_block_that_was_built_to_waste_speculation_wastes_a_bounded_share() {
    const WINDOW: u32 = 64;
    let work = wasteful(1_000);
    let expected = sequential(&work);
    for threads in [2, 4, 8] {
        let engine = engine(&work, threads).window(WINDOW).build().unwrap();
        let outcome = execute(&work, &engine);
        assert_same(&outcome, &expected, "wasteful");
        // On one core nothing runs beside anything.
        let cores = thread::available_parallelism().unwrap().get();
        assert!(outcome.statistics.parallel || cores < 2, "nobody has seen it coming");
        let (wasted, most) = (outcome.statistics.wasted_gas, allowed(&work, &outcome, WINDOW));
        assert!(wasted <= most, "{wasted} gas of {}, {threads} threads", expected.gas_used);
    }
}

/// A store whose reads somebody hears of, on the thread that makes them, before they are answered.
struct Overheard<F> {
    inner: Arc<dyn StateStore>,
    hears: F,
}

impl<F: Fn(Query) + Send + Sync> StateStore for Overheard<F> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        (self.hears)(Query::Account(address));
        self.inner.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        (self.hears)(Query::Slot(address, slot));
        self.inner.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.inner.try_has_storage(address)
    }
}

fn overheard(
    work: &Contention,
    hears: impl Fn(Query) + Send + Sync + 'static,
) -> Arc<dyn StateStore> {
    Arc::new(Overheard { inner: work.store.clone(), hears })
}

#[test]
fn a_worker_that_is_off_its_core_when_its_turn_comes_lets_the_others_waste_no_more() {
    const WINDOW: u32 = 256;
    let work = wasteful(1_000);
    let expected = sequential(&work);
    for at in [40, 90, 200] {
        // The thread that makes that read of a slot is kept for a while, as if it were off its core.
        let left = AtomicUsize::new(at);
        let store = overheard(&work, move |query| {
            if matches!(query, Query::Slot(..)) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
                thread::sleep(Duration::from_millis(300));
            }
        });
        let engine = engine(&work, 4).window(WINDOW).build().unwrap();
        let outcome = engine.execute(&work.block, &store).unwrap();
        assert_same(&outcome, &expected, "wasteful");
        let (wasted, most) = (outcome.statistics.wasted_gas, allowed(&work, &outcome, WINDOW));
        assert!(wasted <= most, "{wasted} gas of {}, read {at}", expected.gas_used);
    }
}

#[test]
fn a_chain_of_one_function_wakes_nobody() {
    for name in ["nft", "erc20-to-one", "airdrop", "amm-one", "region-word", "wasteful"] {
        let work = work(name, 300);
        let expected = sequential(&work);
        let engine = engine(&work, 2).build().unwrap();
        for round in ["cold", "learned"] {
            let outcome = execute(&work, &engine);
            assert_same(&outcome, &expected, name);
            let Statistics { parallel, direct, wasted_gas, .. } = outcome.statistics;
            assert_eq!((parallel, direct, wasted_gas), (false, 300, 0), "{name}, {round}");
        }
    }
}

#[test]
fn a_chain_with_shared_memory_is_executed_once() {
    let work = work("region-word", 200);
    let expected = sequential(&work);
    let accounts = Arc::new(Mutex::new(HashMap::new()));
    let heard = accounts.clone();
    let store = overheard(&work, move |query| {
        if let Query::Account(address) = query {
            *heard.lock().unwrap().entry(address).or_insert(0) += 1;
        }
    });
    let engine = engine(&work, 2).build().unwrap();
    let outcome = engine.execute(&work.block, &store).unwrap();
    assert_same(&outcome, &expected, "region-word");
    let accounts = accounts.lock().unwrap();
    assert!(accounts.len() > 200 && accounts.values().all(|times| *times == 1));
}

#[test]
fn a_host_that_switches_shared_memory_amid_a_block_does_so_from_the_next_one_on() {
    for (name, enabled) in [("region-words", true), ("region-words", false), ("region-maps", true)]
    {
        let work = work(name, 120);
        let set = |enabled: bool| match enabled {
            true => work.memory.enable(),
            false => work.memory.disable(),
        };
        set(enabled);
        let expected = sequential(&work);
        assert_eq!(expected.regions.is_some(), enabled);
        let at = work.block.transactions[20].env.caller;
        let memory = work.memory.clone();
        let store = overheard(&work, move |query| {
            if query == Query::Account(at) {
                if enabled { memory.disable() } else { memory.enable() }
            }
        });
        let engine = engine(&work, 2).build().unwrap();
        for (head, end) in [(50, 100), (50, 119), (10, 60)] {
            set(enabled);
            let options = ExecuteOptions::new();
            let outcome = engine.execute_in_parts(&work.block, &store, head, end, options).unwrap();
            assert_same(&outcome, &expected, name);
            assert_eq!(work.memory.is_enabled(), !enabled);
        }
    }
}

#[test]
fn a_chain_with_shared_memory_streams_and_stops_wherever_it_is() {
    let work = work("region-word", 120);
    let expected = sequential(&work);
    for (capacity, stop) in
        [(1, 120), (4, 120), (200, 120), (1, 0), (1, 3), (4, 5), (2, 9), (4, 70)]
    {
        let engine = engine(&work, 2).build().unwrap();
        let token = CancelToken::new();
        let mut options =
            ExecuteOptions::new().cancel(&token).keep_committed().stream(capacity as u32);
        let mut outcomes = options.outcomes().unwrap().blocking();
        let store: Arc<dyn StateStore> = work.store.clone();
        let (ended, taken) = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut taken: Vec<_> = outcomes.by_ref().take(stop).collect();
                if stop < 120 {
                    token.cancel();
                }
                taken.extend(outcomes.by_ref());
                taken
            });
            let ended = engine.execute_with(&work.block, &store, options);
            (ended, reader.join().unwrap())
        });
        let count = taken.len();
        assert_eq!(taken[..], expected.transactions[..count], "{capacity}, {stop}");
        match ended {
            Ok(outcome) => assert_same(&outcome, &expected, "region-word"),
            Err(error @ BlockError::Cancelled { .. }) => {
                let Some(partial) = error.committed() else {
                    // It was cancelled before it had begun.
                    assert_eq!((stop, count), (0, 0));
                    continue;
                };
                assert_eq!(partial.transactions, taken, "{capacity}, {stop}");
                assert!(stop <= count && count <= stop + capacity + 1, "{count} after {stop}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_chain_with_shared_memory_that_is_cancelled_leaves_what_it_committed() {
    let work = work("region-word", 120);
    let mut most = 0;
    for at in [2, 5, 9, 10, 11, 12, 40, 100] {
        let engine = engine(&work, 2).build().unwrap();
        let token = CancelToken::new();
        let options = ExecuteOptions::new().cancel(&token).keep_committed();
        let left = AtomicUsize::new(at);
        let store = overheard(&work, move |query| {
            if matches!(query, Query::Account(_)) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
                token.cancel();
            }
        });
        let ended = engine.execute_with(&work.block, &store, options);
        let Err(error @ BlockError::Cancelled { .. }) = &ended else { panic!("{ended:?}") };
        let partial = error.committed().unwrap();
        let count = partial.transactions.len();
        most = most.max(count);
        let mut prefix = (*work.block).clone();
        prefix.transactions.truncate(count);
        let mut alone = Sequential::with_shared_memory(work.memory.clone());
        let alone = alone.execute(&prefix, &*work.store, work.policy).unwrap();
        assert_eq!(partial.transactions, alone.transactions, "read {at}");
        if count > 0 {
            assert_eq!((&partial.diff, &partial.regions), (&alone.diff, &alone.regions), "{at}");
        }
    }
    assert!(most > 80, "{most}");
}

#[test]
fn a_chain_with_shared_memory_ends_at_an_error_wherever_it_is() {
    let work = work("region-word", 120);
    for index in [0, 3, 5, 6, 7, 90] {
        let at = Query::Account(work.block.transactions[index].env.caller);
        let faulty = FaultyStore::new(work.store.clone());
        let store: Arc<dyn StateStore> =
            Arc::new(faulty.with(Victims::Only(at), Fault::ErrorAtHand));
        let ended = engine(&work, 2).build().unwrap().execute(&work.block, &store);
        assert!(
            matches!(ended, Err(BlockError::Store { index: i, .. }) if i == index),
            "{ended:?}"
        );
    }
}

#[test]
fn transactions_of_one_function_that_do_not_meet_are_spread() {
    if thread::available_parallelism().unwrap().get() < 2 {
        return;
    }
    for (name, size) in [("amm", 300), ("region-words", 1_000)] {
        let work = work(name, size);
        let outcome = execute(&work, &engine(&work, 2).build().unwrap());
        assert_same(&outcome, &sequential(&work), name);
        assert!(outcome.statistics.parallel, "{name}");
    }
}

#[test]
fn a_pinned_path_is_kept() {
    let work = wasteful(200);
    let expected = sequential(&work);
    let parallel = engine(&work, 2).path(Path::Parallel).batch(3).window(16).learning(false);
    let parallel = execute(&work, &parallel.build().unwrap());
    assert_same(&parallel, &expected, "parallel");
    assert_eq!((parallel.statistics.parallel, parallel.statistics.direct), (true, 0));
    let direct = execute(&work, &engine(&work, 2).path(Path::Direct).build().unwrap());
    assert_same(&direct, &expected, "direct");
    assert_eq!((direct.statistics.parallel, direct.statistics.direct), (false, 200));
}

#[test]
fn a_short_block_and_one_worker_stay_on_the_calling_thread() {
    for (name, size, threads) in [("nonces", 50, 8), ("independent", 1, 8), ("amm", 100, 1)] {
        let work = work(name, size);
        let outcome = execute(&work, &engine(&work, threads).build().unwrap());
        assert!(!outcome.statistics.parallel, "{name}");
        assert_eq!(outcome.statistics.direct, size as u64, "{name}");
    }
}
