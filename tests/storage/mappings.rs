//! Entries of mappings: forecasts hash what transactions hash, and hand it to them.
//!
//! ```text
//!  counts[caller] += 1                     known from the call alone
//!  held[ pools[word 0][word 1] ] += 1      known once the pool's slot has landed: the forecast goes on
//!  turns (slot word 2) += 1                few, so that transactions are in each other's way
//! ```

use std::{sync::Arc, time::Duration};

use alloy_primitives::{U256, hex, keccak256};
use chorus::{
    evm::{Block, BlockEnv, Scouting, SpecId, StateStore, TxEnv},
    store::{Latency, LatencyStore, MemoryStore},
};

use crate::{
    executor,
    patience::in_time,
    stores::foreign,
    world::{CONTRACT, MINER, call, expected, parallel, sender},
};

const SHORT: Duration = Duration::from_micros(30);
/// Places of the mappings.
const COUNTS: u8 = 1;
const POOLS: u8 = 2;
const HELD: u8 = 3;

/// The word on the stack becomes its entry of the mapping at that place.
fn entry(place: u8) -> Vec<u8> {
    [&hex!("5f 52 60")[..], &[place], &hex!("6020 52 6040 5f 20")].concat()
}

fn code() -> Vec<u8> {
    // The slot on the stack counts one more.
    let count = &hex!("80 54 6001 01 90 55")[..];
    // Of the mapping on the stack: the entry of the calldata's second word.
    let inner = &hex!("6020 52 6024 35 5f 52 6040 5f 20 54")[..];
    let (caller, first, last) = (&hex!("33")[..], &hex!("6004 35")[..], &hex!("6044 35")[..]);
    let parts = [caller, &entry(COUNTS), count, first, &entry(POOLS), inner, &entry(HELD), count];
    [&parts.concat(), last, count, &hex!("00")[..]].concat()
}

/// Looks like an address.
fn named(number: u64) -> U256 {
    U256::from(number + 1) << 80
}

fn slot(key: U256, place: U256) -> U256 {
    let bytes = [key.to_be_bytes::<32>(), place.to_be_bytes::<32>()].concat();
    keccak256(bytes).into()
}

/// So many transactions, some of which have no more gas than `tight` says.
fn block(transactions: u64, tight: impl Fn(u64) -> Option<u64>) -> (Arc<Block>, Arc<MemoryStore>) {
    let mut memory = MemoryStore::builder();
    memory.nonce(CONTRACT, 1).code(CONTRACT, code().into());
    let mut calls = Vec::new();
    for i in 0..transactions {
        let (first, second) = (named(i % 7), named(i % 31));
        // One of a few is not there, and what that leads to is no address.
        if i % 31 != 5 {
            let pool = slot(second, slot(first, U256::from(POOLS)));
            memory.slot(CONTRACT, pool, named(1000 + i % 217));
        }
        let counted = slot(sender(i).into_word().into(), U256::from(COUNTS));
        memory.slot(CONTRACT, counted, U256::from(i + 1));
        let words = [first, second, U256::from(100 + i % 9)].map(|word| word.to_be_bytes::<32>());
        let data = [&[1, 2, 3, 4][..], &words.concat()].concat();
        let gas_limit = tight(i).unwrap_or(200_000);
        calls.push(TxEnv { gas_limit, ..call(i, &data) });
    }
    let env = BlockEnv { gas_limit: u64::MAX, beneficiary: MINER, ..BlockEnv::default() };
    (Arc::new(Block::new(SpecId::PRAGUE, 1, env, calls)), Arc::new(memory.build()))
}

fn compare(block: &Arc<Block>, world: &Arc<MemoryStore>) {
    let expected = expected(block, &**world);
    for (round, threads) in [1, 2, 4, 2].into_iter().enumerate() {
        for window in [4, 1024] {
            let latency = LatencyStore::new(world.clone(), Latency::Fixed(SHORT));
            let store: Arc<dyn StateStore> = match round % 2 {
                0 => Arc::new(latency),
                _ => foreign(world, round as u64, SHORT / 2),
            };
            let scouting = if round < 2 { Scouting::Off } else { Scouting::Auto };
            let engine = parallel(threads).window(window).scouting(scouting).build().unwrap();
            let actual = engine.execute(block, &store);
            assert_eq!(executor::difference(&expected, &actual), None, "{threads}, {window}");
        }
    }
}

#[test]
fn what_forecasts_hash_is_what_transactions_hash_however_often_they_start_over() {
    in_time(|| {
        let (block, world) = block(600, |_| None);
        compare(&block, &world);
    });
}

#[test]
fn a_hash_that_was_handed_over_costs_the_same_gas() {
    in_time(|| {
        // A hash costs 42: some transactions run out of gas in each of them.
        let (block, world) = block(900, |i| (i % 3 > 0).then_some(23_500 + i * 19));
        compare(&block, &world);
    });
}

/// How many values in a row each lead to two others.
const LEVELS: u64 = 24;

/// Reads at each level `a = A[caller][a][b]`, which is each caller's own, and `b = B[a]`, which all share and the
/// first of them has fetched: each step takes what both steps before it have read.
fn braid() -> Vec<u8> {
    let hash = &hex!("5f 52 6020 52 6040 5f 20")[..];
    let (a, b) = (&hex!("6060 51")[..], &hex!("6080 51")[..]);
    let level = |level: u64| {
        let (own, shared) = (entry(level as u8), entry(100 + level as u8));
        let own = [&hex!("33")[..], &own, a, hash, b, hash, &hex!("54 80 6060 52")].concat();
        [&own[..], &shared, &hex!("54 6080 52")].concat()
    };
    (0..LEVELS).flat_map(level).chain([0]).collect()
}

#[test]
fn a_step_that_takes_two_values_is_foreseen_once_and_not_twice_as_often_at_each_level() {
    in_time(|| {
        let mut memory = MemoryStore::builder();
        memory.nonce(CONTRACT, 1).code(CONTRACT, braid().into());
        let calls: Vec<_> = (0..80).map(|i| call(i, &[1, 2, 3, 4])).collect();
        for call in &calls {
            let (mut a, mut b) = (U256::ZERO, U256::ZERO);
            for level in 0..LEVELS {
                let own = slot(call.caller.into_word().into(), U256::from(level));
                let own = slot(b, slot(a, own));
                (a, b) = (named(1_000 + level), named(5_000 + level));
                memory.slot(CONTRACT, own, a);
                memory.slot(CONTRACT, slot(a, U256::from(100 + level)), b);
            }
        }
        let calls = calls.into_iter().map(|call| TxEnv { gas_limit: 500_000, ..call });
        let env = BlockEnv { gas_limit: u64::MAX, beneficiary: MINER, ..BlockEnv::default() };
        let block = Arc::new(Block::new(SpecId::PRAGUE, 1, env, calls));
        let world = Arc::new(memory.build());
        let expected = expected(&block, &*world);
        for (threads, window) in [(1, 8), (2, 8), (2, 64)] {
            let store: Arc<dyn StateStore> =
                Arc::new(LatencyStore::new(world.clone(), Latency::Fixed(SHORT)));
            let actual = parallel(threads).window(window).build().unwrap().execute(&block, &store);
            assert_eq!(executor::difference(&expected, &actual), None, "{threads}, {window}");
            // Each level is two waits if it is not foreseen.
            let waits = actual.unwrap().statistics.suspensions;
            assert!(waits < 80 * 2 * LEVELS, "{waits}, {threads}, {window}");
        }
    });
}
