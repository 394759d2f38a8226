//! The generated workloads: every transaction is valid and succeeds on stock revm, and the same
//! seed gives the same block.
#![cfg(feature = "evm")]

use chorus::{
    evm::{Block, workload::Workload},
    store::MemoryStore,
};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext,
    context::result::ExecutionResult,
    database::{CacheDB, EmptyDB},
};

/// Runs the block with one reused EVM, one transaction after the other.
fn sequential(block: &Block, store: &MemoryStore) -> Vec<ExecutionResult> {
    let mut db = CacheDB::new(EmptyDB::default());
    for (address, account) in store.accounts() {
        db.insert_account_info(*address, account.info().clone());
        for (slot, value) in account.slots() {
            db.insert_account_storage(*address, slot, value).unwrap();
        }
    }
    let mut evm = Context::mainnet()
        .with_db(db)
        .with_block(block.env.clone())
        .modify_cfg_chained(|cfg| {
            cfg.chain_id = block.chain_id;
            cfg.set_spec_and_mainnet_gas_params(block.spec);
        })
        .build_mainnet();
    let mut results = Vec::new();
    for (i, transaction) in block.transactions.iter().enumerate() {
        let result = evm.transact_commit(transaction.env.clone());
        results.push(result.unwrap_or_else(|error| panic!("transaction {i}: {error}")));
    }
    results
}

#[test]
fn every_transaction_of_every_workload_succeeds() {
    for workload in Workload::ALL {
        let workload = workload.with_transactions(300);
        let (block, store) = workload.build(7);
        assert_eq!(block.transactions.len(), 300);
        let results = sequential(&block, &store);
        for (i, result) in results.iter().enumerate() {
            assert!(result.is_success(), "{workload:?}, transaction {i}: {result:?}");
        }
        let gas = results.iter().map(|result| result.tx_gas_used()).sum::<u64>();
        let logs = results.iter().map(|result| result.logs().len()).sum::<usize>();
        println!(
            "{:<14} {:>7} gas per transaction, {logs:>4} logs: {}",
            workload.name(),
            gas / 300,
            workload.description(),
        );
        assert!(gas <= block.env.gas_limit);
    }
}

#[test]
fn equal_seeds_give_equal_blocks_and_other_seeds_others() {
    for workload in Workload::ALL {
        let workload = workload.with_transactions(40);
        let [(block, store), (same, same_store), (other, other_store)] =
            [1, 1, 2].map(|seed| workload.build(seed));
        let envs =
            |block: &Block| block.transactions.iter().map(|tx| tx.env.clone()).collect::<Vec<_>>();
        assert_eq!(envs(&block), envs(&same), "{workload:?}");
        assert_eq!(store, same_store, "{workload:?}");
        assert_ne!(envs(&block), envs(&other), "{workload:?}");
        assert_ne!(store, other_store, "{workload:?}");
    }
}

#[test]
fn every_workload_is_found_by_its_name() {
    for workload in Workload::ALL {
        assert_eq!(Workload::by_name(workload.name()), Some(*workload));
    }
    assert_eq!(Workload::by_name("no such workload"), None);
}

#[test]
fn the_hot_share_of_a_mixed_block_is_exact() {
    let (block, store) = Workload::Mixed { transactions: 200, hot_percent: 30 }.build(3);
    let results = sequential(&block, &store);
    let mut by_pool = std::collections::BTreeMap::<_, usize>::new();
    // A swap's last log is the pool's `Swap`, with six arguments.
    for log in results.iter().filter_map(|result| result.logs().last()) {
        if log.data.data.len() == 4 * 32 {
            *by_pool.entry(log.address).or_default() += 1;
        }
    }
    assert_eq!(by_pool.values().max(), Some(&60));
    assert!(by_pool.len() > 20, "the other swaps have pools of their own");
}
