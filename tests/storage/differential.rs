//! Whatever a store makes a block wait for, and in whatever order: the outcome is the same.

use std::{sync::Arc, time::Duration};

use chorus::{
    evm::{
        Block, BlockError, BlockOutcome, ChainSpec, Engine, EngineBuilder, InvalidPolicy, Path,
        Scouting, Sequential, StateStore, input, workload::Workload,
    },
    store::{Latency, LatencyStore, MemoryStore},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::{
    data, executor,
    generate::{self, SPECS},
    patience::in_time,
    stores::{Partly, Quiet, at_once, foreign},
    world::{expected, generated},
};

const SHORT: Duration = Duration::from_micros(30);

/// Ways to be slow.
const KINDS: usize = 9;

fn store(kind: usize, world: &Arc<MemoryStore>, seed: u64) -> Arc<dyn StateStore> {
    let latency = |latency| {
        let store = LatencyStore::new(world.clone(), latency);
        Arc::new(store.with_seed(seed)) as Arc<dyn StateStore>
    };
    let partly = |rest| {
        let one_of = [1, 2, 5, 20, 100][seed as usize % 5];
        Partly { world: world.clone(), one_of, rest }
    };
    match kind {
        0 => latency(Latency::Fixed(SHORT)),
        1 => latency(Latency::LogNormal { median: SHORT / 2, sigma: 1.0 }),
        2 => latency(Latency::Fixed(Duration::ZERO)),
        3 => at_once(world),
        4 => {
            let below = foreign(world, seed, SHORT / 2);
            Arc::new(LatencyStore::new(below, Latency::Fixed(SHORT / 2)))
        }
        5 => foreign(world, seed, SHORT / 2),
        // From a few that are at hand, for which looks are skipped, to most.
        6 => Arc::new(partly(latency(Latency::Fixed(SHORT)))),
        // It says that all is at hand, and then not all is.
        7 => Arc::new(partly(world.clone())),
        _ => Arc::new(Quiet(partly(foreign(world, seed, SHORT / 2)))),
    }
}

/// Every way to be configured, each with a number.
fn configurations() -> impl Iterator<Item = (usize, EngineBuilder)> {
    let numbers = [1, 2, 4, 8].into_iter().flat_map(|threads| {
        let windows = [1, 2, 16, 256]
            .into_iter()
            .flat_map(move |window| [1, 2, 256].map(|reads| (threads, window, reads)));
        windows.flat_map(|each| [Scouting::Auto, Scouting::Off].map(|scouting| (each, scouting)))
    });
    let builders = numbers.map(|((threads, window, reads), scouting)| {
        let builder = Engine::builder().path(Path::Parallel).threads(threads).window(window);
        builder.reads_in_flight(reads).scouting(scouting)
    });
    builders.enumerate()
}

fn assert_same(
    expected: &Result<BlockOutcome, BlockError>,
    (builder, kind): (&EngineBuilder, usize),
    block: &Arc<Block>,
    store: &Arc<dyn StateStore>,
) {
    let engine = builder.clone().build().unwrap();
    let actual = engine.execute(block, store);
    if let Some(difference) = executor::difference(expected, &actual) {
        panic!("block {}, kind {kind}, {builder:?}: {difference}", block.env.number);
    }
}

#[test]
fn generated_blocks_are_the_same_over_slow_stores_in_every_configuration() {
    let blocks = Workload::ALL.iter().map(|each| generated(*each, 40));
    let blocks: Arc<Vec<_>> =
        Arc::new(blocks.map(|(block, world)| (expected(&block, &*world), block, world)).collect());
    for (number, builder) in configurations() {
        let blocks = blocks.clone();
        in_time(move || {
            for kind in 0..KINDS {
                // Another workload each time: all of them meet all kinds.
                let (expected, block, world) = &blocks[(number + kind * 3) % blocks.len()];
                let store = store(kind, world, number as u64);
                assert_same(expected, (&builder, kind), block, &store);
            }
        });
    }
}

#[test]
fn real_blocks_are_the_same_over_slow_stores() {
    let Some(directory) = data::blocks_dir() else { return };
    let chain = ChainSpec::mainnet();
    let mut builders: Vec<_> = configurations().collect();
    // A window of one transaction waits for each read of the block, one after another.
    builders.retain(|(_, builder)| !format!("{builder:?}").contains("window: 1,"));
    let rounds = if data::full_sweep() { 20 } else { 2 };
    let mut turn = 0;
    for directory in input::discover(&directory).unwrap() {
        let (block, world) = input::load_block(&directory, &chain).unwrap();
        let (block, world) = (Arc::new(block), Arc::new(world));
        let expected = Arc::new(expected(&block, &*world));
        for _ in 0..rounds {
            turn += 1;
            let kind = turn % KINDS;
            let builder = builders[turn * 7 % builders.len()].1.clone();
            let store = store(kind, &world, turn as u64);
            let (expected, block) = (expected.clone(), block.clone());
            in_time(move || assert_same(&expected, (&builder, kind), &block, &store));
        }
    }
}

#[test]
fn random_blocks_of_every_fork_are_the_same_over_slow_stores() {
    in_time(|| {
        let builders: Vec<_> = configurations().collect();
        let mut runner = TestRunner::deterministic();
        let mut turn = 0;
        for spec in SPECS {
            let strategy = generate::block(spec);
            for _ in 0..8 {
                let case = strategy.new_tree(&mut runner).unwrap().current();
                for policy in [InvalidPolicy::Skip, InvalidPolicy::Fail] {
                    turn += 1;
                    let expected = Sequential::new().execute(&case.block, &*case.store, policy);
                    let builder = builders[turn * 7 % builders.len()].1.clone().policy(policy);
                    let store = store(turn % KINDS, &case.store, turn as u64);
                    assert_same(&expected, (&builder, turn % KINDS), &case.block, &store);
                }
            }
        }
    });
}
