//! Later blocks' changes over a base that does not change.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{B256, U256};
use chorus::{
    evm::{AccountChange, StateDiff},
    store::{Latency, LatencyStore, MemoryStore, OverlayStore, Query, StateStore, StoreError},
};

use crate::world::{Gate, address, assert_like_world, changes, fetched, queries, world};

#[test]
fn an_untouched_overlay_is_its_base() {
    assert_like_world(&OverlayStore::new(world()), &world(), &queries());
    let slow = LatencyStore::new(world(), Latency::Fixed(Duration::from_micros(1)));
    let overlay = OverlayStore::new(Arc::new(slow));
    assert!(overlay.latency().is_some());
    assert_like_world(&overlay, &world(), &queries());
}

#[test]
fn a_chain_of_blocks_is_like_the_states_they_make() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let base: Arc<dyn StateStore> = match seed % 2 {
            0 => world(),
            _ => Arc::new(LatencyStore::new(world(), Latency::Fixed(Duration::from_nanos(200)))),
        };
        let overlay = OverlayStore::new(base);
        let mut state = MemoryStore::clone(&world());
        for _ in 0..8 {
            let diff = changes(&state, &mut random);
            state.apply(&diff);
            overlay.apply(&diff);
            // Zeroing the last slot is not noticed, where it does not matter.
            let exact = |query: &Query| match *query {
                Query::HasStorage(account) => {
                    let any = state.has_storage(account).unwrap();
                    assert!(any <= overlay.has_storage(account).unwrap());
                    any || !world().has_storage(account).unwrap()
                }
                _ => true,
            };
            let queries: Vec<_> = queries().into_iter().filter(exact).collect();
            assert_like_world(&overlay, &state, &queries);
        }
    }
}

#[test]
fn what_blocks_made_whole_is_at_hand() {
    let overlay = OverlayStore::new(Gate::new());
    let (created, changed) = (address(30), address(1));
    let (one, two) = (U256::from(1), U256::from(2));
    let whole = AccountChange {
        created: true,
        nonce: Some(1),
        storage: vec![(one, two)],
        ..Default::default()
    };
    let partly = AccountChange { storage: vec![(two, one)], ..Default::default() };
    overlay.apply(&StateDiff { accounts: vec![(changed, partly), (created, whole)] });
    assert_eq!(overlay.try_account(created).unwrap().unwrap().unwrap().nonce, 1);
    assert_eq!(overlay.try_storage(created, one), Some(Ok(two)));
    assert_eq!(overlay.try_storage(created, two), Some(Ok(U256::ZERO)));
    assert_eq!(overlay.try_has_storage(created), Some(Ok(true)));
    assert_eq!(overlay.try_storage(changed, two), Some(Ok(one)));
    assert_eq!(overlay.try_account(changed), None);
    assert_eq!(overlay.try_storage(changed, one), None);
}

#[test]
fn a_fetched_read_is_of_the_state_in_which_it_began() {
    let gate = Gate::new();
    let overlay = OverlayStore::new(gate.clone());
    let query = Query::Account(address(1));
    let set = |balance: u64| {
        let balance = Some(U256::from(balance));
        StateDiff { accounts: vec![(address(1), AccountChange { balance, ..Default::default() })] }
    };
    overlay.apply(&set(7));
    let pending = overlay.read(query);
    overlay.apply(&set(8));
    let read = pending.wait(&overlay).unwrap().into_account(query).unwrap().unwrap();
    assert_eq!(read.balance, U256::from(7));
    assert_eq!(overlay.account(address(1)).unwrap().unwrap().balance, U256::from(8));
}

#[test]
fn hashes_of_later_blocks_are_known() {
    let overlay = OverlayStore::new(world());
    assert_eq!(overlay.block_hash(100), Err(StoreError::BlockHash { number: 100 }));
    let hash = B256::repeat_byte(9);
    overlay.set_block_hash(100, hash);
    assert_eq!(overlay.block_hash(100), Ok(hash));
    assert_eq!(overlay.block_hash(3), world().block_hash(3));
    assert!(fetched(&overlay, &[Query::BlockHash(100)])[0].is_ok());
}
