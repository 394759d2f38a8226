//! Generated blocks whose state is published by an artificial earlier transaction, location by
//! location as somebody waits for it.
#![cfg(feature = "evm")]

#[path = "common/executor.rs"]
mod executor;

use std::sync::Arc;

use chorus::{
    evm::{
        BlockError, BlockOutcome, Engine, InvalidPolicy, Path, Sequential, StateStore,
        workload::Workload,
    },
    store::MemoryStore,
};

fn over_published(
    engine: &Engine,
    block: &chorus::evm::Block,
    store: &MemoryStore,
    seed: u64,
) -> Result<BlockOutcome, BlockError> {
    let slots = store
        .accounts()
        .map(|(address, account)| (*address, account.slots().map(|(slot, _)| slot).collect()));
    let locations: Vec<_> = slots.collect();
    let store: Arc<dyn StateStore> = Arc::new(store.clone());
    engine.execute_over_published(block, &store, &locations, seed)
}

fn engine(threads: usize, window: u32, policy: InvalidPolicy) -> Engine {
    let builder = Engine::builder().threads(threads).window(window).path(Path::Parallel);
    builder.policy(policy).build().unwrap()
}

#[test]
fn every_workload_holds_over_a_published_state() {
    for workload in Workload::ALL {
        let (block, store) = workload.with_transactions(40).build(3);
        let expected = Sequential::new().execute(&block, &store, InvalidPolicy::Fail);
        for (threads, window) in [(1, 256), (2, 256), (4, 4), (2, 1)] {
            let engine = engine(threads, window, InvalidPolicy::Fail);
            for seed in 0..3 {
                let actual = over_published(&engine, &block, &store, seed);
                let waits = actual.as_ref().map_or(0, |outcome| outcome.statistics.suspensions);
                if let Some(difference) = executor::difference(&expected, &actual) {
                    panic!("{workload:?} on {threads} threads, window {window}: {difference}");
                }
                // In a window of one nobody runs while the state is being published.
                assert_eq!(waits > 0, window > 1, "{workload:?}, window {window}");
            }
        }
    }
}

#[test]
fn a_single_transaction_waits_for_each_location_that_it_reads() {
    let (block, store) = Workload::ALL[0].with_transactions(1).build(5);
    let expected = Sequential::new().execute(&block, &store, InvalidPolicy::Fail);
    for threads in [1, 2] {
        let engine = engine(threads, 256, InvalidPolicy::Fail);
        let actual = over_published(&engine, &block, &store, 9);
        assert!(executor::difference(&expected, &actual).is_none());
        let statistics = actual.unwrap().statistics;
        assert!(statistics.suspensions >= 2, "sender and recipient, not {statistics:?}");
    }
}

#[test]
fn an_invalid_transaction_is_named_by_its_place_in_the_block_as_given() {
    let (mut block, store) = Workload::ALL[0].with_transactions(6).build(5);
    block.transactions[3].env.nonce += 1;
    for policy in [InvalidPolicy::Fail, InvalidPolicy::Skip] {
        let expected = Sequential::new().execute(&block, &store, policy);
        assert_eq!(expected.is_err(), policy == InvalidPolicy::Fail);
        for threads in [1, 2] {
            let actual = over_published(&engine(threads, 256, policy), &block, &store, 1);
            assert_eq!(executor::difference(&expected, &actual), None);
        }
    }
}

#[test]
fn an_empty_block_needs_nobody_to_wait() {
    let (mut block, store) = Workload::ALL[0].with_transactions(6).build(5);
    block.transactions.clear();
    let outcome = over_published(&engine(2, 256, InvalidPolicy::Fail), &block, &store, 1).unwrap();
    assert!(outcome.transactions.is_empty() && outcome.diff.accounts.is_empty());
}

#[test]
fn a_block_with_a_prologue_is_refused() {
    let (mut block, store) = Workload::ALL[0].with_transactions(6).build(5);
    block.system.parent_hash = Some(Default::default());
    let result = over_published(&engine(2, 256, InvalidPolicy::Fail), &block, &store, 1);
    assert!(matches!(result, Err(BlockError::Environment(_))), "{result:?}");
}
