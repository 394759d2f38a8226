//! Each example runs.

// Examples taken in as modules.
#[path = "../examples/async_embedding.rs"]
mod async_embedding;
#[path = "../examples/checkpoint.rs"]
mod checkpoint;
#[cfg(feature = "redb")]
#[path = "../examples/database.rs"]
mod database;
#[path = "../examples/ledger.rs"]
mod ledger;
#[path = "../examples/message.rs"]
mod message;
#[cfg(feature = "evm")]
#[path = "../examples/order_book.rs"]
mod order_book;
#[cfg(feature = "evm")]
#[path = "../examples/order_book_solidity.rs"]
mod order_book_solidity;
#[cfg(feature = "evm")]
#[path = "../examples/revert.rs"]
mod revert;
#[cfg(feature = "evm")]
#[path = "../examples/slow_store.rs"]
mod slow_store;
#[cfg(feature = "evm")]
#[path = "../examples/transfers.rs"]
mod transfers;

#[test]
fn the_ledger_runs() {
    ledger::main().unwrap();
}

#[test]
fn an_async_program_embeds_an_engine() {
    async_embedding::main().unwrap();
}

#[test]
fn the_message_is_passed_without_a_copy() {
    message::main().unwrap();
}

#[test]
fn what_a_failed_call_wrote_vanishes() {
    checkpoint::main().unwrap();
}

#[cfg(feature = "evm")]
#[test]
fn the_transfers_run() {
    transfers::main().unwrap();
}

#[cfg(feature = "evm")]
#[test]
fn the_order_book_runs() {
    order_book::main().unwrap();
}

#[cfg(feature = "evm")]
#[test]
fn the_order_book_in_solidity_runs() {
    order_book_solidity::main().unwrap();
}

#[cfg(feature = "evm")]
#[test]
fn a_reverted_call_takes_its_writes_back() {
    revert::main().unwrap();
}

#[cfg(feature = "evm")]
#[test]
fn a_slow_store_is_read_many_times_at_once() {
    slow_store::main().unwrap();
}

#[cfg(feature = "redb")]
#[test]
fn a_chain_lives_in_a_database() {
    database::main().unwrap();
}
