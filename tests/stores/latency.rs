//! A store that is slow on purpose.

use std::{
    num::NonZeroUsize,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use alloy_primitives::U256;
use chorus::store::{Latency, LatencyStore, Query, Read, ReadResult, Reply, StateStore};

use crate::world::{address, assert_like_world, fetched, mailed, queries, world};

fn fixed(latency: Duration) -> LatencyStore {
    LatencyStore::new(world(), Latency::Fixed(latency))
}

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_cold_location_is_not_at_hand_and_a_warm_one_is() {
    let store = fixed(MILLI);
    let account = address(5);
    assert_eq!(store.try_account(account), None);
    let begin = Instant::now();
    let first = store.account(account);
    assert!(begin.elapsed() >= MILLI);
    assert_eq!(store.try_account(account), Some(first));
    // Its storage root came with it; its slots did not.
    assert_eq!(store.try_has_storage(account), Some(Ok(true)));
    assert_eq!(store.try_storage(account, U256::ZERO), None);
    assert_eq!(store.cold_reads(), 1);
    store.forget();
    assert_eq!(store.try_account(account), None);
    assert_eq!((store.cold_reads(), store.achieved().count), (0, 0));
}

#[test]
fn no_read_is_answered_before_its_time_and_all_overlap() {
    let store = fixed(20 * MILLI);
    let slots: Vec<_> = (0..500).map(|slot| Query::Slot(address(3), U256::from(slot))).collect();
    let begin = Instant::now();
    let (sender, receiver) = mpsc::channel();
    store.fetch(slots.iter().map(|slot| mailed(*slot, 0, &sender)).collect());
    assert_eq!(store.outstanding(), 500);
    let mut answered = 0;
    while answered < 500 {
        store.drive();
        answered += receiver.try_iter().count();
        assert!(answered == 0 || begin.elapsed() >= 20 * MILLI);
    }
    // One after another they would take ten seconds.
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(!store.drive());
    let achieved = store.achieved();
    assert_eq!((achieved.count, store.cold_reads(), store.outstanding()), (500, 500, 0));
    assert!(achieved.min >= 20 * MILLI && achieved.p50 <= achieved.p99);
    assert!(achieved.p99 <= achieved.max && achieved.mean <= achieved.max);
}

#[test]
fn a_bounded_device_serves_in_turns() {
    let store = fixed(2 * MILLI).with_max_parallel(NonZeroUsize::new(2).unwrap());
    let begin = Instant::now();
    let slots: Vec<_> = (0..10).map(|slot| Query::Slot(address(3), U256::from(slot))).collect();
    fetched(&store, &slots);
    assert!(begin.elapsed() >= 10 * MILLI);
    assert!(store.achieved().max >= 10 * MILLI);
}

#[test]
fn a_location_that_is_on_its_way_arrives_once() {
    let store = fixed(50 * MILLI);
    let query = Query::Account(address(2));
    let begin = Instant::now();
    store.prefetch(&[query]);
    assert_eq!(store.try_get(query), None);
    let answers = fetched(&store, &[query, query, Query::HasStorage(address(2))]);
    assert!(begin.elapsed() >= 50 * MILLI);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(store.cold_reads(), 1);
    // Nobody waited the whole latency, so nothing is claimed about it.
    assert_eq!(store.achieved().count, 0);
}

#[test]
fn an_announced_read_arrives_without_being_driven() {
    let store = fixed(MILLI);
    let query = Query::Account(address(2));
    store.prefetch(&[query]);
    while store.try_get(query).is_none() {
        std::thread::yield_now();
    }
    assert!(!store.drive());
}

#[test]
fn the_latency_of_a_location_hangs_on_the_seed_and_nothing_else() {
    let spread = Latency::Uniform { low: MILLI, high: 40 * MILLI };
    let order = |seed: u64, queries: Vec<Query>| {
        let store = LatencyStore::new(world(), spread).with_seed(seed);
        let (sender, receiver) = mpsc::channel();
        // The latencies differ by more than it takes to ask.
        store.fetch(queries.iter().map(|query| mailed(*query, 0, &sender)).collect());
        while store.drive() {}
        receiver.try_iter().map(|(query, _)| query).collect::<Vec<_>>()
    };
    let queries: Vec<_> = (0..6).map(|number| Query::Account(address(number))).collect();
    let backwards: Vec<_> = queries.iter().rev().copied().collect();
    assert_eq!(order(1, queries.clone()), order(1, backwards));
    let orders: Vec<_> = (1..6).map(|seed| order(seed, queries.clone())).collect();
    assert!(orders.iter().any(|other| *other != orders[0]));
}

#[test]
fn without_latency_everything_is_at_hand() {
    let store = fixed(Duration::ZERO);
    assert_eq!(store.latency(), None);
    assert!(queries().into_iter().all(|query| store.try_get(query).is_some()));
    assert_like_world(&store, &world(), &queries());
    assert_eq!(store.cold_reads(), 0);
    assert_eq!(fixed(MILLI).latency(), Some(MILLI));
}

#[test]
fn many_threads_drive_and_each_read_is_answered_once() {
    let store = Arc::new(fixed(Duration::from_micros(50)));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (store, sender) = (&store, sender.clone());
            scope.spawn(move || {
                for round in 0..50 {
                    let slot = |n| Query::Slot(address(thread), U256::from(round * 10 + n));
                    store.fetch((0..10).map(|n| mailed(slot(n), 0, &sender)).collect());
                    store.drive();
                }
                while store.drive() {}
            });
        }
    });
    while store.drive() {}
    drop(sender);
    let mut answered: Vec<_> = receiver.iter().map(|(query, _)| query).collect();
    assert_eq!(answered.len(), 2_000);
    answered.sort_unstable();
    answered.dedup();
    assert_eq!(answered.len(), 2_000);
}

#[test]
fn whoever_is_answered_may_read_on_at_once() {
    /// Follows a chain of slots from within the answer.
    struct Chain {
        store: Arc<LatencyStore>,
        left: u64,
        done: mpsc::Sender<()>,
    }

    impl Reply for Chain {
        fn answer(mut self: Box<Self>, _: Query, result: ReadResult) {
            result.unwrap();
            if self.left == 0 {
                self.done.send(()).unwrap();
                return;
            }
            self.left -= 1;
            let (store, next) =
                (self.store.clone(), Query::Slot(address(1), U256::from(self.left)));
            store.fetch(vec![Read::new(next, 0, self)]);
        }
    }

    let store = Arc::new(fixed(MILLI / 2));
    let (done, wait) = mpsc::channel();
    let begin = Instant::now();
    let chain = Chain { store: store.clone(), left: 9, done };
    store.fetch(vec![Read::new(Query::Account(address(1)), 0, Box::new(chain))]);
    while store.drive() {}
    wait.recv().unwrap();
    assert!(begin.elapsed() >= 5 * MILLI);
}

#[test]
fn slow_answers_are_the_answers_of_the_store_behind() {
    let (median, sigma) = (Duration::from_micros(20), 0.8);
    let skewed = LatencyStore::new(world(), Latency::LogNormal { median, sigma });
    assert_like_world(&skewed, &world(), &queries());
    let twice = LatencyStore::new(Arc::new(skewed), Latency::Fixed(2 * median));
    assert_like_world(&twice, &world(), &queries());
    twice.forget();
    assert_like_world(&twice, &world(), &queries());
}
