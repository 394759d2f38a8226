//! What the store is asked: each location once, what is known beforehand first, and never too much at
//! a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use alloy_primitives::{Address, B256, U256};
use chorus::{
    evm::{Scouting, workload::Workload},
    store::Query,
};
use revm::context_interface::transaction::{AccessList, AccessListItem};

use crate::{
    executor,
    patience::in_time,
    stores::{Log, foreign, said, slow},
    world::{CONTRACT, OWN_SLOT, call, calls, expected, generated, parallel, sender},
};

const SHORT: Duration = Duration::from_micros(20);

#[test]
fn no_location_is_read_twice_however_many_wait_for_it() {
    in_time(|| {
        for (round, workload) in Workload::ALL.iter().enumerate() {
            let (block, world) = generated(*workload, 100);
            let expected = expected(&block, &*world);
            for (threads, scouting) in
                [(1, Scouting::Off), (2, Scouting::Auto), (4, Scouting::Off), (4, Scouting::Auto)]
            {
                let log = Arc::new(Log::default());
                let below = foreign(&world, round as u64, SHORT);
                let store = slow({
                    let log = log.clone();
                    move |reads| {
                        log.note(&reads);
                        below.fetch(reads);
                    }
                });
                let engine = parallel(threads).scouting(scouting).build().unwrap();
                let actual = engine.execute(&block, &store);
                assert_eq!(executor::difference(&expected, &actual), None);
                let twice: Vec<_> = log.times().into_iter().filter(|(_, n)| *n > 1).collect();
                assert!(twice.is_empty(), "{workload:?}, {threads} threads: {twice:?}");
                let started = actual.unwrap().statistics.reads.started;
                assert_eq!(started as usize, log.queries().len());
            }
        }
    });
}

#[test]
fn what_is_known_beforehand_is_read_before_anything_runs() {
    in_time(|| {
        let other = Address::repeat_byte(0xdd);
        let slots = vec![B256::with_last_byte(5), B256::with_last_byte(6)];
        let list = AccessList(vec![AccessListItem { address: other, storage_keys: slots }]);
        let transactions = (0..20).map(|i| {
            let mut call = call(i, &[]);
            call.access_list = list.clone();
            call.tx_type = 1;
            call
        });
        let (block, world) = calls(OWN_SLOT, &[], transactions);
        let log = Arc::new(Log::default());
        let below = foreign(&world, 1, SHORT);
        let store = slow({
            let log = log.clone();
            move |reads| {
                log.note(&reads);
                below.fetch(reads);
            }
        });
        for threads in [1, 4] {
            log.clear();
            parallel(threads).build().unwrap().execute(&block, &store).unwrap();
            let asked = log.queries();
            let own = |query: &Query| matches!(query, Query::Slot(at, _) if *at == CONTRACT);
            let first = asked.iter().position(own).unwrap();
            let mut known: Vec<_> = (0..20).map(|i| Query::Account(sender(i))).collect();
            known.extend([CONTRACT, other].map(Query::Account));
            known.extend([5, 6].map(|slot| Query::Slot(other, U256::from(slot))));
            for query in known {
                let at = asked.iter().position(|asked| *asked == query);
                assert!(at.is_some_and(|at| at < first), "{query} at {at:?}, not before {first}");
            }
        }
    });
}

#[test]
fn the_store_never_has_more_reads_than_allowed_and_one() {
    in_time(|| {
        let (block, world) = generated(Workload::DEFAULT, 100);
        let expected = expected(&block, &*world);
        for limit in [1, 2, 16] {
            for threads in [1, 4] {
                let below = foreign(&world, limit as u64, SHORT);
                let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
                let store = slow({
                    let (counts, world) = (counts.clone(), world.clone());
                    move |reads| {
                        let now = counts[0].fetch_add(reads.len(), SeqCst) + reads.len();
                        counts[1].fetch_max(now, SeqCst);
                        for read in reads {
                            let (counts, world) = (counts.clone(), world.clone());
                            below.fetch(vec![crate::stores::after(read, move |query| {
                                counts[0].fetch_sub(1, SeqCst);
                                said(&world, query)
                            })]);
                        }
                    }
                });
                let engine = parallel(threads).reads_in_flight(limit).build().unwrap();
                let actual = engine.execute(&block, &store);
                assert_eq!(executor::difference(&expected, &actual), None);
                let most = counts[1].load(SeqCst);
                assert!(most <= limit + 1, "{most} reads at a time, of {limit}");
            }
        }
    });
}

#[test]
fn an_engine_that_may_read_nothing_is_none() {
    let error = parallel(1).reads_in_flight(0).build().unwrap_err();
    assert!(error.to_string().starts_with("reads_in_flight: 0 "), "{error}");
}
