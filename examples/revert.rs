//! A call is reverted, and what it wrote to a region is gone.
//!
//! ```sh
//! cargo run --release --example revert
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{error::Error, sync::Arc};

use alloy_primitives::{Address, TxKind, U256};
use chorus::{
    engine::SharedMemory,
    evm::{Block, BlockEnv, Engine, SpecId, StateStore, TxEnv, shared::assemble},
    region::config::SharedMemoryConfig,
    store::MemoryStore,
};

/// Writes 1 to a region, then calls itself twice to have 2 written: first with the calldata 1, which
/// reverts, then with 0, which does not. Returns what it reads after each call.
const CODE: &str = r#"
    CALLDATASIZE @child JUMPI
    0 3 4096 "draft" SHARED_CREATE      ; until the transaction ends: handle
    0 0 0 DUP4 SHARED_MAP               ; handle, mapping
    1 0 MSTORE
    0 32 0 DUP4 SHARED_WRITE POP
    0 0 32 0 0 ADDRESS GAS CALL POP
    64 32 0 DUP4 SHARED_READ POP
    0 0 MSTORE
    0 0 32 0 0 ADDRESS GAS CALL POP
    96 32 0 DUP4 SHARED_READ POP
    64 64 RETURN
child:
    "draft" ADDRESS SHARED_OPEN
    0 0 0 DUP4 SHARED_MAP               ; a frame maps for itself, it inherits nothing
    2 32 MSTORE
    32 32 0 DUP4 SHARED_WRITE POP
    0 CALLDATALOAD @undo JUMPI STOP
undo:
    0 0 REVERT"#;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let memory = SharedMemory::new(SharedMemoryConfig::production())?;
    let engine = Engine::builder().threads(2).shared_memory(memory.clone()).build()?;

    let contract = Address::repeat_byte(0xcc);
    let mut state = MemoryStore::builder();
    state.code(contract, assemble(CODE, memory.chain())?);
    let store: Arc<dyn StateStore> = Arc::new(state.build());

    let (to, gas_limit, chain_id) = (TxKind::Call(contract), 200_000, Some(1));
    let transaction = TxEnv { kind: to, gas_limit, chain_id, ..TxEnv::default() };
    let env = BlockEnv { number: U256::ONE, gas_limit: 30_000_000, ..BlockEnv::default() };
    let block = Arc::new(Block::new(SpecId::PRAGUE, 1, env, [transaction]));
    let outcome = engine.execute(&block, &store)?;

    let executed = outcome.executed().next().ok_or("one transaction")?;
    assert!(executed.result.is_success(), "{:?} {:?}", executed.result, executed.diagnostics);
    let output = executed.result.output().cloned().unwrap_or_default();
    let words: Vec<U256> = output.chunks(32).map(U256::from_be_slice).collect();
    println!("after the call that reverted: {}, after the other one: {}", words[0], words[1]);
    assert_eq!(words, [U256::from(1), U256::from(2)]);

    // It was a region of the transaction, which has ended.
    memory.commit(&outcome.regions.ok_or("the chain has shared memory")?)?;
    assert!(memory.list().is_empty());
    Ok(())
}
