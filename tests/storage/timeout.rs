//! A store that never answers ends the block, and only if the block depends on that answer.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use chorus::{
    evm::{
        Block, BlockError, CancelToken, Engine, ExecuteOptions, Path, Scouting, StateStore,
        StoreError, Withdrawal, workload::Scenario,
    },
    store::{MemoryStore, Query, Read},
};

use crate::{
    executor,
    patience::{in_time, timed},
    stores::{at_once, brisk, said, slow},
    world::{CONTRACT, MINER, OWN_SLOT, TURNS, call, calls, expected, parallel, sender},
};

const AFTER: Duration = Duration::from_millis(60);
/// Much longer than any of this takes, much shorter than for ever.
const SOON: Duration = Duration::from_secs(5);

/// Owes every read that `mute` says, and answers the others at once.
fn mute(
    world: &Arc<MemoryStore>,
    mute: impl Fn(Query) -> bool + Send + Sync + 'static,
) -> Arc<dyn StateStore> {
    slow(owing(world, mute))
}

/// How such a store fetches.
fn owing(
    world: &Arc<MemoryStore>,
    mute: impl Fn(Query) -> bool + Send + Sync + 'static,
) -> impl Fn(Vec<Read>) + Send + Sync + 'static {
    let (world, owed) = (world.clone(), Mutex::new(Vec::<Read>::new()));
    move |reads| {
        for read in reads {
            if mute(read.query()) {
                owed.lock().unwrap().push(read);
            } else {
                let result = said(&world, read.query());
                read.answer(result);
            }
        }
    }
}

fn own_slot(i: u64) -> Query {
    Query::Slot(CONTRACT, U256::from_be_slice(sender(i).as_slice()))
}

fn block() -> (Arc<Block>, Arc<MemoryStore>) {
    calls(OWN_SLOT, &[], (0..30).map(|i| call(i, &[])))
}

#[test]
fn a_read_that_is_never_answered_ends_the_block_and_not_the_engine() {
    in_time(|| {
        let (block, world) = block();
        for (at, index) in [(own_slot(9), 9), (Query::Account(sender(4)), 4), (own_slot(0), 0)] {
            for (threads, path) in [(1, Path::Parallel), (4, Path::Parallel), (1, Path::Direct)] {
                let engine = parallel(threads).path(path).read_timeout(Some(AFTER));
                let engine = engine.scouting(Scouting::Auto).build().unwrap();
                let store = mute(&world, move |query| query == at);
                let (ended, took) = timed(|| engine.execute(&block, &store));
                let error = StoreError::TimedOut { query: at, after: AFTER };
                assert_eq!(ended.unwrap_err(), BlockError::Store { index, error });
                assert!(AFTER <= took && took < SOON, "{took:?}");
                let again = engine.execute(&block, &at_once(&world));
                assert_eq!(executor::difference(&expected(&block, &*world), &again), None);
            }
        }
    });
}

#[test]
fn a_read_that_is_never_answered_ends_a_block_with_shared_memory() {
    in_time(|| {
        let scenario = Scenario::by_name("region-word").unwrap();
        let work = scenario.build(200, 1, &scenario.settings([]).unwrap());
        let query = Query::Account(work.block.transactions[3].env.caller);
        let engine = Engine::builder().threads(2).policy(work.policy).read_timeout(Some(AFTER));
        let engine = engine.shared_memory(work.memory.clone()).build().unwrap();
        let store = brisk(owing(&work.store, move |asked| asked == query));
        let (ended, took) = timed(|| engine.execute(&work.block, &store));
        let error = StoreError::TimedOut { query, after: AFTER };
        assert_eq!(ended.unwrap_err(), BlockError::Store { index: 3, error });
        assert!(AFTER <= took && took < SOON, "{took:?}");
    });
}

#[test]
fn a_beneficiary_that_is_never_read_ends_the_block() {
    in_time(|| {
        let (block, world) = block();
        let query = Query::Account(MINER);
        let store = mute(&world, move |asked| asked == query);
        for path in [Path::Parallel, Path::Direct] {
            let engine = parallel(2).path(path).read_timeout(Some(AFTER)).build().unwrap();
            let error = StoreError::TimedOut { query, after: AFTER };
            let ended = engine.execute(&block, &store).unwrap_err();
            assert_eq!(ended, BlockError::Store { index: 0, error });
        }
    });
}

#[test]
fn a_store_that_answers_nothing_ends_the_block() {
    in_time(|| {
        let (block, world) = block();
        let store = mute(&world, |_| true);
        for limit in [1, 256] {
            let engine = parallel(2).reads_in_flight(limit).read_timeout(Some(AFTER));
            let (ended, took) = timed(|| engine.build().unwrap().execute(&block, &store));
            let timed_out = matches!(
                ended,
                Err(BlockError::Store { index: 0, error: StoreError::TimedOut { .. } })
            );
            assert!(timed_out, "{ended:?}");
            assert!(took < SOON, "{took:?}");
        }
    });
}

#[test]
fn a_read_before_or_after_the_transactions_is_given_up_too() {
    in_time(|| {
        let (block, world) = block();
        let address = Address::repeat_byte(0xee);
        let mut block = (*block).clone();
        block.withdrawals.push(Withdrawal { address, amount_gwei: 1 });
        let (block, query) = (Arc::new(block), Query::Account(address));
        let store = mute(&world, move |asked| asked == query);
        for path in [Path::Parallel, Path::Direct] {
            let engine = parallel(2).path(path).read_timeout(Some(AFTER)).build().unwrap();
            let error = StoreError::TimedOut { query, after: AFTER };
            let ended = engine.execute(&block, &store).unwrap_err();
            assert_eq!(ended, BlockError::Store { index: 30, error });
        }
    });
}

#[test]
fn a_read_that_only_a_doomed_incarnation_waits_for_holds_nothing_up() {
    in_time(|| {
        let (block, world) = calls(TURNS, &[], [call(0, &[1]), call(1, &[])]);
        let expected = expected(&block, &*world);
        let held: Mutex<Vec<Read>> = Mutex::default();
        // Nobody gets slot 99. The first transaction gets slot 7 when the second has come to that.
        let store = slow({
            let world = world.clone();
            let slot =
                |query, at: u64| matches!(query, Query::Slot(_, slot) if slot == U256::from(at));
            move |reads| {
                let mut due = Vec::new();
                let mut held = held.lock().unwrap();
                for read in reads {
                    match read.query() {
                        query if slot(query, 7) => held.push(read),
                        query if slot(query, 99) => {
                            due.append(&mut held);
                            held.push(read);
                        }
                        _ => due.push(read),
                    }
                }
                drop(held);
                for read in due {
                    let result = said(&world, read.query());
                    read.answer(result);
                }
            }
        });
        let engine = parallel(1).read_timeout(None).build().unwrap();
        let actual = engine.execute(&block, &store);
        assert_eq!(executor::difference(&expected, &actual), None);
    });
}

#[test]
fn a_block_that_waits_for_a_mute_store_is_cancelled_on_the_direct_path_too() {
    in_time(|| {
        let (block, world) = block();
        let store = mute(&world, |query| query == own_slot(2));
        let engine = Engine::builder().path(Path::Direct).read_timeout(None).build().unwrap();
        let token = CancelToken::new();
        let stop = token.clone();
        std::thread::spawn(move || {
            std::thread::sleep(AFTER);
            stop.cancel();
        });
        let begin = Instant::now();
        let ended = engine.execute_with(&block, &store, ExecuteOptions::new().cancel(&token));
        assert_eq!(ended.unwrap_err(), BlockError::Cancelled { committed: None });
        assert!(begin.elapsed() < SOON);
    });
}
