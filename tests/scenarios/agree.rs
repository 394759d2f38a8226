//! Every scenario at a small size, on one to eight threads, against one transaction after another.

use std::sync::Arc;

use chorus::evm::{
    BlockOutcome, Engine, Path, Sequential, StateStore,
    workload::{Scenario, scenario::Contention},
};

const SIZE: usize = 120;

pub(crate) fn sequential(work: &Contention) -> BlockOutcome {
    let mut machine = Sequential::with_shared_memory(work.memory.clone());
    machine.execute(&work.block, &*work.store, work.policy).unwrap()
}

fn agrees(scenarios: &[Scenario], seed: u64) {
    for scenario in scenarios {
        let settings = scenario.settings([]).unwrap();
        let work = scenario.build(SIZE, seed, &settings);
        let expected = sequential(&work);
        for threads in 1..=8 {
            let engine = Engine::builder()
                .threads(threads)
                .path(Path::Parallel)
                .policy(work.policy)
                .shared_memory(work.memory.clone())
                .build()
                .unwrap();
            let store: Arc<dyn StateStore> = work.store.clone();
            let outcome = engine.execute(&work.block, &store).unwrap();
            let name = scenario.name;
            assert!(outcome.statistics.parallel, "{name}");
            assert_eq!(outcome.transactions, expected.transactions, "{name} on {threads}");
            assert_eq!(outcome.diff, expected.diff, "{name} on {threads}");
            assert_eq!(outcome.regions, expected.regions, "{name} on {threads}");
            assert_eq!(outcome.gas_used, expected.gas_used, "{name} on {threads}");
        }
    }
}

#[test]
fn the_first_half_of_the_scenarios_ends_as_one_by_one_on_any_number_of_threads() {
    agrees(&Scenario::ALL[..Scenario::ALL.len() / 2], 1);
}

#[test]
fn the_second_half_of_the_scenarios_ends_as_one_by_one_on_any_number_of_threads() {
    agrees(&Scenario::ALL[Scenario::ALL.len() / 2..], 2);
}
