//! Random programs of operations on shared regions give, on any number of threads and in any
//! window, what running them one by one gives: results, gas, bytes, metadata, roots, and the numbers
//! that are defined to be deterministic.
//!
//! | file | concept |
//! |---|---|
//! | `program` | what a program is, and how one is made up |
//! | `act` | a program as a closure that logs all it is told |
//! | `turn` | a wait that suspends |
//! | `model` | all regions after some blocks, kept by hand |
//! | `chain` | several blocks on one shared memory, executed in every way |
//!
//! `CHORUS_CASES` sets how many chains of three blocks are tried; a chain has some sixty programs.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod act;
mod chain;
mod model;
mod program;
mod turn;

use chain::{Chain, Tally};
use proptest::{prelude::ProptestConfig, test_runner::TestRunner};

/// Chains without `CHORUS_CASES`.
const CASES: u32 = 40;

fn cases() -> u32 {
    std::env::var("CHORUS_CASES").map_or(CASES, |text| text.parse().expect("a number"))
}

#[test]
fn random_programs_on_regions_give_the_sequential_outcome_on_any_threads_and_window() {
    let tally = std::cell::RefCell::new(Tally::default());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    });
    runner
        .run(&Chain::strategy(), |chain| {
            chain.run(&mut tally.borrow_mut());
            Ok(())
        })
        .unwrap();
    let tally = tally.into_inner();
    println!("{tally:#?}");
    // Otherwise the test shows nothing.
    tally.is_telling();
}
