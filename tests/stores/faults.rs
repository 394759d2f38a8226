//! Faults on purpose: each does what it says, and to whom it says.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    time::{Duration, Instant},
};

use chorus::store::{Answer, Fault, FaultyStore, Query, StateStore, StoreError, Victims};

use crate::world::{address, assert_like_world, fetched, mailed, queries, world};

fn accounts() -> Vec<Query> {
    (0..20).map(|number| Query::Account(address(number))).collect()
}

const VICTIM: u64 = 7;

fn victim() -> Query {
    Query::Account(address(VICTIM))
}

fn with(fault: Fault) -> FaultyStore {
    FaultyStore::new(world()).with(Victims::Only(victim()), fault)
}

#[test]
fn without_faults_it_is_the_store_behind() {
    let store = FaultyStore::new(world());
    assert_eq!(store.latency(), None);
    assert_like_world(&store, &world(), &queries());
    assert_eq!(store.suffered(), 0);
}

#[test]
fn an_error_is_met_by_whoever_fetches() {
    let store = with(Fault::Error);
    assert_eq!(store.latency(), Some(Duration::ZERO));
    assert_eq!(store.try_get(victim()), None);
    let reason = "injected fault".to_owned();
    let expected = Err(StoreError::Account { address: address(VICTIM), reason });
    for (query, answer) in accounts().into_iter().zip(fetched(&store, &accounts())) {
        let sound = world().try_get(query).unwrap();
        assert_eq!(answer, if query == victim() { expected.clone() } else { sound });
    }
    assert_eq!(store.suffered(), 1);
}

#[test]
fn an_error_at_hand_needs_no_fetching() {
    let store = with(Fault::ErrorAtHand);
    assert!(matches!(store.try_get(victim()), Some(Err(StoreError::Account { .. }))));
}

#[test]
fn a_silent_store_answers_when_it_is_healed_or_gone() {
    for healed in [true, false] {
        let store = with(Fault::Silence);
        let (sender, receiver) = mpsc::channel();
        store.fetch(vec![mailed(victim(), 0, &sender)]);
        assert!(!store.drive());
        assert!(receiver.try_recv().is_err());
        assert_eq!(store.silent(), 1);
        if healed {
            store.heal();
            assert_eq!(store.try_get(victim()), world().try_get(victim()));
        } else {
            drop(store);
        }
        let dropped = Err(StoreError::Dropped { query: victim() });
        assert_eq!(receiver.try_recv(), Ok((victim(), dropped)));
    }
}

#[test]
fn a_dropped_read_is_answered_so() {
    let answer = fetched(&with(Fault::Drop), &[victim()]);
    assert_eq!(answer, [Err(StoreError::Dropped { query: victim() })]);
}

#[test]
fn an_answer_to_another_kind_of_question_is_an_error_where_it_is_read() {
    for query in [victim(), Query::Slot(address(1), Default::default()), Query::BlockHash(1)] {
        let store = FaultyStore::new(world()).with(Victims::Only(query), Fault::WrongKind);
        let answer = fetched(&store, &[query]).remove(0).unwrap();
        let read = match query {
            Query::Account(_) => answer.into_account(query).map(Answer::Account),
            Query::Slot(..) => answer.into_slot(query).map(Answer::Slot),
            Query::HasStorage(_) => answer.into_has_storage(query).map(Answer::HasStorage),
            Query::BlockHash(_) => answer.into_block_hash(query).map(Answer::BlockHash),
        };
        assert!(read.is_err(), "{query}");
    }
}

#[test]
fn a_delayed_answer_is_right_and_late() {
    let store = with(Fault::Delay(Duration::from_millis(20)));
    let begin = Instant::now();
    assert_eq!(fetched(&store, &[victim()]), [world().try_get(victim()).unwrap()]);
    assert!(begin.elapsed() >= Duration::from_millis(20));
    assert!(!store.drive());
}

#[test]
fn a_panic_at_hand_panics_where_it_is_asked() {
    let store = with(Fault::PanicAtHand);
    let asked = catch_unwind(AssertUnwindSafe(|| store.try_get(victim())));
    assert!(asked.is_err());
    assert_eq!(store.try_get(accounts()[0]), world().try_get(accounts()[0]));
}

#[test]
fn a_panic_in_fetch_leaves_no_read_unanswered() {
    let store = with(Fault::PanicInFetch);
    let (sender, receiver) = mpsc::channel();
    let reads = accounts().into_iter().map(|query| mailed(query, 0, &sender)).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| store.fetch(reads))).is_err());
    let answers: Vec<_> = receiver.try_iter().collect();
    assert_eq!(answers.len(), 20);
    assert!(
        answers
            .iter()
            .all(|(query, answer)| { *answer == Err(StoreError::Dropped { query: *query }) })
    );
}

#[test]
fn the_nth_and_each_so_manieth_location_fail() {
    let failed = |victims| {
        let store = FaultyStore::new(world()).with(victims, Fault::Error);
        // Asking twice does not count twice.
        assert!(accounts().into_iter().filter(|query| store.try_get(*query).is_none()).count() > 0);
        let answers = fetched(&store, &accounts());
        let failed = answers.iter().enumerate().filter(|(_, answer)| answer.is_err());
        failed.map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(failed(Victims::Nth(3)), [3]);
    assert_eq!(failed(Victims::Each(5)), [4, 9, 14, 19]);
    assert_eq!(failed(Victims::Each(1)), (0..20).collect::<Vec<_>>());
}

#[test]
fn chance_hangs_on_the_seed_and_not_on_the_order() {
    let failed = |seed: u64, queries: &[Query]| {
        let random = Victims::Random { probability: 0.3, seed };
        let store = FaultyStore::new(world()).with(random, Fault::Error);
        let answers = queries.iter().zip(fetched(&store, queries));
        let failed = answers.filter(
            |(_, answer)| matches!(answer, Err(error) if error.to_string().contains("injected")),
        );
        failed.map(|(query, _)| *query).collect::<BTreeSet<_>>()
    };
    let forwards = queries();
    let backwards: Vec<_> = forwards.iter().rev().copied().collect();
    assert_eq!(failed(1, &forwards), failed(1, &backwards));
    assert_ne!(failed(1, &forwards), failed(2, &forwards));
    let share = failed(1, &forwards).len() as f64 / forwards.len() as f64;
    assert!((0.2..0.4).contains(&share), "{share}");
}

#[test]
fn a_passing_fault_is_suffered_once() {
    let store = with(Fault::Error).passing();
    assert!(fetched(&store, &[victim()])[0].is_err());
    assert_like_world(&store, &world(), &queries());
    assert_eq!(store.suffered(), 1);
}
