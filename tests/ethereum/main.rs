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

use executor::{Executor, OneByOne, Parallel};
use sweep::{Selection, sweep};

/// Runs a folder of the suites and prints the counts. Without the suites there is nothing to run,
/// which has been said on standard error by then.
fn run(
    folder: &str,
    executor: &dyn Executor,
    selection: Selection,
    case: sweep::FileRunner,
    at_least: usize,
) {
    let Some(directory) = data::ethereum_tests_dir() else { return };
    let report = sweep(&directory.join(folder), executor, selection, case);
    // Past the test harness, which would show the counts of failing tests only.
    let _ = writeln!(std::io::stderr(), "{folder}, {}: {report}", executor.name());
    assert!(report.failures.is_empty(), "{folder}: {} cases failed", report.failures.len());
    if matches!(selection, Selection::All) {
        assert!(report.ran >= at_least, "{folder}: only {} cases ran", report.ran);
    }
}

#[test]
fn general_state_tests_hold_one_by_one() {
    run("GeneralStateTests", &OneByOne, Selection::All, state_tests::run_file, 9_815);
}

#[test]
fn execution_spec_tests_hold_one_by_one() {
    run("ExecutionSpecTests", &OneByOne, Selection::All, state_tests::run_file, 931);
}

#[test]
fn blockchain_tests_hold_one_by_one() {
    run("BlockchainTests", &OneByOne, Selection::All, blockchain_tests::run_file, 329);
}

#[test]
fn general_state_tests_hold_in_parallel() {
    run("GeneralStateTests", &Parallel::new(2), Selection::All, state_tests::run_file, 9_815);
}

#[test]
fn execution_spec_tests_hold_in_parallel() {
    run("ExecutionSpecTests", &Parallel::new(2), Selection::All, state_tests::run_file, 931);
}

#[test]
fn blockchain_tests_hold_in_parallel() {
    run("BlockchainTests", &Parallel::new(2), Selection::All, blockchain_tests::run_file, 329);
}
