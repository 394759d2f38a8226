//! What footprints record: who reads and writes what, and when.

#![cfg(feature = "evm")]
// No protocol of the crate is at stake in the tests themselves.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use chorus::{
    evm::{
        footprint::{self, Accounts},
        workload::Scenario,
    },
    sim::{Block, Settings, simulate},
};
use std::sync::Arc;

fn record(scenario: &str, size: usize, accounts: Accounts) -> Block {
    let scenario = Scenario::by_name(scenario).unwrap();
    let settings = scenario.settings([]).unwrap();
    let work = scenario.build(size, 1, &settings);
    let memory = Some(&*work.memory);
    footprint::record(&work.block, &*work.store, memory, &work.beside, accounts).unwrap()
}

/// Transactions that read what a lower one has written.
fn dependent(block: &Block) -> usize {
    let mut written = std::collections::HashSet::new();
    let mut count = 0;
    for transaction in &block.transactions {
        let reads = &transaction.reads;
        count += usize::from(reads.iter().any(|read| written.contains(&read.location)));
        written.extend(transaction.writes.iter().copied());
    }
    count
}

#[test]
fn reads_stand_in_the_order_of_time_within_their_transactions() {
    for scenario in ["chain", "erc20-to-one", "deep", "region-word"] {
        let block = record(scenario, 30, Accounts::AsMerged);
        assert_eq!(block.transactions.len(), 30);
        for transaction in &block.transactions {
            let times: Vec<_> = transaction.reads.iter().map(|read| read.at).collect();
            assert!(times.is_sorted() && times.iter().all(|at| *at <= transaction.work));
            assert!(!times.is_empty(), "{scenario}: {transaction:?}");
        }
    }
}

#[test]
fn what_follows_from_what_is_recorded() {
    for accounts in [Accounts::AsMerged, Accounts::AsValues] {
        assert_eq!(dependent(&record("independent", 40, accounts)), 0);
        assert_eq!(dependent(&record("chain", 40, accounts)), 39);
        assert_eq!(dependent(&record("nft", 40, accounts)), 39);
        assert_eq!(dependent(&record("region-word", 40, accounts)), 39);
    }
}

#[test]
fn balances_and_nonces_are_shared_by_those_alone_who_take_accounts_for_values() {
    // One sender makes all the transfers.
    assert_eq!(dependent(&record("nonces", 40, Accounts::AsMerged)), 0);
    assert_eq!(dependent(&record("nonces", 40, Accounts::AsValues)), 39);
}

#[test]
fn a_recorded_block_is_simulated_to_its_sequential_state() {
    for scenario in Scenario::ALL {
        let block = Arc::new(record(scenario.name, 50, Accounts::AsMerged));
        let expected = block.sequential_state();
        for cores in [2, 16] {
            let outcome = simulate(&block, &Settings::new(cores)).unwrap();
            assert_eq!(outcome.state, expected, "{} on {cores} cores", scenario.name);
        }
    }
}
