//! The order book once more, as Solidity has it: `examples/solidity/OrderBook.sol`.
//!
//! ```sh
//! cargo run --release --example order_book_solidity
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{error::Error, sync::Arc};

use alloy_primitives::{Address, Bytes, TxKind, U256, address, hex, keccak256};
use chorus::{
    engine::SharedMemory,
    evm::{Block, BlockEnv, Engine, InvalidPolicy, Path, Sequential, SpecId, StateStore, TxEnv},
    region::config::SharedMemoryConfig,
    store::MemoryStore,
};

const MAKER: Address = address!("0x000000000000000000000000000000000000aa01");
const TAKER: Address = address!("0x000000000000000000000000000000000000bb02");
const MAKER_CODE: &str = include_str!("solidity/Maker.hex");
const TAKER_CODE: &str = include_str!("solidity/Taker.hex");

/// A call of a function whose arguments are a word each.
fn call(from: u64, to: Address, function: &str, words: &[U256]) -> TxEnv {
    let mut data = keccak256(function)[..4].to_vec();
    data.extend(words.iter().flat_map(|word| word.to_be_bytes::<32>()));
    TxEnv {
        caller: Address::from_word(U256::from(0x1_0000 + from).into()),
        kind: TxKind::Call(to),
        data: data.into(),
        gas_limit: 1_000_000,
        chain_id: Some(1),
        ..TxEnv::default()
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::new(SharedMemoryConfig::production())?;
    let engine = Engine::builder().path(Path::Parallel).shared_memory(memory.clone()).build()?;
    let mut state = MemoryStore::builder();
    state.code(MAKER, Bytes::from(hex::decode(MAKER_CODE.trim())?));
    state.code(TAKER, Bytes::from(hex::decode(TAKER_CODE.trim())?));
    let mut state = state.build();

    let [maker, taker] = [MAKER, TAKER].map(|contract| contract.into_word().into());
    let place = |at| call(at, MAKER, "place(uint256,uint256)", &[at, 100 + at].map(U256::from));
    let fill = |at: u64| call(1_000 + at, TAKER, "fill(address,uint256)", &[maker, U256::from(at)]);
    let blocks: [Vec<TxEnv>; 2] = [
        vec![call(999, MAKER, "open(address)", &[taker])],
        // The last one finds nothing: no order is at 128.
        (0..128).map(place).chain((0..=128).step_by(4).map(fill)).collect(),
    ];
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
        for executed in outcome.executed().filter(|executed| !executed.result.is_success()) {
            executed.diagnostics.iter().for_each(|diagnostic| println!("reverted: {diagnostic}"));
        }
        // What the next block starts from.
        state.apply(&outcome.diff);
        memory.commit(&outcome.regions.ok_or("the chain has shared memory")?)?;
        println!("block {number}: {} gas", outcome.gas_used);
    }

    let mut book = [0; 4096];
    memory.read(memory.list()[0].handle, 0, &mut book)?;
    let open = book.chunks(32).map(U256::from_be_slice).filter(|order| !order.is_zero());
    println!("{} orders are open, worth {}", open.clone().count(), open.sum::<U256>());
    Ok(())
}
