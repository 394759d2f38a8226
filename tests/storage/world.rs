//! Blocks that the tests of this binary share.

use std::sync::Arc;

use alloy_primitives::{Address, TxKind, U256, hex};
use chorus::{
    evm::{
        Block, BlockEnv, BlockError, BlockOutcome, Engine, EngineBuilder, InvalidPolicy, Path,
        Scouting, Sequential, SpecId, StateStore, TxEnv, workload::Workload,
    },
    store::MemoryStore,
};

pub(crate) const CONTRACT: Address = Address::repeat_byte(0xcc);
pub(crate) const MINER: Address = Address::repeat_byte(0xbb);

/// Reads the slot that is named like the caller.
pub(crate) const OWN_SLOT: &[u8] = &hex!("33 54 50 00");
/// With calldata: reads slot 7 and sets slot 0 to 1. Without: reads slot 0, and slot 99 if that is 0.
pub(crate) const TURNS: &[u8] =
    &hex!("36 600f 57 5f 54 600d 57 6063 54 50 5b 00 5b 6007 54 50 6001 5f 55 00");

pub(crate) fn sender(i: u64) -> Address {
    Address::left_padding_from(&(0xa0_0000 + i).to_be_bytes())
}

/// A call of the contract by the i-th sender.
pub(crate) fn call(i: u64, data: &[u8]) -> TxEnv {
    TxEnv {
        caller: sender(i),
        gas_limit: 100_000,
        kind: TxKind::Call(CONTRACT),
        data: data.to_vec().into(),
        ..TxEnv::default()
    }
}

/// Calls of a contract with slots.
pub(crate) fn calls(
    code: &[u8],
    slots: &[(u64, u64)],
    calls: impl IntoIterator<Item = TxEnv>,
) -> (Arc<Block>, Arc<MemoryStore>) {
    let mut memory = MemoryStore::builder();
    memory.nonce(CONTRACT, 1).code(CONTRACT, code.to_vec().into());
    for (slot, value) in slots {
        memory.slot(CONTRACT, U256::from(*slot), U256::from(*value));
    }
    let env = BlockEnv { gas_limit: u64::MAX, beneficiary: MINER, ..BlockEnv::default() };
    (Arc::new(Block::new(SpecId::PRAGUE, 1, env, calls)), Arc::new(memory.build()))
}

/// A generated block.
pub(crate) fn generated(workload: Workload, count: usize) -> (Arc<Block>, Arc<MemoryStore>) {
    let (block, store) = workload.with_transactions(count).build(3);
    (Arc::new(block), Arc::new(store))
}

/// What comes of the block one by one.
pub(crate) fn expected(
    block: &Block,
    store: &(impl StateStore + ?Sized),
) -> Result<BlockOutcome, BlockError> {
    Sequential::new().execute(block, store, InvalidPolicy::Fail)
}

/// An engine that takes the parallel path, and does not scout.
pub(crate) fn parallel(threads: usize) -> EngineBuilder {
    Engine::builder().threads(threads).path(Path::Parallel).scouting(Scouting::Off)
}
