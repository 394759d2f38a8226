//! From a plan to a block and the state it starts from.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chorus::{
    evm::{
        BlobSchedule, Block, BlockEnv, HeaderClaims, Ommer, SystemRules, Transaction, TxEnv,
        Withdrawal,
    },
    store::{MemoryStore, MemoryStoreBuilder},
};
use revm::{
    context::either::Either,
    context_interface::transaction::{
        AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
    },
    primitives::{Address, B256, Bytes, TxKind, U256, hardfork::SpecId, hex, keccak256},
};

use super::{
    Fault, Form, Plan, Pre, Price, Target, TxPlan, Who,
    assembler::{proxy, tick},
    op::encode,
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
    pub(crate) block: Block,
    pub(crate) store: Arc<MemoryStore>,
}

impl fmt::Debug for Case {
    /// The plan says everything; the block would drown it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}

impl From<Plan> for Case {
    fn from(plan: Plan) -> Self {
        let store = Arc::new(store(&plan));
        let block = block(&plan);
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
        transactions: envs.into_iter().map(|env| Transaction { env, hash: B256::ZERO }).collect(),
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
    }
}

/// The nonces that accounts have if everything goes as planned. It does not always (a delegated
/// account may create contracts, a sender may run out of funds), and then the block holds a few
/// more invalid transactions.
#[derive(Debug, Default)]
struct Nonces(BTreeMap<Address, u64>);

impl Nonces {
    fn of(&mut self, who: Who) -> &mut u64 {
        let before = match who {
            Who::Eoa(i) => i.into(),
            Who::Delegated(_) => 1,
            _ => 0,
        };
        self.0.entry(who.address()).or_insert(before)
    }

    fn transaction(&mut self, plan: &TxPlan, base_fee: u64) -> TxEnv {
        let nonce = *self.of(plan.sender);
        let tip = match plan.price {
            Price::Bare => 0,
            Price::Tip(tip) => u128::from(tip),
        };
        let (kind, data) = match &plan.target {
            Target::Pay(to) => (TxKind::Call(to.address()), Vec::new()),
            Target::Run(to, program) => (TxKind::Call(to.address()), encode(program)),
            Target::Dive(times) => {
                let word = U256::from(*times).to_be_bytes::<32>();
                (TxKind::Call(Who::Diver.address()), word.to_vec())
            }
            Target::Create(init) => (TxKind::Create, init.code()),
        };
        let mut env = TxEnv {
            caller: plan.sender.address(),
            gas_limit: plan.gas_limit,
            gas_price: u128::from(base_fee) + tip,
            kind,
            value: U256::from(plan.value),
            data: data.into(),
            nonce,
            chain_id: Some(1),
            ..Default::default()
        };
        if plan.fault.is_none() {
            *self.of(plan.sender) += 1;
        }
        self.give_form(&mut env, &plan.form, tip);
        if let Some(fault) = plan.fault {
            break_with(&mut env, fault);
        }
        env
    }

    fn give_form(&mut self, env: &mut TxEnv, form: &Form, tip: u128) {
        let mut fee_market = |tx_type| {
            env.tx_type = tx_type;
            env.gas_priority_fee = Some(tip);
            env.gas_price *= 2; // a fee cap with room to spare
        };
        match form {
            Form::Legacy => env.tx_type = 0,
            Form::AccessList(accounts) => {
                env.tx_type = 1;
                let item = |who: &Who| AccessListItem {
                    address: who.address(),
                    storage_keys: vec![B256::ZERO, B256::with_last_byte(1)],
                };
                env.access_list = AccessList(accounts.iter().map(item).collect());
            }
            Form::FeeMarket => fee_market(2),
            Form::Blobs(count) => {
                fee_market(3);
                env.max_fee_per_blob_gas = 5;
                env.blob_hashes = (0..*count).map(blob).collect();
            }
            Form::Authorizations(plans) => {
                fee_market(4);
                for plan in plans {
                    env.authorization_list.push(Either::Right(self.authorization(plan)));
                }
            }
        }
    }

    fn authorization(&mut self, plan: &super::AuthPlan) -> RecoveredAuthorization {
        let mut nonce = u64::from(plan.skew);
        if let Some(authority) = plan.authority {
            let has_code = matches!(authority, Who::Script(_) | Who::Proxy(_) | Who::Diver);
            let now = self.of(authority);
            nonce += *now;
            *now += u64::from(plan.skew == 0 && plan.chain_id <= 1 && !has_code);
        }
        let inner = Authorization {
            chain_id: U256::from(plan.chain_id),
            address: plan.delegate.map(Who::address).unwrap_or_default(),
            nonce,
        };
        let authority = plan.authority.map(Who::address);
        let authority = authority.map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
        RecoveredAuthorization::new_unchecked(inner, authority)
    }
}

fn blob(i: u8) -> B256 {
    let mut hash = B256::repeat_byte(i);
    hash[0] = 1;
    hash
}

fn break_with(env: &mut TxEnv, fault: Fault) {
    match fault {
        Fault::NonceTooHigh => env.nonce += 1,
        Fault::NonceTooLow => env.nonce = env.nonce.wrapping_sub(1),
        Fault::TooPoor => env.value = U256::from(1) << 200,
        Fault::GasOverBlock => {} // once the block's limit is known
        Fault::GasUnderIntrinsic => env.gas_limit = 20_999,
        Fault::FreeOfCharge => {
            env.gas_price = 0;
            env.gas_priority_fee = env.gas_priority_fee.map(|_| 0);
        }
        Fault::SenderHasCode => env.caller = Who::Script(1).address(),
        Fault::ForeignChain => env.chain_id = Some(2),
        Fault::TooManyBlobs => {
            env.tx_type = 3;
            env.gas_priority_fee.get_or_insert(0);
            env.max_fee_per_blob_gas = 5;
            env.blob_hashes = (0..10).map(blob).collect();
        }
        Fault::UnknownForm => {
            env.tx_type = 4;
            env.gas_priority_fee.get_or_insert(0);
            env.authorization_list.clear();
        }
    }
}
