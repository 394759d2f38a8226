//! Each example runs.

// Examples taken in as modules.
#[path = "../examples/ledger.rs"]
mod ledger;
#[cfg(feature = "evm")]
#[path = "../examples/transfers.rs"]
mod transfers;

#[test]
fn the_ledger_runs() {
    ledger::main().unwrap();
}

#[cfg(feature = "evm")]
#[test]
fn the_transfers_run() {
    transfers::main().unwrap();
}
