//! From a plan to a block and the state it starts from.

use std::{fmt, sync::Arc};

use chorus::{
    evm::{
        BlobSchedule, Block, BlockEnv, HeaderClaims, Ommer, SystemRules, Transaction, TxEnv,
        Withdrawal,
    },
    store::{MemoryStore, MemoryStoreBuilder},
};
use revm::primitives::{Address, B256, Bytes, U256, hardfork::SpecId, hex, keccak256};

use super::{
    Fault, Plan, Pre, Who,
    assembler::{proxy, tick},
    envelope::Nonces,
    who::{DELEGATED, PROXIES, SCRIPTS, SENDERS},
};

/// Number of every generated block: more than 256, so that the oldest known hash is not the first.
const NUMBER: u64 = 1_000;
/// What a sender has, in wei; the last one has [`LITTLE`].
const PLENTY: u128 = 1_000_000_000_000_000_000;
/// Enough for a few cheap transactions.
const LITTLE: u128 = 30_000_000;

/// A block, its state, and the plan behind them.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) plan: Plan,
    pub(crate) block: Arc<Block>,
    pub(crate) store: Arc<MemoryStore>,
}

impl fmt::Debug for Case {
    /// The plan says everything; the block would drown it. A line per transaction, whatever the
    /// formatter asks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transactions = &self.plan.transactions;
        let rest = Plan { transactions: Vec::new(), ..self.plan.clone() };
        writeln!(f, "{}", format_args!("{rest:?}"))?;
        transactions
            .iter()
            .enumerate()
            .try_for_each(|(i, tx)| writeln!(f, "  transaction {i}: {}", format_args!("{tx:?}")))
    }
}

impl From<Plan> for Case {
    fn from(plan: Plan) -> Self {
        let store = Arc::new(store(&plan));
        let block = Arc::new(block(&plan));
        Self { plan, block, store }
    }
}

fn contract(hex_text: &str) -> Bytes {
    hex::decode(hex_text.trim()).expect("the embedded bytecode is hexadecimal").into()
}

fn store(plan: &Plan) -> MemoryStore {
    let script = contract(include_str!("../../contracts/Script.hex"));
    let diver = contract(include_str!("../../contracts/Diver.hex"));
    let proxy = Bytes::from(proxy(Who::Script(0).address()));
    let mut store = MemoryStore::builder();

    for i in 0..SENDERS {
        let balance = if i == SENDERS - 1 { LITTLE } else { PLENTY };
        store.balance(Who::Eoa(i).address(), U256::from(balance));
        store.nonce(Who::Eoa(i).address(), i.into());
    }
    let contracts = (0..SCRIPTS).map(|i| (Who::Script(i), &script));
    let proxies = (0..PROXIES).map(|i| (Who::Proxy(i), &proxy));
    for (i, (who, code)) in contracts.chain(proxies).enumerate() {
        contract_at(&mut store, who.address(), code, 1_000 + i as u64);
    }
    store.nonce(Who::Diver.address(), 1).code(Who::Diver.address(), diver);

    let delegates = [Who::Script(0), Who::Delegated(0), Who::Precompile(3)];
    for (i, delegate) in (0..DELEGATED).zip(delegates) {
        let address = Who::Delegated(i).address();
        store.balance(address, U256::from(PLENTY)).nonce(address, 1);
        if plan.spec.is_enabled_in(SpecId::PRAGUE) {
            let designator = [&[0xef, 0x01, 0x00], delegate.address().as_slice()].concat();
            store.code(address, designator.into());
        }
    }
    if plan.system {
        for i in 0..4 {
            store.nonce(Who::System(i).address(), 1).code(Who::System(i).address(), tick().into());
        }
    }
    for (who, pre) in &plan.occupied {
        occupy(&mut store, who.address(), *pre, &proxy);
    }
    store.build()
}

fn contract_at(store: &mut MemoryStoreBuilder, address: Address, code: &Bytes, balance: u64) {
    store.nonce(address, 1).code(address, code.clone()).balance(address, U256::from(balance));
    for slot in 0..4 {
        store.slot(address, U256::from(slot), U256::from(slot * 7));
    }
}

fn occupy(store: &mut MemoryStoreBuilder, address: Address, pre: Pre, proxy: &Bytes) {
    store.account(address);
    match pre {
        Pre::Empty => {}
        Pre::Balance => _ = store.balance(address, U256::from(77)),
        Pre::Nonce => _ = store.nonce(address, 5),
        Pre::Storage => _ = store.slot(address, U256::from(1), U256::from(9)),
        Pre::StorageAndBalance => {
            store.slot(address, U256::from(2), U256::from(9)).balance(address, U256::from(77));
        }
        Pre::Contract => contract_at(store, address, proxy, 77),
    }
}

fn block(plan: &Plan) -> Block {
    let since = |spec| plan.spec.is_enabled_in(spec);
    let mut nonces = Nonces::default();
    let base_fee = if since(SpecId::LONDON) { plan.base_fee } else { 0 };
    let mut envs: Vec<TxEnv> =
        plan.transactions.iter().map(|tx| nonces.transaction(tx, base_fee)).collect();

    let limits = || envs.iter().map(|tx| tx.gas_limit);
    let room = limits().sum::<u64>() * u64::from(plan.room) / 100;
    let gas_limit = limits().max().unwrap_or_default().max(room);
    for (env, tx) in envs.iter_mut().zip(&plan.transactions) {
        if matches!(tx.fault, Some(Fault::GasOverBlock)) {
            env.gas_limit = gas_limit + 1;
        }
    }

    let (max_blobs, update_fraction) = match plan.spec {
        spec if spec.is_enabled_in(SpecId::PRAGUE) => (9, 5_007_716),
        spec if spec.is_enabled_in(SpecId::CANCUN) => (6, 3_338_477),
        _ => (0, 1),
    };
    let merged = since(SpecId::MERGE);
    let mut env = BlockEnv {
        number: U256::from(NUMBER),
        beneficiary: plan.beneficiary.address(),
        timestamp: U256::from(1_700_000_000),
        gas_limit,
        basefee: base_fee,
        difficulty: if merged { U256::ZERO } else { U256::from(131_072) },
        prevrandao: merged.then(|| B256::repeat_byte(7)),
        ..Default::default()
    };
    env.blob_excess_gas_and_price = None;
    if since(SpecId::CANCUN) {
        env.set_blob_excess_gas_and_price(0, update_fraction);
    }
    let reward = match plan.spec {
        _ if merged => 0,
        spec if spec.is_enabled_in(SpecId::PETERSBURG) => 2,
        spec if spec.is_enabled_in(SpecId::BYZANTIUM) => 3,
        _ => 5,
    };
    Block {
        spec: plan.spec,
        chain_id: 1,
        env,
        transactions: envs
            .into_iter()
            .map(|env| Transaction { env, ..Transaction::default() })
            .collect(),
        withdrawals: plan
            .withdrawals
            .iter()
            .filter(|_| since(SpecId::SHANGHAI))
            .map(|(who, gwei)| Withdrawal { address: who.address(), amount_gwei: *gwei })
            .collect(),
        ommers: plan
            .ommers
            .iter()
            .filter(|_| !merged)
            .map(|(who, age)| Ommer {
                number: NUMBER - u64::from(*age),
                beneficiary: who.address(),
            })
            .collect(),
        block_hashes: (NUMBER - 256..NUMBER)
            .map(|number| (number, keccak256(number.to_be_bytes())))
            .collect(),
        blobs: BlobSchedule {
            max_blobs,
            max_blobs_per_transaction: since(SpecId::OSAKA).then_some(6),
            update_fraction,
        },
        system: SystemRules {
            beacon_root: since(SpecId::CANCUN).then_some(B256::repeat_byte(1)),
            parent_hash: since(SpecId::PRAGUE).then_some(B256::repeat_byte(2)),
            block_reward: U256::from(reward) * U256::from(PLENTY),
            requests: since(SpecId::PRAGUE),
            ..Default::default()
        },
        claims: HeaderClaims::default(),
        sidecars: Vec::new(),
    }
}
