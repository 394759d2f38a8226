//! The scheduler on virtual time: what it is true to, and that it ends.

// No protocol of the crate is at stake in the tests themselves.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::{sync::Arc, time::Duration};

use chorus::sim::{Block, Costs, Fault, Location, Read, Settings, SimError, Transaction, simulate};

const MICRO: Duration = Duration::from_micros(1);

/// Reads each location at the share of its time that stands beside it.
fn transaction(micros: u64, reads: &[(u32, f64)], writes: &[u32]) -> Transaction {
    let work = MICRO * micros as u32;
    let read =
        |(location, at): &(u32, f64)| Read { location: Location(*location), at: work.mul_f64(*at) };
    Transaction {
        work,
        reads: reads.iter().map(read).collect(),
        writes: writes.iter().copied().map(Location).collect(),
        batch: 1,
    }
}

/// Increments a counter of its own.
fn independent(transactions: u32) -> Arc<Block> {
    let one = |tx| transaction(10, &[(tx, 0.5)], &[tx]);
    Arc::new(Block { transactions: (0..transactions).map(one).collect() })
}

/// Increments the one counter.
fn chain(transactions: u32) -> Arc<Block> {
    let one = |_| transaction(10, &[(0, 0.1)], &[0]);
    Arc::new(Block { transactions: (0..transactions).map(one).collect() })
}

/// Reads and writes here and there, more often at low numbers.
fn mixed(transactions: u64, seed: u64) -> Arc<Block> {
    let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let mut one = || {
        let mut locations: Vec<u32> = (0..1 + draw(6)).map(|_| draw(40) as u32).collect();
        locations.extend((0..draw(3)).map(|_| draw(4) as u32));
        locations.sort_unstable();
        locations.dedup();
        let step = 1.0 / (locations.len() + 1) as f64;
        let reads: Vec<_> =
            locations.iter().enumerate().map(|(n, it)| (*it, n as f64 * step)).collect();
        let mut writes: Vec<_> = locations.iter().copied().filter(|_| draw(3) == 0).collect();
        // A write without a read.
        writes.push(100 + draw(20) as u32);
        Transaction { batch: draw(4) as u32, ..transaction(1 + draw(30), &reads, &writes) }
    };
    Arc::new(Block { transactions: (0..transactions).map(|_| one()).collect() })
}

fn costs() -> Costs {
    Costs {
        start: MICRO / 5,
        publish: MICRO / 10,
        commit: MICRO / 10,
        commit_later: MICRO / 8,
        look: MICRO / 50,
        spin: MICRO * 2,
        wake: MICRO * 8,
        notify: MICRO,
        read: Duration::ZERO,
    }
}

fn speed_up(block: &Arc<Block>, settings: &Settings) -> f64 {
    block.work().as_secs_f64() / simulate(block, settings).unwrap().time.as_secs_f64()
}

#[test]
fn one_core_takes_the_sum_of_the_costs() {
    let block = mixed(300, 1);
    let free = simulate(&block, &Settings::new(1)).unwrap();
    assert_eq!((free.time, free.incarnations), (block.work(), 300));
    assert_eq!((free.suspensions, free.wasted), (0, Duration::ZERO));
    // Each is started and committed, and none has to be published.
    let settings = Settings { costs: costs(), ..Settings::new(1) };
    let paid = simulate(&block, &settings).unwrap();
    assert_eq!(paid.time, block.work() + 300 * (costs().start + costs().commit));
    assert_eq!(paid.busy, [paid.time]);
}

#[test]
fn independent_transactions_go_as_many_times_faster_as_there_are_cores() {
    let block = independent(6_400);
    for cores in [1, 2, 3, 16, 64] {
        let gained = speed_up(&block, &Settings::new(cores));
        assert!((gained - cores as f64).abs() < 0.01 * cores as f64, "{cores}: {gained}");
    }
}

#[test]
fn a_chain_gains_nothing_and_loses_little() {
    let block = chain(500);
    for cores in [2, 8, 64] {
        let outcome = simulate(&block, &Settings::new(cores)).unwrap();
        let gained = block.work().as_secs_f64() / outcome.time.as_secs_f64();
        // What a transaction does before it reads the counter can be done beside the one before.
        assert!((0.95..1.2).contains(&gained), "{cores}: {gained}");
        assert!(outcome.incarnations < 700, "{}", outcome.incarnations);
    }
}

#[test]
fn the_same_seed_gives_the_same_course_and_another_one_another() {
    let block = mixed(500, 2);
    let settings = Settings { seed: 3, jitter: 0.1, costs: costs(), ..Settings::new(8) };
    let first = simulate(&block, &settings).unwrap();
    assert_eq!(simulate(&block, &settings).unwrap(), first);
    let other = simulate(&block, &Settings { seed: 4, ..settings }).unwrap();
    assert_ne!((other.time, other.steps), (first.time, first.steps));
    assert_eq!(other.state, first.state);
}

#[test]
fn every_course_ends_in_the_sequential_state() {
    for seed in 0..40 {
        let block = mixed(200, seed);
        let expected = block.sequential_state();
        for cores in [1, 2, 5, 16] {
            for (window, read) in [(256, 0), (7, 0), (1, 0), (64, 50)] {
                let costs = Costs { read: MICRO * read, ..costs() };
                let jitter = 0.3;
                let settings = Settings { window, seed, jitter, costs, ..Settings::new(cores) };
                let outcome = simulate(&block, &settings).unwrap();
                assert_eq!(outcome.state, expected, "seed {seed}, {cores} cores, window {window}");
                assert!(outcome.incarnations >= 200);
            }
        }
    }
}

#[test]
fn waits_for_the_store_overlap() {
    let block = independent(256);
    let costs = Costs { read: MICRO * 1_000, ..Costs::default() };
    let outcome = simulate(&block, &Settings { costs, ..Settings::new(1) }).unwrap();
    assert_eq!(outcome.suspensions, 256);
    assert!(outcome.time < MICRO * 4_000, "{:?}", outcome.time);
}

#[test]
fn a_core_that_is_taken_away_delays_the_block_and_changes_nothing() {
    let block = independent(400);
    let smooth = simulate(&block, &Settings::new(4)).unwrap();
    let stall = Fault::Stall { core: 1, at: MICRO * 100, length: MICRO * 300 };
    let settings = Settings { faults: vec![stall], ..Settings::new(4) };
    let rough = simulate(&block, &settings).unwrap();
    assert_eq!(rough.state, smooth.state);
    // The others do its share, but for the transaction in its hands.
    assert!(rough.time > smooth.time && rough.time < smooth.time + MICRO * 200);
}

#[test]
fn a_panic_ends_the_block_with_its_transaction() {
    let faults = vec![Fault::Panic { transaction: 70 }, Fault::Panic { transaction: 40 }];
    for cores in [1, 2, 16] {
        let settings = Settings { faults: faults.clone(), costs: costs(), ..Settings::new(cores) };
        assert_eq!(simulate(&mixed(100, 5), &settings), Err(SimError::Panic { index: 40 }));
    }
}

#[test]
fn a_dead_worker_ends_the_block_and_nobody_waits_for_it() {
    let death = Fault::Death { core: 1, at: MICRO * 55 };
    for cores in [2, 7] {
        for block in [chain(100), independent(100), mixed(100, 6)] {
            let settings = Settings { faults: vec![death], costs: costs(), ..Settings::new(cores) };
            assert_eq!(simulate(&block, &settings), Err(SimError::CoreDied { core: 1 }));
        }
    }
    // One that comes after the end of the block changes nothing.
    let late = Fault::Death { core: 0, at: MICRO * 1_000_000 };
    let settings = Settings { faults: vec![late], ..Settings::new(2) };
    assert!(simulate(&chain(10), &settings).is_ok());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let block = Arc::new(Block { transactions: vec![transaction(1, &[(0, 0.5), (1, 0.4)], &[])] });
    assert_eq!(simulate(&block, &Settings::new(0)), Err(SimError::NoCores));
    let error = simulate(&block, &Settings::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "transaction 0: a read at 400ns of 1µs is out of order");
    let empty = simulate(&Arc::default(), &Settings::new(3)).unwrap();
    assert_eq!((empty.time, empty.steps > 0), (Duration::ZERO, true));
}
