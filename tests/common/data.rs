//! Where the shared test inputs are.

use std::path::{Path, PathBuf};

/// The Ethereum tests: `$CHORUS_ETHEREUM_TESTS`, or `../shared/ethereum-tests` beside the crate.
/// `None`, after saying so, if there is no such directory.
pub(crate) fn ethereum_tests_dir() -> Option<PathBuf> {
    directory("CHORUS_ETHEREUM_TESTS", "../shared/ethereum-tests")
}

fn directory(variable: &str, default: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(default), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("WARNING: {} is absent, so its tests did not run; set {variable}", path.display());
    None
}
