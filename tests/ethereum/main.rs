//! The Ethereum state tests and blockchain tests, run as blocks.
//!
//! | file | what it does |
//! |---|---|
//! | `json` | the files' formats |
//! | `fork` | names of forks |
//! | `world` | a complete state as a plain map: pre-state, store, post-state |
//! | `executor` | who runs the blocks |
//! | `state_tests`, `blockchain_tests` | one case each |
//! | `exceptions` | which errors stand for an expected exception |
//! | `sweep` | all files of a folder on all cores, and the counts |
//!
//! Every case runs one by one, in parallel on two threads, and in parallel on two threads with its
//! pre-state published by an artificial earlier transaction; an eighth runs in each way on one, four
//! and eight threads. `CHORUS_SEED` chooses the eighths. Everything at every number of threads:
//!
//! ```text
//! CHORUS_FULL_SWEEP=1 cargo test --test ethereum --test blocks
//! ```

#![cfg(feature = "evm")]
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod blockchain_tests;
#[path = "../common/data.rs"]
mod data;
mod exceptions;
mod executor;
mod fork;
mod json;
mod state_tests;
mod sweep;
mod world;

use std::io::Write;

use executor::{Executor, OneByOne, Parallel, Published};
use sweep::{FileRunner, Selection, sweep};

/// A folder of the suites, and how many cases it has at least.
struct Suite {
    folder: &'static str,
    runner: FileRunner,
    cases: usize,
}

const GENERAL: Suite =
    Suite { folder: "GeneralStateTests", runner: state_tests::run_file, cases: 9_815 };
const SPEC: Suite =
    Suite { folder: "ExecutionSpecTests", runner: state_tests::run_file, cases: 931 };
const BLOCKCHAIN: Suite =
    Suite { folder: "BlockchainTests", runner: blockchain_tests::run_file, cases: 329 };

impl Suite {
    /// Runs the suite and prints the counts. Without the files there is nothing to run, which has
    /// been said on standard error by then.
    fn run(&self, executor: &dyn Executor, selection: Selection) {
        let Some(directory) = data::ethereum_tests_dir() else { return };
        let folder = self.folder;
        let report = sweep(&directory.join(folder), executor, selection, self.runner);
        let counts = executor.counts(report.ran);
        // Past the test harness, which would show the counts of failing tests only.
        let _ = writeln!(std::io::stderr(), "{folder}, {}: {report}{counts}", executor.name());
        assert!(report.failures.is_empty(), "{folder}: {} cases failed", report.failures.len());
        assert!(report.skipped.is_empty(), "{folder}: {} cases skipped", report.skipped.len());
        let at_least = match selection {
            Selection::All => self.cases,
            Selection::Eighth(_) => self.cases / 10,
        };
        assert!(report.ran >= at_least, "{folder}: only {} cases ran", report.ran);
    }

    /// Runs an eighth of the suite, another one for each number of threads but two, or, in a full
    /// sweep, all of it.
    fn run_on_other_threads(&self) {
        for threads in [1, 4, 8] {
            self.run(&Parallel::new(threads), part(threads));
        }
    }

    /// Runs the suite over published pre-states on two threads, and in a full sweep also on others.
    fn run_over_published(&self) {
        self.run(&Published::new(2, data::seed()), Selection::All);
        for threads in [1, 4, 8] {
            self.run(&Published::new(threads, data::seed()), part(threads));
        }
    }
}

fn part(threads: usize) -> Selection {
    if data::full_sweep() {
        Selection::All
    } else {
        Selection::Eighth(data::seed().wrapping_add(threads as u64))
    }
}

#[test]
fn general_state_tests_hold_one_by_one() {
    GENERAL.run(&OneByOne, Selection::All);
}

#[test]
fn execution_spec_tests_hold_one_by_one() {
    SPEC.run(&OneByOne, Selection::All);
}

#[test]
fn blockchain_tests_hold_one_by_one() {
    BLOCKCHAIN.run(&OneByOne, Selection::All);
}

#[test]
fn general_state_tests_hold_in_parallel() {
    GENERAL.run(&Parallel::new(2), Selection::All);
}

#[test]
fn execution_spec_tests_hold_in_parallel() {
    SPEC.run(&Parallel::new(2), Selection::All);
}

#[test]
fn blockchain_tests_hold_in_parallel() {
    BLOCKCHAIN.run(&Parallel::new(2), Selection::All);
}

#[test]
fn general_state_tests_hold_on_one_and_on_many_threads() {
    GENERAL.run_on_other_threads();
}

#[test]
fn execution_spec_tests_hold_on_one_and_on_many_threads() {
    SPEC.run_on_other_threads();
}

#[test]
fn blockchain_tests_hold_on_one_and_on_many_threads() {
    BLOCKCHAIN.run_on_other_threads();
}

#[test]
fn general_state_tests_hold_over_a_published_pre_state() {
    GENERAL.run_over_published();
}

#[test]
fn execution_spec_tests_hold_over_a_published_pre_state() {
    SPEC.run_over_published();
}

#[test]
fn blockchain_tests_hold_over_published_states() {
    BLOCKCHAIN.run_over_published();
}
