//! What is set from outside: where shared test data is, with a loud word when it is absent, and how
//! much of it is run.

// Each test binary uses what it needs of this module.
#![allow(dead_code)]

use std::{io::Write, path::PathBuf};

/// The directory of real blocks: `CHORUS_BLOCKS`, or `../shared/blocks` beside this package.
pub(crate) fn blocks_dir() -> Option<PathBuf> {
    shared("CHORUS_BLOCKS", "blocks")
}

/// The Ethereum tests: `CHORUS_ETHEREUM_TESTS`, or `../shared/ethereum-tests` beside this package.
pub(crate) fn ethereum_tests_dir() -> Option<PathBuf> {
    shared("CHORUS_ETHEREUM_TESTS", "ethereum-tests")
}

/// Whether everything runs at every number of threads, rather than the part that a change has to
/// wait for: `CHORUS_FULL_SWEEP=1`.
pub(crate) fn full_sweep() -> bool {
    std::env::var_os("CHORUS_FULL_SWEEP").is_some_and(|value| value == "1")
}

/// Chooses the part that runs, and random delays: `CHORUS_SEED`, or always the same.
pub(crate) fn seed() -> u64 {
    let Some(seed) = std::env::var_os("CHORUS_SEED") else { return 1 };
    let seed = seed.to_string_lossy();
    seed.parse().unwrap_or_else(|_| panic!("CHORUS_SEED: {seed} is not a number"))
}

/// `None`, after saying so, if the data is absent; a panic instead if `CHORUS_REQUIRE_DATA` is 1.
fn shared(variable: &str, name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    let path = std::env::var_os(variable).map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    let message = format!("{} is absent (set {variable} to the {name} directory)", path.display());
    let required = std::env::var_os("CHORUS_REQUIRE_DATA").is_some_and(|value| value == "1");
    assert!(!required, "{message}, and CHORUS_REQUIRE_DATA is 1");
    say_once(message);
    None
}

/// Says that something was not tested, once for each message and test binary.
#[allow(clippy::disallowed_types)]
fn say_once(message: String) {
    static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let mut said = SAID.lock().unwrap();
    if !said.contains(&message) {
        // `eprintln!` would be captured with the passing test's output; a direct write is not.
        let line = format!("\n*** NOT TESTED: {message} ***\n\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        said.push(message);
    }
}
