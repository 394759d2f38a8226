//! The sequential reference on real blocks: gas, receipts root and bloom are the header's.

#[path = "common/data.rs"]
mod data;

use chorus::evm::{ChainSpec, InvalidPolicy, Sequential, input};

#[test]
fn real_blocks_equal_their_headers_one_by_one() {
    let Some(blocks) = data::blocks_dir() else { return };
    let chain = ChainSpec::mainnet();
    let mut checked = 0;
    for directory in input::discover(&blocks).unwrap() {
        let (block, store) = input::load_block(&directory, &chain).unwrap();
        let number = block.env.number;
        let outcome = Sequential::new()
            .execute(&block, &store, InvalidPolicy::Fail)
            .unwrap_or_else(|error| panic!("block {number}: {error}"));
        let claims = &block.claims;
        for (what, same) in [
            ("gas used", claims.gas_used.map(|gas| gas == outcome.gas_used)),
            ("receipts root", claims.receipts_root.map(|root| root == outcome.receipts_root())),
            ("logs bloom", claims.logs_bloom.map(|bloom| bloom == outcome.logs_bloom())),
        ] {
            assert_ne!(same, Some(false), "{what} of block {number}");
            checked += usize::from(same.is_some());
        }
    }
    assert!(checked >= 41, "only {checked} header fields were there to check");
}
