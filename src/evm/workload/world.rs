//! The block under construction: addresses, funded senders, contracts and calls.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use revm::{
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    primitives::hardfork::SpecId,
};

use super::contracts::Contract;
use crate::{
    engine::SharedMemory,
    evm::{BlobSchedule, Block, InvalidPolicy, Transaction, limit::Beside, shared::assemble},
    region::config::SharedMemoryConfig,
    store::{MemoryStore, MemoryStoreBuilder},
    sync::Arc,
};

/// What one Gwei is in wei.
const GWEI: u128 = 1_000_000_000;

/// Everything that grows while a workload is built.
pub(super) struct World {
    /// The only source of chance.
    pub(super) random: fastrand::Rng,
    seed: u64,
    addresses: u64,
    store: MemoryStoreBuilder,
    codes: BTreeMap<Contract, Bytecode>,
    nonces: BTreeMap<Address, u64>,
    transactions: Vec<Transaction>,
    /// The rules of the block.
    pub(super) spec: SpecId,
    /// What the block needs besides its state.
    pub(super) around: Around,
}

/// What a block needs besides its state.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// What becomes of transactions that are invalid.
    pub(super) policy: InvalidPolicy,
    /// Regions, if the block uses them.
    pub(super) memory: Option<Arc<SharedMemory>>,
    /// What the transactions read and write besides accounts and slots.
    pub(super) beside: Vec<Beside>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            seed,
            addresses: 0,
            store: MemoryStore::builder(),
            codes: BTreeMap::new(),
            nonces: BTreeMap::new(),
            transactions: Vec::new(),
            spec: SpecId::OSAKA,
            around: Around::default(),
        }
    }

    /// An address that nobody used before. Hashed, so that addresses are spread as real ones are.
    pub(super) fn address(&mut self) -> Address {
        self.addresses += 1;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.seed.to_be_bytes());
        bytes[8..].copy_from_slice(&self.addresses.to_be_bytes());
        Address::from_word(keccak256(bytes))
    }

    /// A new account with ether for any number of transactions, and a past.
    pub(super) fn sender(&mut self) -> Address {
        let address = self.address();
        let nonce = self.random.u64(0..500);
        let wei = self.random.u64(..);
        let balance = U256::from(1_000_000_000 * GWEI) * U256::from(1_000) + U256::from(wei);
        self.store.balance(address, balance).nonce(address, nonce);
        self.nonces.insert(address, nonce);
        address
    }

    /// A new account that holds a little ether and sends nothing.
    pub(super) fn holder(&mut self) -> Address {
        let address = self.address();
        let balance = U256::from(self.random.u64(1..));
        self.store.balance(address, balance);
        address
    }

    /// A new account with the contract's code.
    pub(super) fn deploy(&mut self, contract: Contract) -> Address {
        let address = self.address();
        let code = self.codes.entry(contract).or_insert_with(|| contract.code()).clone();
        self.store.nonce(address, 1).bytecode(address, code);
        address
    }

    /// A new account with code made of text, in which the opcodes of shared memory have their names.
    pub(super) fn install(&mut self, text: &str) -> Address {
        let address = self.address();
        let chain = SharedMemoryConfig::production().chain;
        let code = assemble(text, &chain).expect("the text of an embedded contract is code");
        self.store.nonce(address, 1).bytecode(address, Bytecode::new_legacy(code));
        address
    }

    /// A new account with so much ether, and no past.
    pub(super) fn funded(&mut self, balance: U256) -> Address {
        let address = self.address();
        self.store.balance(address, balance);
        address
    }

    /// The transaction appended last, to be spoilt.
    pub(super) fn last(&mut self) -> Option<&mut TxEnv> {
        self.transactions.last_mut().map(|transaction| &mut transaction.env)
    }

    /// Writes a storage slot of the state before the block.
    pub(super) fn set(&mut self, address: Address, slot: U256, value: U256) {
        self.store.slot(address, slot, value);
    }

    /// Appends a call with value zero.
    pub(super) fn call(&mut self, from: Address, to: Address, data: Bytes, gas_limit: u64) {
        self.send(from, to, U256::ZERO, data, gas_limit);
    }

    /// Appends a transaction with the sender's next nonce: a fee-market one, or one in ten legacy.
    pub(super) fn send(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        data: Bytes,
        gas_limit: u64,
    ) {
        let nonce = self.nonces.entry(from).or_default();
        let legacy = self.random.u8(0..10) == 0;
        let tip = u128::from(self.random.u64(1..3 * GWEI as u64));
        let env = TxEnv {
            tx_type: if legacy { 0 } else { 2 },
            caller: from,
            gas_limit,
            gas_price: 10 * GWEI + tip,
            gas_priority_fee: (!legacy).then_some(tip),
            kind: TxKind::Call(to),
            value,
            data,
            nonce: *nonce,
            chain_id: Some(1),
            ..Default::default()
        };
        *nonce += 1;
        self.transactions.push(Transaction { env, ..Transaction::default() });
    }

    /// The finished block, with room for every gas limit, its state, and what else it needs.
    pub(super) fn finish(mut self) -> (Block, MemoryStore, Around) {
        let beneficiary = self.holder();
        let gas_limit = self.transactions.iter().map(|tx| tx.env.gas_limit).sum::<u64>();
        let mut env = BlockEnv {
            number: U256::from(24_000_000),
            beneficiary,
            timestamp: U256::from(TIMESTAMP),
            gas_limit: gas_limit.max(60_000_000),
            basefee: 2 * GWEI as u64,
            difficulty: U256::ZERO,
            prevrandao: Some(keccak256(self.seed.to_be_bytes())),
            ..Default::default()
        };
        let blobs = BlobSchedule::of_fork(SpecId::OSAKA);
        env.set_blob_excess_gas_and_price(0, blobs.update_fraction);
        let block = Block::new(self.spec, 1, env, self.transactions);
        (block, self.store.build(), self.around)
    }
}

/// Time of every generated block, in seconds: shortly after Osaka began on mainnet.
pub(super) const TIMESTAMP: u64 = 1_765_000_000;
