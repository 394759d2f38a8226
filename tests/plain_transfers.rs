//! Transfers that are done without revm come to the same as with it, at every edge of what counts as one.
#![cfg(feature = "evm")]
#![allow(missing_docs)]
// A test may use the standard library's types.
#![allow(clippy::disallowed_types)]

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, Bytes, TxKind, U256, bytes};
use chorus::{
    evm::{
        Block, BlockEnv, Engine, InvalidPolicy, Path, Sequential, SpecId, StateStore, Transaction,
        TransactionOutcome, TxEnv,
    },
    store::{Latency, LatencyStore, MemoryStore},
};
use revm::{
    bytecode::Bytecode,
    context_interface::block::BlobExcessGasAndPrice,
    primitives::{B256, eip4844},
};

const FORKS: [SpecId; 9] = [
    SpecId::FRONTIER,
    SpecId::HOMESTEAD,
    SpecId::SPURIOUS_DRAGON,
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::SHANGHAI,
    SpecId::PRAGUE,
    SpecId::OSAKA,
];
const PEOPLE: u64 = 12;
const CHAIN: u64 = 1;
/// Stores the caller's balance, so that what transfers did to it is seen.
const OBSERVER: Bytes = bytes!("3331335500");
/// Sends what it is given on to whoever called it, so that balances change amid calls.
const RETURNER: Bytes = bytes!("5f5f5f5f34335af100");

fn person(number: u64) -> Address {
    Address::from_word(U256::from(0x1_0000 + number).into())
}

/// The people, some of whom have code, and who has how much.
fn state(random: &mut fastrand::Rng) -> MemoryStore {
    let mut state = MemoryStore::builder();
    for number in 0..PEOPLE {
        let balance = match random.u8(..8) {
            0 => U256::ZERO,
            1 => U256::from(21_000 * 10 + random.u64(..30)),
            2 => U256::MAX - U256::from(random.u64(..50_000)),
            _ => U256::from(random.u64(1 << 20..1 << 40)),
        };
        if !balance.is_zero() || random.bool() {
            state.balance(person(number), balance);
        }
        match random.u8(..24) {
            0 => _ = state.code(person(number), OBSERVER),
            1 => _ = state.code(person(number), RETURNER),
            2 => _ = state.bytecode(person(number), Bytecode::new_eip7702(person(number + 1))),
            3 => _ = state.nonce(person(number), u64::MAX - 1),
            _ => {}
        }
    }
    state.build()
}

fn transaction(random: &mut fastrand::Rng, spec: SpecId, nonces: &mut [u64]) -> TxEnv {
    let from = random.u64(..PEOPLE);
    let mut choose = |often: u64, seldom: &[u64]| match random.u8(..48) {
        0 => seldom[random.usize(..seldom.len())],
        _ => often,
    };
    let tx_type = choose(if spec.is_enabled_in(SpecId::LONDON) { 2 } else { 0 }, &[0, 1, 2]);
    let gas_limit = choose(21_000, &[20_999, 21_001, 50_000, 30_000_001, 1 << 25]);
    let gas_price = choose(10, &[0, 6, 7, 8, u64::MAX]);
    let priority = choose(3, &[0, 1, 11]);
    let chain = choose(CHAIN, &[0, 2]);
    let next = nonces[from as usize];
    let nonce = choose(next, &[0, 1, u64::MAX, next.wrapping_add(1)]);
    let value = choose(random_value(nonce), &[0, 1, u64::MAX]);
    let to = match random.u8(..16) {
        0 => from,
        1 => 0,
        2 => return call(from, nonce, random.u64(..PEOPLE)),
        _ => random.u64(..PEOPLE + 4),
    };
    let to = match random.u8(..24) {
        0 => Address::with_last_byte(random.u8(..20)),
        1 => Address::ZERO,
        _ => person(to),
    };
    nonces[from as usize] = nonces[from as usize].wrapping_add(1);
    TxEnv {
        tx_type: tx_type as u8,
        caller: person(from),
        nonce,
        kind: TxKind::Call(to),
        value: U256::from(value),
        gas_limit,
        gas_price: gas_price.into(),
        gas_priority_fee: (tx_type == 2).then_some(priority.into()),
        chain_id: (tx_type != 0 || random.bool()).then_some(chain),
        data: if random.u8(..24) == 0 { bytes!("00") } else { Bytes::new() },
        ..TxEnv::default()
    }
}

/// Something between nothing and much, that goes by the transaction.
fn random_value(nonce: u64) -> u64 {
    nonce.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (24 + nonce % 30)
}

/// A call with plenty of gas, whose result depends on balances if somebody with code is called.
fn call(from: u64, nonce: u64, to: u64) -> TxEnv {
    TxEnv {
        caller: person(from),
        nonce,
        kind: TxKind::Call(person(to)),
        value: U256::from(5),
        gas_limit: 200_000,
        gas_price: 10,
        chain_id: Some(CHAIN),
        ..TxEnv::default()
    }
}

fn block(random: &mut fastrand::Rng, spec: SpecId, transactions: Vec<TxEnv>) -> Arc<Block> {
    let mut env = BlockEnv {
        number: U256::from(1_000),
        gas_limit: 30_000_000,
        // Often one of the people: then fees and payments meet.
        beneficiary: person(random.u64(..2 * PEOPLE)),
        ..BlockEnv::default()
    };
    if spec.is_enabled_in(SpecId::LONDON) {
        env.basefee = 7;
    }
    if spec.is_enabled_in(SpecId::MERGE) {
        env.prevrandao = Some(B256::repeat_byte(1));
    }
    if spec.is_enabled_in(SpecId::CANCUN) {
        let fraction = eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
        env.blob_excess_gas_and_price = Some(BlobExcessGasAndPrice::new(0, fraction));
    }
    Arc::new(Block::new(spec, CHAIN, env, transactions.into_iter().map(Transaction::from)))
}

#[test]
fn transfers_past_revm_are_the_same_at_every_edge() {
    let engines = [InvalidPolicy::Skip, InvalidPolicy::Fail].map(|policy| {
        let engine = |path, threads, window| {
            let builder = Engine::builder().path(path).threads(threads).window(window);
            builder.policy(policy).build().unwrap()
        };
        let engines = [
            engine(Path::Direct, 1, 256),
            engine(Path::Parallel, 1, 256),
            engine(Path::Parallel, 2, 3),
            engine(Path::Parallel, 4, 256),
            engine(Path::Auto, 2, 256),
        ];
        (policy, engines)
    });
    let mut went_through = 0;
    for seed in 0..900 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let spec = FORKS[seed as usize % FORKS.len()];
        let memory: Arc<dyn StateStore> = Arc::new(state(random));
        let latency = Latency::Fixed(Duration::from_micros(20));
        let slow: Arc<dyn StateStore> = Arc::new(LatencyStore::new(memory.clone(), latency));
        let mut nonces: Vec<u64> = (0..PEOPLE)
            .map(|at| memory.account(person(at)).unwrap().map_or(0, |info| info.nonce))
            .collect();
        let size = random.usize(1..60);
        let transactions = (0..size).map(|_| transaction(random, spec, &mut nonces)).collect();
        let block = block(random, spec, transactions);
        for (policy, engines) in &engines {
            let expected = Sequential::new().execute(&block, &*memory, *policy);
            let expected = expected.map(|it| (it.transactions, it.gas_used, it.diff));
            if let (Ok((transactions, ..)), InvalidPolicy::Skip) = (&expected, policy) {
                went_through += transactions
                    .iter()
                    .filter(|it| matches!(it, TransactionOutcome::Executed(_)))
                    .count();
            }
            for (at, engine) in engines.iter().enumerate() {
                for store in [&memory, &slow] {
                    let outcome = engine.execute(&block, store);
                    let outcome = outcome.map(|it| (it.transactions, it.gas_used, it.diff));
                    assert_eq!(outcome, expected, "seed {seed}, {spec:?}, {policy:?}, engine {at}");
                }
            }
        }
    }
    // Else the edges were all that was tested.
    assert!(went_through > 10_000, "{went_through}");
}
