//! Every scenario at its usual size: the engine on two workers against one transaction after another.
//! `chorus bench` says more about each.
//!
//! The ratio here is the engine's time to the baseline's: less than 1 is faster.

// Benchmarks may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::sync::Arc;

use chorus::evm::{Engine, Sequential, StateStore, workload::Scenario};
use common::{Options, Table, Target, batched};

const THREADS: usize = 2;

fn main() {
    let mut table = Table::new("scenarios", Options::from_arguments());
    for scenario in Scenario::ALL {
        if !table.chooses(scenario.name) {
            continue;
        }
        let size = if table.is_quick() { 20 } else { scenario.size };
        let settings = scenario.settings([]).expect("the usual values are values");
        let work = scenario.build(size, 1, &settings);
        let engine = Engine::builder()
            .threads(THREADS)
            .policy(work.policy)
            .shared_memory(work.memory.clone())
            .build()
            .expect("two workers and the default window");
        let store: Arc<dyn StateStore> = work.store.clone();
        table.row(
            scenario.name,
            Target::None,
            batched(|| engine.forget(), |()| engine.execute(&work.block, &store)),
            batched(
                || Sequential::with_shared_memory(work.memory.clone()),
                |mut machine| machine.execute(&work.block, &*work.store, work.policy),
            ),
        );
    }
    table.print();
}
