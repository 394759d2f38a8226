//! Each example runs.

// An example taken in as a module.
#[path = "../examples/ledger.rs"]
mod ledger;

#[test]
fn the_ledger_runs() {
    ledger::main().unwrap();
}
