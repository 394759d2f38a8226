//! Errors of the store: one that the block depends on ends it as it ends one-by-one execution, any
//! other is dropped.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use alloy_primitives::U256;
use chorus::{
    evm::{BlockError, Scouting, StateStore, StoreError, workload::Workload},
    store::{Answer, Fault, FaultyStore, Query, Read, Victims},
};

use crate::{
    executor,
    patience::in_time,
    stores::{Broken, Log, at_once, said, slow},
    world::{
        self, CONTRACT, MINER, OWN_SLOT, TURNS, call, calls, expected, generated, parallel, sender,
    },
};

#[test]
fn a_location_that_cannot_be_read_ends_a_block_as_one_by_one_execution_does() {
    in_time(|| {
        let (mut ended, mut went) = (0, 0);
        for workload in Workload::ALL {
            let (block, world) = generated(*workload, 60);
            // The second one is of an account that nobody knows.
            let stranger = Query::Account(alloy_primitives::Address::repeat_byte(0xee));
            let mut locations = vec![Query::Account(block.env.beneficiary), stranger];
            let mut accounts: Vec<_> = world.accounts().collect();
            accounts.sort_unstable_by_key(|(address, _)| **address);
            for (address, account) in accounts.into_iter().step_by(5) {
                locations.push(Query::Account(*address));
                let least = account.slots().map(|(at, _)| at).min();
                locations.extend(least.map(|at| Query::Slot(*address, at)));
            }
            locations.truncate(40);
            for (turn, at) in locations.into_iter().enumerate() {
                let broken = Arc::new(Broken { world: world.clone(), at });
                let expected = expected(&block, &*broken);
                match &expected {
                    Ok(_) => went += 1,
                    Err(_) => ended += 1,
                }
                let store = slow({
                    let broken = broken.clone();
                    move |reads| {
                        for read in reads {
                            let result = broken.said(read.query());
                            read.answer(result);
                        }
                    }
                });
                let scouting = [Scouting::Off, Scouting::Auto][turn % 2];
                let engine = parallel(1 + turn % 4).scouting(scouting).build().unwrap();
                let actual = engine.execute(&block, &store);
                let difference = executor::difference(&expected, &actual);
                assert_eq!(difference, None, "{workload:?} without {at}");
                // The same where the error is at hand and nothing else is, so that most looks are skipped.
                let faulty = |inner| {
                    let store = FaultyStore::new(inner);
                    Arc::new(store.with(Victims::Only(at), Fault::ErrorAtHand))
                };
                let expected = world::expected(&block, &*faulty(world.clone()));
                let store: Arc<dyn StateStore> = faulty(at_once(&world));
                let difference = executor::difference(&expected, &engine.execute(&block, &store));
                assert_eq!(difference, None, "{workload:?} with an error at hand at {at}");
                let store = at_once(&world);
                assert!(engine.execute(&block, &store).is_ok(), "the engine is fine");
            }
        }
        println!("{ended} blocks ended, {went} did not need the location");
        assert!(ended > 50 && went >= Workload::ALL.len());
    });
}

/// Answers slot 7 when somebody has asked for slot 99, and the rest at once.
fn only_after_99(
    log: Arc<Log>,
    answer: impl Fn(Query) -> Result<Answer, StoreError> + Send + Sync + 'static,
) -> Arc<dyn StateStore> {
    let held: Mutex<Vec<Read>> = Mutex::default();
    slow(move |reads| {
        log.note(&reads);
        let mut due = Vec::new();
        {
            let mut held = held.lock().unwrap();
            for read in reads {
                match read.query() {
                    Query::Slot(_, slot) if slot == U256::from(99) => {
                        due.push(read);
                        due.append(&mut held);
                    }
                    Query::Slot(_, slot)
                        if slot == U256::from(7) && log.asked_for_slot(99) == 0 =>
                    {
                        held.push(read);
                    }
                    _ => due.push(read),
                }
            }
        }
        for read in due {
            let result = answer(read.query());
            read.answer(result);
        }
    })
}

#[test]
fn an_error_that_only_a_doomed_incarnation_saw_is_dropped() {
    in_time(|| {
        let (block, world) = calls(TURNS, &[], [call(0, &[1]), call(1, &[])]);
        let broken = Broken { world, at: Query::Slot(CONTRACT, U256::from(99)) };
        let expected = expected(&block, &broken);
        assert!(expected.is_ok(), "the second transaction does not come to the broken slot");
        for threads in [1, 2, 4] {
            let log = Arc::new(Log::default());
            let broken = Broken { world: broken.world.clone(), ..broken };
            let store = only_after_99(log.clone(), move |query| broken.said(query));
            let actual = parallel(threads).build().unwrap().execute(&block, &store);
            assert_eq!(executor::difference(&expected, &actual), None);
            assert_eq!(log.asked_for_slot(99), 1, "an incarnation came to it");
            assert!(actual.unwrap().statistics.incarnations > 2);
        }
    });
}

#[test]
fn an_error_that_only_a_scout_saw_is_dropped() {
    in_time(|| {
        // Slot 0 is not 0, but a scout that does not know it takes it for that.
        let (block, world) = calls(TURNS, &[(0, 1)], [call(0, &[])]);
        let broken = Broken { world, at: Query::Slot(CONTRACT, U256::from(99)) };
        let expected = expected(&block, &broken);
        assert!(expected.is_ok());
        let log = Arc::new(Log::default());
        let held: Mutex<Vec<Read>> = Mutex::default();
        let store = slow({
            let log = log.clone();
            move |reads| {
                log.note(&reads);
                let mut due = Vec::new();
                for read in reads {
                    match read.query() {
                        Query::Slot(_, slot) if slot.is_zero() => held.lock().unwrap().push(read),
                        Query::Slot(..) => {
                            due.push(read);
                            due.append(&mut held.lock().unwrap());
                        }
                        _ => due.push(read),
                    }
                }
                for read in due {
                    let result = broken.said(read.query());
                    read.answer(result);
                }
            }
        });
        let engine = parallel(1).scouting(Scouting::Auto).build().unwrap();
        let actual = engine.execute(&block, &store);
        assert_eq!(executor::difference(&expected, &actual), None);
        assert_eq!(log.asked_for_slot(99), 1, "a scout came to it");
        assert!(actual.unwrap().statistics.scouts > 0);
    });
}

#[test]
fn an_error_of_a_read_ahead_is_dropped_and_the_location_is_read_again() {
    in_time(|| {
        let (block, world) = calls(OWN_SLOT, &[], (0..50).map(|i| call(i, &[])));
        let expected = expected(&block, &*world);
        let failed: Mutex<HashSet<Query>> = Mutex::default();
        // Whatever is asked for the first time fails, accounts only: those are read ahead.
        let store = slow(move |reads| {
            for read in reads {
                let query = read.query();
                let account = matches!(query, Query::Account(_));
                let first = account && failed.lock().unwrap().insert(query);
                read.answer(match first {
                    true => Err(StoreError::failed(query, "at first")),
                    false => said(&world, query),
                });
            }
        });
        let actual = parallel(2).build().unwrap().execute(&block, &store);
        assert_eq!(executor::difference(&expected, &actual), None);
    });
}

#[test]
fn a_store_that_recovers_serves_the_same_engine() {
    in_time(|| {
        let (block, world) = calls(OWN_SLOT, &[], (0..10).map(|i| call(i, &[])));
        let at = Query::Slot(CONTRACT, U256::from_be_slice(sender(4).as_slice()));
        let broken = Broken { world: world.clone(), at };
        let engine = parallel(2).build().unwrap();
        let store = slow(move |reads| {
            for read in reads {
                let result = broken.said(read.query());
                read.answer(result);
            }
        });
        let error = engine.execute(&block, &store).unwrap_err();
        let reason = StoreError::failed(at, "broken");
        assert_eq!(error, BlockError::Store { index: 4, error: reason });
        let actual = engine.execute(&block, &at_once(&world));
        assert_eq!(executor::difference(&expected(&block, &*world), &actual), None);
    });
}

/// Executes twenty calls over a store that treats one query in its own way, and returns how it ends.
fn with(
    at: Query,
    faulty: impl Fn(Read) + Send + Sync + 'static,
) -> Result<chorus::evm::BlockOutcome, BlockError> {
    in_time(move || {
        let (block, world) = calls(OWN_SLOT, &[], (0..20).map(|i| call(i, &[])));
        let store = slow(move |reads| {
            for read in reads {
                if read.query() == at {
                    faulty(read);
                } else {
                    let result = said(&world, read.query());
                    read.answer(result);
                }
            }
        });
        parallel(2).build().unwrap().execute(&block, &store)
    })
}

#[test]
fn an_answer_of_the_wrong_kind_is_an_error_that_names_the_read() {
    let slot = U256::from_be_slice(sender(3).as_slice());
    for (at, index) in [
        (Query::Account(sender(5)), 5),
        (Query::Slot(CONTRACT, slot), 3),
        (Query::Account(CONTRACT), 0),
        (Query::Account(MINER), 0),
    ] {
        let wrong = || Answer::HasStorage(true);
        let error = with(at, move |read| read.answer(Ok(wrong()))).unwrap_err();
        let reason = format!("the store answered with {:?}", wrong());
        assert_eq!(error, BlockError::Store { index, error: StoreError::failed(at, reason) });
    }
}

#[test]
fn a_read_that_the_store_drops_is_an_error_that_names_it() {
    for (at, index) in [(Query::Account(sender(5)), 5), (Query::Account(MINER), 0)] {
        let error = with(at, drop).unwrap_err();
        assert_eq!(error, BlockError::Store { index, error: StoreError::Dropped { query: at } });
    }
}

#[test]
fn a_store_that_panics_drops_its_reads() {
    let at = Query::Slot(CONTRACT, U256::from_be_slice(sender(3).as_slice()));
    let error = with(at, |_| panic!("a store's fault")).unwrap_err();
    assert_eq!(error, BlockError::Store { index: 3, error: StoreError::Dropped { query: at } });
}
