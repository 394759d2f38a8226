//! Real blocks, forced through the parallel path: exactly what one-by-one execution gives, on any
//! number of threads and in any window, again and again; and what their headers say.
//!
//! Three rounds; ten with `CHORUS_FULL_SWEEP=1`.
#![cfg(feature = "evm")]

#[path = "common/data.rs"]
mod data;
#[path = "common/executor.rs"]
mod executor;

use std::sync::Arc;

use alloy_primitives::{Address, U256};
use chorus::{
    evm::{
        Block, BlockError, BlockOutcome, ChainSpec, Engine, InvalidPolicy, Path, Sequential,
        StateStore, input,
    },
    store::MemoryStore,
};

/// A block, the state it starts from, and what comes of it one by one.
struct Real {
    block: Arc<Block>,
    store: Arc<MemoryStore>,
    expected: Result<BlockOutcome, BlockError>,
}

/// All shared blocks; `None` without them.
fn real_blocks() -> Option<Vec<Real>> {
    let directory = data::blocks_dir()?;
    let chain = ChainSpec::mainnet();
    let load = |directory: std::path::PathBuf| {
        let (block, store) = input::load_block(&directory, &chain).unwrap();
        let expected = Sequential::new().execute(&block, &store, InvalidPolicy::Fail);
        assert!(expected.is_ok(), "block {}: {:?}", block.env.number, expected.err());
        Real { block: Arc::new(block), store: Arc::new(store), expected }
    };
    let blocks: Vec<_> = input::discover(&directory).unwrap().into_iter().map(load).collect();
    assert!(blocks.len() >= 41, "only {} blocks", blocks.len());
    Some(blocks)
}

fn engine(threads: usize, window: u32) -> Engine {
    Engine::builder().threads(threads).window(window).path(Path::Parallel).build().unwrap()
}

fn assert_equal(real: &Real, actual: Result<BlockOutcome, BlockError>, how: &str) {
    if let Some(difference) = executor::difference(&real.expected, &actual) {
        panic!("block {} {how}: {difference}", real.block.env.number);
    }
}

/// Compares an outcome with the header; returns how many fields it has to say something about.
fn assert_header(block: &Block, outcome: &BlockOutcome) -> usize {
    let claims = &block.claims;
    let fields = [
        ("gas used", claims.gas_used.map(|gas| gas == outcome.gas_used)),
        ("receipts root", claims.receipts_root.map(|root| root == outcome.receipts_root())),
        ("logs bloom", claims.logs_bloom.map(|bloom| bloom == outcome.logs_bloom())),
    ];
    for (what, same) in fields {
        assert_ne!(same, Some(false), "{what} of block {}", block.env.number);
    }
    fields.iter().filter(|(_, same)| same.is_some()).count()
}

#[test]
fn real_blocks_equal_one_by_one_execution_on_any_threads_in_any_window() {
    let Some(blocks) = real_blocks() else { return };
    let rounds = if data::full_sweep() { 10 } else { 3 };
    for threads in [1, 2, 4, 8] {
        for window in [1, 4, 256] {
            let engine = engine(threads, window);
            for round in 0..rounds {
                for real in &blocks {
                    let store: Arc<dyn StateStore> = real.store.clone();
                    let actual = engine.execute(&real.block, &store);
                    let how = format!("on {threads} threads, window {window}, round {round}");
                    assert_equal(real, actual, &how);
                }
            }
        }
    }
}

#[test]
fn real_blocks_equal_their_headers() {
    let Some(blocks) = real_blocks() else { return };
    let engine = engine(2, 256);
    let mut checked = 0;
    for real in &blocks {
        let store: Arc<dyn StateStore> = real.store.clone();
        let one_by_one = real.expected.as_ref().unwrap();
        let in_parallel = engine.execute(&real.block, &store).unwrap();
        checked +=
            assert_header(&real.block, one_by_one).min(assert_header(&real.block, &in_parallel));
    }
    assert!(checked >= 100, "only {checked} header fields were there to check");
}

/// Everything a store holds, as locations to publish.
fn locations(store: &MemoryStore) -> Vec<(Address, Vec<U256>)> {
    let slots = store
        .accounts()
        .map(|(address, account)| (*address, account.slots().map(|(slot, _)| slot).collect()));
    slots.collect()
}

#[test]
fn real_blocks_hold_over_a_published_state() {
    let Some(blocks) = real_blocks() else { return };
    let (mut ran, mut waits) = (0, 0);
    for threads in [1, 2, 4, 8] {
        let engine = engine(threads, 256);
        for real in &blocks {
            let system = &real.block.system;
            if system.dao_fork || system.beacon_root.is_some() || system.parent_hash.is_some() {
                continue;
            }
            let store: Arc<dyn StateStore> = real.store.clone();
            let locations = locations(&real.store);
            let actual =
                engine.execute_over_published(&real.block, &store, &locations, data::seed());
            waits += actual.as_ref().map_or(0, |outcome| outcome.statistics.suspensions);
            ran += 1;
            assert_equal(real, actual, &format!("published, on {threads} threads"));
        }
    }
    println!("{ran} times, {waits} suspensions");
    // How often depends on which thread comes first: 100 to 150 times a block on two cores.
    assert!(ran >= 80 && waits >= 10 * ran, "{ran} blocks waited {waits} times");
}
