//! field and value.

#[path = "common/data.rs"]
mod data;

use chorus::evm::{ChainSpec, SpecId, input};

#[test]
fn every_shared_block_loads() {
    let Some(blocks) = data::blocks_dir() else { return };
    let chain = ChainSpec::mainnet();
    let directories = input::discover(&blocks).unwrap();
    let mut numbers = Vec::new();
    for directory in &directories {
        let (block, store) = input::load_block(directory, &chain).unwrap();
        let number: u64 = block.env.number.try_into().unwrap();
        assert_eq!(directory.file_name().unwrap().to_str().unwrap(), number.to_string());
        assert_eq!(store.is_empty(), block.transactions.is_empty(), "block {number}");
        let byzantium = block.spec.is_enabled_in(SpecId::BYZANTIUM);
        let complete = number != 22_546_209;
        assert_eq!(block.claims.gas_used.is_some(), complete, "block {number}");
        assert_eq!(block.claims.logs_bloom.is_some(), complete, "block {number}");
        assert_eq!(block.claims.receipts_root.is_some(), complete && byzantium, "block {number}");
        assert!(block.transactions.iter().all(|tx| tx.hash.is_zero() != complete));
        numbers.push(number);
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    println!("{} blocks loaded", numbers.len());
    assert!(!numbers.is_empty());
}
