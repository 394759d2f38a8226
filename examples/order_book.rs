//! An order book that two contracts share: makers write orders into a region, takers read and fill them.
//!
//! ```sh
//! cargo run --release --example order_book
//! ```
//!
//! Each order has a word of its own: only who fills it depends on who placed it.

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{error::Error, sync::Arc};

use alloy_primitives::{Address, B256, TxKind, U256, address};
use chorus::{
    engine::SharedMemory,
    evm::{
        Block, BlockEnv, Engine, InvalidPolicy, Path, Sequential, SpecId, StateStore, TxEnv,
        shared::assemble,
    },
    region::config::SharedMemoryConfig,
    store::MemoryStore,
};

const MAKER: Address = address!("0x000000000000000000000000000000000000aa01");
const TAKER: Address = address!("0x000000000000000000000000000000000000bb02");

/// Without calldata: creates the book. Else writes the order `calldata[32..64]` at `calldata[..32]`.
const MAKER_CODE: &str = r#"
    CALLDATASIZE @order JUMPI
    4 3 4096 "book" SHARED_CREATE       ; persistent, to be read and written: handle
    3 0xbb02 DUP3 SHARED_GRANT          ; the taker may do both
    0 0 0 DUP4 SHARED_MAP               ; all of it: handle, mapping
    0 32 0 DUP4 SHARED_WRITE STOP       ; a first word, so that the page is there
order:
    "book" ADDRESS SHARED_OPEN
    0 0 0 DUP4 SHARED_MAP
    32 CALLDATALOAD 0 MSTORE
    0 32 0 CALLDATALOAD DUP4 SHARED_WRITE STOP"#;

/// Fills the order at `calldata[..32]`: adds it to what the caller has bought, and clears its place.
const TAKER_CODE: &str = r#"
    "book" 0xaa01 SHARED_OPEN
    0 0 0 DUP4 SHARED_MAP
    0 32 0 CALLDATALOAD DUP4 SHARED_READ POP
    0 MLOAD DUP1 ISZERO @nothing JUMPI
    CALLER SLOAD ADD CALLER SSTORE
    32 32 0 CALLDATALOAD DUP4 SHARED_WRITE STOP
nothing:
    0 0 REVERT"#;

fn call(from: u64, to: Address, words: &[u64]) -> TxEnv {
    TxEnv {
        caller: Address::from_word(U256::from(0x1_0000 + from).into()),
        kind: TxKind::Call(to),
        data: words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect(),
        gas_limit: 1_000_000,
        chain_id: Some(1),
        ..TxEnv::default()
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::new(SharedMemoryConfig::production())?;
    let engine = Engine::builder().path(Path::Parallel).shared_memory(memory.clone()).build()?;
    let mut state = MemoryStore::builder();
    state.code(MAKER, assemble(MAKER_CODE, memory.chain())?);
    state.code(TAKER, assemble(TAKER_CODE, memory.chain())?);
    let mut state = state.build();

    let orders = (0..128).map(|at| call(at, MAKER, &[32 * at, 100 + at]));
    let fills = (0..40).map(|at| call(1_000 + at, TAKER, &[32 * 3 * at]));
    let blocks: [Vec<TxEnv>; 2] = [vec![call(999, MAKER, &[])], orders.chain(fills).collect()];
    for (number, transactions) in (1..).zip(blocks) {
        let (number, gas_limit) = (U256::from(number), 200_000_000);
        let env = BlockEnv { number, gas_limit, ..BlockEnv::default() };
        let block = Arc::new(Block::new(SpecId::CANCUN, 1, env, transactions));
        let store: Arc<dyn StateStore> = Arc::new(state.clone());
        let outcome = engine.execute(&block, &store)?;
        let mut sequential = Sequential::with_shared_memory(memory.clone());
        let expected = sequential.execute(&block, &*store, InvalidPolicy::Fail)?;
        assert_eq!((&outcome.diff, &outcome.regions), (&expected.diff, &expected.regions));
        assert_eq!(outcome.transactions, expected.transactions);
        assert!(outcome.executed().all(|executed| executed.result.is_success()));
        // What the next block starts from.
        state.apply(&outcome.diff);
        memory.commit(&outcome.regions.ok_or("the chain has shared memory")?)?;
        let runs = outcome.statistics.incarnations;
        println!("block {number}: {} gas, {runs} runs", outcome.gas_used);
    }

    let mut book = [0; 4096];
    memory.read(memory.list()[0].handle, 0, &mut book)?;
    let open = book.chunks(32).map(U256::from_be_slice).filter(|order| !order.is_zero());
    println!("{} orders are open, worth {}", open.clone().count(), open.sum::<U256>());
    let operations = memory.metrics().usage.succeeded.total();
    println!("{operations} operations, root of all regions {}", B256::from(memory.root()));
    Ok(())
}
