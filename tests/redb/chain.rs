//! From block to block.

use std::sync::Arc;

use alloy_primitives::{B256, U256};
use chorus::{
    evm::{AccountChange, Bytecode, StateDiff, StateStore},
    store::{
        CachedStore, MemoryStore, Query,
        redb::{RedbError, RedbHead, RedbStore},
    },
};

use crate::{
    desk::{Desk, block, hash},
    story::{Story, address},
};

/// That the database holds the state after block `number`, with the hashes of the blocks up to it.
pub(crate) fn assert_state(store: &RedbStore, expected: &MemoryStore, number: u64) {
    let state = store.to_memory().unwrap();
    assert!(state.block_hashes().eq((1..=number).map(|number| (number, hash(number)))));
    assert_eq!(state.len(), expected.len(), "accounts after block {number}");
    for (address, account) in state.accounts() {
        let expected = expected.get(address);
        assert_eq!(Some(account), expected, "account {address} after block {number}");
        let delegates = |code: &Option<Bytecode>| code.as_ref().is_some_and(Bytecode::is_eip7702);
        let expected = expected.map(|account| delegates(&account.info().code));
        assert_eq!(Some(delegates(&account.info().code)), expected, "code of {address}");
    }
}

#[test]
fn each_block_leaves_the_state_that_memory_says_also_after_reopening() {
    let (desk, story) = (Desk::new(), Story { seed: 1 });
    let mut store = desk.create();
    let mut expected = MemoryStore::default();
    for number in 1..=60 {
        story.apply(&store, number);
        expected.apply(&story.diff(number));
        assert_state(&store, &expected, number);
        if number % 7 == 0 {
            drop(store);
            store = desk.open().unwrap();
            assert_state(&store, &expected, number);
        }
    }
    store.verify().unwrap();
}

#[test]
fn a_view_stays_what_it_was_whatever_is_applied() {
    let (desk, story) = (Desk::new(), Story { seed: 2 });
    let store = desk.create();
    let mut views = vec![store.view().unwrap()];
    for number in 1..=12 {
        story.apply(&store, number);
        views.push(store.view().unwrap());
    }
    for (number, view) in (0..).zip(&views) {
        let state = view.to_memory().unwrap();
        let mut with_hashes = MemoryStore::builder();
        for block in 1..=number {
            with_hashes.block_hash(block, hash(block));
        }
        let mut expected = with_hashes.build();
        for block in 1..=number {
            expected.apply(&story.diff(block));
        }
        assert!(state == expected, "after block {number}");
        let position = (number > 0).then(|| block(number));
        assert_eq!(view.last_applied().unwrap(), position);
    }
}

#[test]
fn a_block_that_does_not_follow_is_refused_with_both() {
    let (desk, story) = (Desk::new(), Story { seed: 3 });
    let store = desk.create();
    // Nobody said what the empty state comes after, so any block may be the first.
    store.apply(&story.diff(5), block(5), Some(hash(4))).unwrap();
    let before = store.to_memory().unwrap();
    for number in [0, 4, 5, 7, u64::MAX] {
        let error = store.apply(&story.diff(6), block(number), None).unwrap_err();
        assert!(matches!(&error, RedbError::NotNext { last, .. } if last.number == 5), "{error}");
        let message = error.to_string();
        assert!(message.contains(&format!("block {number} ")), "{message}");
        assert!(message.contains(&format!("block 5 ({})", hash(5))), "{message}");
    }
    let error = store.apply(&story.diff(6), block(6), Some(hash(8))).unwrap_err();
    assert!(matches!(error, RedbError::NotParent { .. }), "{error}");
    assert!(error.to_string().contains(&hash(8).to_string()), "{error}");
    assert!(store.to_memory().unwrap() == before);

    store.apply(&story.diff(6), block(6), Some(hash(5))).unwrap();
    assert_eq!(store.last_applied().unwrap(), Some(block(6)));
}

#[test]
fn the_last_number_has_no_next() {
    let desk = Desk::new();
    let store = desk.create();
    store.apply(&StateDiff::default(), block(u64::MAX), None).unwrap();
    let error = store.apply(&StateDiff::default(), block(0), None).unwrap_err();
    assert!(matches!(error, RedbError::NotNext { .. }), "{error}");
}

#[test]
fn wipes_and_deletes_take_the_slots_of_that_account_alone() {
    let (one, two) = (U256::from(1), U256::from(2));
    let mut builder = MemoryStore::builder();
    // Neighbours in the order of the keys, with slots at both ends.
    let addresses = [0x10u8, 0x11, 0x12].map(alloy_primitives::Address::repeat_byte);
    for address in addresses {
        builder.balance(address, one);
        for slot in [U256::ZERO, one, U256::MAX] {
            builder.slot(address, slot, two);
        }
    }
    let mut expected = builder.build();
    let desk = Desk::new();
    let store = desk.with(&expected);
    let wiped =
        AccountChange { wiped: true, storage: vec![(two, one)], ..AccountChange::default() };
    let deleted = AccountChange { wiped: true, deleted: true, ..AccountChange::default() };
    for (number, change) in [(1, wiped), (2, deleted)] {
        let diff = StateDiff { accounts: vec![(addresses[1], change)] };
        store.apply(&diff, block(number), None).unwrap();
        expected.apply(&diff);
        assert_state(&store, &expected, number);
        let view = store.view().unwrap();
        for address in addresses {
            assert_eq!(view.has_storage(address), expected.has_storage(address), "{address}");
        }
    }
}

#[test]
fn a_zero_removes_a_slot_and_an_emptied_account_stays() {
    let one = U256::from(1);
    let mut builder = MemoryStore::builder();
    builder.slot(address(1), one, one).balance(address(1), one);
    let mut expected = builder.build();
    let desk = Desk::new();
    let store = desk.with(&expected);
    let change = AccountChange {
        balance: Some(U256::ZERO),
        storage: vec![(one, U256::ZERO)],
        ..AccountChange::default()
    };
    let diff = StateDiff { accounts: vec![(address(1), change)] };
    store.apply(&diff, block(1), None).unwrap();
    expected.apply(&diff);
    assert_state(&store, &expected, 1);
    assert!(!store.view().unwrap().has_storage(address(1)).unwrap());
}

#[test]
fn code_under_a_wrong_hash_is_not_written() {
    let desk = Desk::new();
    let store = desk.create();
    let code = Bytecode::new_legacy(vec![1, 2, 3].into());
    let change = AccountChange { code: Some((B256::ZERO, code)), ..AccountChange::default() };
    let diff = StateDiff { accounts: vec![(address(1), change)] };
    let error = store.apply(&diff, block(1), None).unwrap_err();
    assert!(matches!(error, RedbError::CodeHash { .. }), "{error}");
    assert!(store.to_memory().unwrap().is_empty());
    assert_eq!(store.last_applied().unwrap(), None);
}

#[test]
fn a_database_is_compacted_when_nobody_views_it() {
    let (desk, story) = (Desk::new(), Story { seed: 4 });
    let mut store = desk.with(&Story { seed: 5 }.genesis(3000));
    let everything =
        |account| (address(account), AccountChange { deleted: true, ..Default::default() });
    let mut accounts: Vec<_> = (0..3000).map(everything).collect();
    accounts.sort_by_key(|(address, _)| *address);
    store.apply(&StateDiff { accounts }, block(1), None).unwrap();
    for number in 2..10 {
        story.apply(&store, number);
    }
    let before = store.to_memory().unwrap();
    let view = store.view().unwrap();
    assert!(matches!(store.compact(), Err(RedbError::InUse { .. })));
    drop(view);
    let length = || std::fs::metadata(desk.path()).unwrap().len();
    let large = length();
    store.compact().unwrap();
    assert!(length() < large, "{} of {large}", length());
    assert!(store.to_memory().unwrap() == before);
    store.verify().unwrap();
}

#[test]
fn the_head_moves_on_with_each_block_and_answers_old_reads_from_the_old_state() {
    let (desk, story) = (Desk::new(), Story { seed: 6 });
    let head = RedbHead::new(Arc::new(desk.create())).unwrap();
    let mut expected = MemoryStore::default();
    for number in 1..=10 {
        let before = expected.clone();
        // Asked before the block is applied, and perhaps answered after it.
        let queries: Vec<_> = (0..48).map(|account| Query::Account(address(account))).collect();
        let early = head.read_many(&queries);
        let diff = story.diff(number);
        head.apply(&diff, block(number), Some(hash(number - 1))).unwrap();
        expected.apply(&diff);
        for (query, pending) in queries.iter().zip(early) {
            assert_eq!(pending.wait(&head), before.try_get(*query).unwrap(), "{query}");
        }
        for account in 0..48 {
            let address = address(account);
            assert_eq!(head.account(address), expected.account(address));
            assert_eq!(head.has_storage(address), expected.has_storage(address));
            for (slot, value) in expected.get(&address).into_iter().flat_map(|held| held.slots()) {
                assert_eq!(head.storage(address, slot), Ok(value));
            }
        }
        assert_eq!(head.block_hash(number), Ok(hash(number)));
        assert!(head.apply(&diff, block(number), None).is_err());
    }
    assert_state(head.store(), &expected, 10);
}

#[test]
fn a_cache_in_front_of_the_head_answers_for_every_block_and_knows_what_it_was_asked() {
    let (desk, story) = (Desk::new(), Story { seed: 7 });
    let head = Arc::new(RedbHead::new(Arc::new(desk.create())).unwrap());
    let cached = CachedStore::new(head.clone(), 1 << 20);
    let mut expected = MemoryStore::default();
    for number in 1..=10 {
        let diff = story.diff_over(&expected, number);
        head.apply(&diff, block(number), None).unwrap();
        cached.apply(&diff);
        expected.apply(&diff);
        for account in 0..48 {
            let query = Query::Account(address(account));
            let answer = expected.try_get(query);
            assert_eq!(Some(cached.read(query).wait(&cached)), answer, "{query}");
            assert_eq!(cached.try_get(query), answer, "{query} is at hand");
        }
    }
    assert!(cached.stats().hits > cached.stats().misses);
}
