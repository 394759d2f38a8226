//! A thousand EVM contexts suspended at once on one worker, and then all of them finished.
#![cfg(feature = "evm")]

#[path = "common/executor.rs"]
mod executor;

use std::sync::Arc;

use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use chorus::{
    evm::{
        BlobSchedule, Block, BlockEnv, Engine, HeaderClaims, InvalidPolicy, Path, Sequential,
        SpecId, StateStore, SystemRules, TxEnv,
    },
    store::MemoryStore,
};
use executor::difference;

const CONTEXTS: u64 = 1_000;
const LIBRARY: Address = Address::repeat_byte(0x11);

fn sender(i: u64) -> Address {
    Address::left_padding_from(&(0x5e_0000 + i).to_be_bytes())
}

fn contract(i: u64) -> Address {
    Address::left_padding_from(&(0xc0_0000 + i).to_be_bytes())
}

/// Runs the library's code three calls deep, so that a context is suspended within frames and goes
/// on where it was: on its own slot, then in the library, then on its own slots again.
fn caller() -> Bytes {
    // SLOAD(0) stays on the stack while DELEGATECALL(GAS, LIBRARY, 0, 0, 0, 0) runs.
    let delegate = [&hex!("5f54 5f5f5f5f 73")[..], LIBRARY.as_slice(), &hex!("5a f4 50")].concat();
    // SSTORE(2, that value + SLOAD(1)).
    [delegate, hex!("600154 01 600255").to_vec()].concat().into()
}

/// SSTORE(1, SLOAD(1) + SLOAD(0)), in the caller's context.
const LIBRARY_CODE: [u8; 9] = hex!("5f54 600154 01 600155");

fn block() -> (Block, MemoryStore) {
    let mut store = MemoryStore::builder();
    store.nonce(LIBRARY, 1).code(LIBRARY, LIBRARY_CODE.into());
    let code = caller();
    let transactions = (0..CONTEXTS).map(|i| {
        store.balance(sender(i), U256::from(1_000_000_000));
        store.nonce(contract(i), 1).code(contract(i), code.clone());
        store.slot(contract(i), U256::ZERO, U256::from(i + 1));
        store.slot(contract(i), U256::ONE, U256::from(5));
        let kind = TxKind::Call(contract(i));
        let env = TxEnv { caller: sender(i), gas_limit: 100_000, kind, ..TxEnv::default() };
        env.into()
    });
    let block = Block {
        spec: SpecId::PRAGUE,
        chain_id: 1,
        transactions: transactions.collect(),
        env: BlockEnv { gas_limit: 200_000 * CONTEXTS, ..BlockEnv::default() },
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        block_hashes: Default::default(),
        blobs: BlobSchedule { max_blobs: 0, max_blobs_per_transaction: None, update_fraction: 1 },
        system: SystemRules::default(),
        claims: HeaderClaims::default(),
        sidecars: Vec::new(),
    };
    (block, store.build())
}

#[test]
fn a_thousand_contexts_are_suspended_at_once_on_one_worker_and_all_finish() {
    let (block, store) = block();
    let expected = Sequential::new().execute(&block, &store, InvalidPolicy::Fail);
    let locations: Vec<_> = store
        .accounts()
        .map(|(address, account)| (*address, account.slots().map(|(slot, _)| slot).collect()))
        .collect();
    let store: Arc<dyn StateStore> = Arc::new(store);
    let window = CONTEXTS as u32 + 1;
    let engine = Engine::builder().threads(1).window(window).path(Path::Parallel).build().unwrap();
    // The second block runs on the coroutines that the first one left behind.
    for seed in 0..2 {
        let actual = engine.execute_over_crowd(&block, &store, &locations, seed, CONTEXTS);
        if let Some(difference) = difference(&expected, &actual) {
            panic!("{difference}");
        }
        let outcome = actual.unwrap();
        let statistics = outcome.statistics;
        assert!(statistics.suspensions >= CONTEXTS, "{statistics:?}");
        // The artificial transaction too.
        assert!(statistics.most_suspended > CONTEXTS, "{statistics:?}");
        for i in 0..CONTEXTS {
            let mut accounts = outcome.diff.accounts.iter();
            let (_, change) = accounts.find(|(address, _)| *address == contract(i)).unwrap();
            // Slot 1 took in slot 0, slot 2 both.
            let expected = [(1, i + 6), (2, 2 * i + 7)];
            let expected = expected.map(|(slot, value)| (U256::from(slot), U256::from(value)));
            assert_eq!(change.storage, expected);
        }
    }
}
