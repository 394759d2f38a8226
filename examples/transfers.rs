//! The EVM embedded: a block built by hand, executed in parallel, checked against one by one.
//!
//! ```sh
//! cargo run --release --example transfers
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{error::Error, sync::Arc, time::Instant};

use alloy_primitives::{Address, Bytes, TxKind, U256, bytes};
use chorus::{
    evm::{
        Block, BlockEnv, Engine, InvalidPolicy, Path, Sequential, SpecId, StateStore,
        TransactionOutcome, TxEnv,
    },
    store::MemoryStore,
};

const GWEI: u128 = 1_000_000_000;
const SENDERS: u64 = 400;

/// Adds one to the slot of the caller: `sstore(caller, sload(caller) + 1)`.
const COUNTER: Bytes = bytes!("3354600101335500");

fn person(number: u64) -> Address {
    Address::from_word(U256::from(0x1_0000 + number).into())
}

/// Every sender pays a neighbour, then calls the counter. One has no ether for it.
fn transactions(counter: Address) -> impl Iterator<Item = TxEnv> {
    let send = |from, nonce, to, value| TxEnv {
        caller: person(from),
        nonce,
        kind: TxKind::Call(to),
        value: U256::from(value),
        gas_limit: 100_000,
        gas_price: 3 * GWEI,
        chain_id: Some(1),
        ..TxEnv::default()
    };
    let payments = (0..SENDERS).map(move |at| send(at, 0, person(at ^ 1), GWEI));
    payments.chain((0..=SENDERS).map(move |at| send(at, u64::from(at < SENDERS), counter, 0)))
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let counter = Address::repeat_byte(0xcc);
    let mut state = MemoryStore::builder();
    state.code(counter, COUNTER);
    for number in 0..SENDERS {
        state.balance(person(number), U256::from(GWEI * GWEI));
    }
    let state: Arc<dyn StateStore> = Arc::new(state.build());

    let env = BlockEnv {
        number: U256::from(23_000_000),
        timestamp: U256::from(1_755_000_000),
        beneficiary: Address::repeat_byte(0xfe),
        gas_limit: 60_000_000,
        basefee: GWEI as u64,
        ..BlockEnv::default()
    };
    let block = Arc::new(Block::new(SpecId::PRAGUE, 1, env, transactions(counter)));

    let policy = InvalidPolicy::Skip;
    let engine = Engine::builder().path(Path::Parallel).policy(policy).build()?;
    let begin = Instant::now();
    let outcome = engine.execute(&block, &state)?;
    let parallel = begin.elapsed();
    let begin = Instant::now();
    let expected = Sequential::new().execute(&block, &*state, policy)?;
    let sequential = begin.elapsed();
    assert_eq!((&outcome.transactions, &outcome.diff), (&expected.transactions, &expected.diff));

    for (index, transaction) in outcome.transactions.iter().enumerate() {
        if let TransactionOutcome::Skipped(reason) = transaction {
            println!("transaction {index} was left out: {reason}");
        }
    }
    println!("receipts root {}, {} gas", outcome.receipts_root(), outcome.gas_used);
    println!("{} accounts changed, hash {}", outcome.diff.accounts.len(), outcome.diff.hash());
    println!("one by one {sequential:?}, on {} workers {parallel:?}", outcome.statistics.threads);
    Ok(())
}
