//! Stores that panic, wherever they are asked.

use std::sync::Arc;

use alloy_primitives::{Address, B256, TxKind, U256, hex};
use chorus::{
    evm::{
        AccountInfo, Block, BlockEnv, BlockError, SpecId, StateStore, StoreError, SystemRules,
        TxEnv,
    },
    store::MemoryStore,
};

use crate::{
    endless::{WAYS, assert_works, engine},
    patience::in_time,
};

const BROKEN: Address = Address::repeat_byte(0xbb);
const READER: Address = Address::repeat_byte(0xcc);

/// Panics where the broken account is asked for.
struct Panics(MemoryStore);

impl StateStore for Panics {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        assert_ne!(address, BROKEN, "a broken account");
        self.0.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.0.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.0.try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.0.try_block_hash(number)
    }
}

/// Who asks for the account that breaks the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asks {
    Transaction,
    Fees,
    Withdrawal,
}

fn block(asks: Asks) -> (Arc<Block>, Arc<dyn StateStore>) {
    let mut store = MemoryStore::builder();
    // BALANCE of the broken account.
    let code = [&hex!("73")[..], BROKEN.as_slice(), &hex!("31 00")].concat();
    store.nonce(READER, 1).code(READER, code.into());
    let transaction = |i: u64| {
        let caller = Address::left_padding_from(&(0xa0_0000 + i).to_be_bytes());
        let asks = asks == Asks::Transaction && i == 7;
        let kind = TxKind::Call(if asks { READER } else { caller });
        TxEnv { caller, gas_limit: 100_000, kind, ..TxEnv::default() }
    };
    let mut env = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    if asks == Asks::Fees {
        env.beneficiary = BROKEN;
    }
    let mut block = Block::new(SpecId::PRAGUE, 1, env, (0..20).map(transaction));
    block.system = SystemRules::default();
    if asks == Asks::Withdrawal {
        block.withdrawals.push(chorus::evm::Withdrawal { address: BROKEN, amount_gwei: 1 });
    }
    (Arc::new(block), Arc::new(Panics(store.build())))
}

#[test]
fn a_store_that_panics_ends_the_block_with_an_error_and_not_the_engine() {
    for way in WAYS {
        for asks in [Asks::Transaction, Asks::Fees, Asks::Withdrawal] {
            in_time(move || {
                let engine = engine(way);
                for _ in 0..10 {
                    let (block, store) = block(asks);
                    let error = engine.execute(&block, &store).unwrap_err();
                    match (asks, &error) {
                        (Asks::Transaction, BlockError::Panic { index, message }) => {
                            assert_eq!(*index, 7);
                            assert!(message.contains("a broken account"));
                        }
                        // The commit step is a worker's, and no transaction's.
                        (Asks::Fees, BlockError::Worker { .. } | BlockError::Panic { .. }) => {}
                        (Asks::Withdrawal, BlockError::Host { message }) => {
                            assert!(message.contains("a broken account"));
                        }
                        _ => panic!("{way:?}, {asks:?}: {error:?}"),
                    }
                    assert_works(&engine);
                }
            });
        }
    }
}
