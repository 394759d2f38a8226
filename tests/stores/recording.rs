//! What a block read, noted.

use std::{sync::Arc, time::Duration};

use alloy_primitives::U256;
use chorus::store::{
    Fault, FaultyStore, Latency, LatencyStore, MemoryStore, Query, RecordingStore, StateStore,
    StoreError, Victims,
};

use crate::world::{address, assert_like_world, blocking, fetched, queries, world};

#[test]
fn everything_that_was_answered_is_noted_however_it_was_asked() {
    let slow = LatencyStore::new(world(), Latency::Fixed(Duration::from_micros(1)));
    let store = RecordingStore::new(Arc::new(slow));
    let [at_hand, fetch, block, future, merely_tried] =
        [1, 2, 3, 4, 5].map(|number| Query::Account(address(number)));
    blocking(&store, at_hand).unwrap();
    store.clear();
    assert!(store.is_empty());
    store.try_get(at_hand).unwrap().unwrap();
    fetched(&store, &[fetch]);
    blocking(&store, block).unwrap();
    store.read(future).wait(&store).unwrap();
    assert_eq!(store.try_get(merely_tried), None);
    let expected = [at_hand, fetch, block, future];
    let expected = expected.map(|query| (query, world().try_get(query).unwrap()));
    assert_eq!(store.records(), expected);
    assert_eq!(store.len(), 4);
}

#[test]
fn a_state_of_what_was_read_answers_it_again() {
    let store = RecordingStore::new(world());
    assert_like_world(&store, &world(), &queries());
    assert_eq!(store.to_memory(), *world());

    // Part of it is enough for whoever asks for that part.
    store.clear();
    let part: Vec<_> = queries().into_iter().step_by(3).collect();
    fetched(&store, &part);
    let exact = |query: &Query| !matches!(query, Query::HasStorage(_));
    let part: Vec<_> = part.into_iter().filter(exact).collect();
    let memory = store.to_memory();
    assert_like_world(&memory, &world(), &part);
    assert!(memory.len() < world().len() && memory != MemoryStore::default());
}

#[test]
fn a_zero_slot_makes_no_account() {
    let store = RecordingStore::new(world());
    store.storage(address(33), U256::from(1)).unwrap();
    store.account(address(34)).unwrap();
    assert!(store.to_memory().is_empty());
}

#[test]
fn errors_are_noted_and_left_out_of_the_state() {
    let query = Query::Slot(address(3), U256::from(1));
    let faulty = FaultyStore::new(world()).with(Victims::Only(query), Fault::Error);
    let store = RecordingStore::new(Arc::new(faulty));
    assert!(blocking(&store, query).is_err());
    assert!(matches!(&store.records()[..], [(_, Err(StoreError::Slot { .. }))]));
    assert!(store.to_memory().is_empty());
}
