//! State on disk: a database is filled, blocks are executed over it and applied to it, and it is opened
//! again.
//!
//! ```sh
//! cargo run --release --example database
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{error::Error, sync::Arc};

use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use chorus::{
    evm::{Block, BlockEnv, BlockOutcome, Engine, SpecId, StateStore, TxEnv},
    store::{
        IoPool, MemoryStore,
        redb::{Position, RedbOptions, RedbStore},
    },
};

const ETHER: u128 = 1_000_000_000_000_000_000;

fn person(number: u64) -> Address {
    Address::from_word(U256::from(0x1_0000 + number).into())
}

/// Everybody pays the next one.
fn block(number: u64) -> Block {
    let pay = |from| TxEnv {
        caller: person(from),
        nonce: number - 1,
        kind: TxKind::Call(person((from + 1) % 100)),
        value: U256::from(ETHER / 10),
        gas_limit: 21_000,
        gas_price: 7,
        chain_id: Some(1),
        ..TxEnv::default()
    };
    let env = BlockEnv {
        number: U256::from(number),
        timestamp: U256::from(1_755_000_000 + 12 * number),
        beneficiary: Address::repeat_byte(0xfe),
        gas_limit: 60_000_000,
        basefee: 7,
        ..BlockEnv::default()
    };
    Block::new(SpecId::PRAGUE, 1, env, (0..100).map(pay))
}

/// Where the chain stands after a block. A real one has a header, and this is its hash.
fn position(number: u64) -> Position {
    Position { number, hash: Some(hash(number)) }
}

fn hash(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

fn execute(
    database: &RedbStore,
    engine: &Engine,
    number: u64,
) -> Result<BlockOutcome, Box<dyn Error>> {
    // A view is the state after one block, whatever is applied while it is there.
    let view: Arc<dyn StateStore> = Arc::new(database.view()?);
    Ok(engine.execute(&Arc::new(block(number)), &view)?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("state.redb");
    let engine = Engine::builder().threads(2).build()?;
    // Reads run on these threads, never on a worker. Databases may share them.
    let options = RedbOptions::new(IoPool::new(4)?);

    let mut genesis = MemoryStore::builder();
    for number in 0..100 {
        genesis.balance(person(number), U256::from(ETHER));
    }
    let database = RedbStore::create(&path, options.clone())?;
    database.import(&genesis.build(), Some(position(0)))?;

    for number in 1..=3 {
        let outcome = execute(&database, &engine, number)?;
        // All of it is on disk when this returns, or nothing is.
        database.apply(&outcome.diff, position(number), Some(hash(number - 1)))?;
        println!("block {number}: {} accounts changed", outcome.diff.accounts.len());
    }
    let refused = database.apply(&Default::default(), position(3), None);
    println!("a second time: {}", refused.expect_err("it follows 2, not 3"));

    drop(database);
    let database = RedbStore::open(&path, options)?;
    assert_eq!(database.last_applied()?, Some(position(3)));
    assert_eq!(execute(&database, &engine, 4)?.transactions.len(), 100);
    Ok(())
}
