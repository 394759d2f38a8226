//! A chain with shared memory, block after block.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use chorus::{
    evm::{
        AccountChange, BlobSchedule, Block, BlockEnv, BlockOutcome, Executed, HeaderClaims,
        InvalidPolicy, Sequential, SpecId, SystemRules, Transaction, TransactionOutcome, TxEnv,
        shared::{Diagnostic, SharedRegions},
    },
    region::{
        change::RegionChanges,
        config::{ChainConfig, SharedMemoryConfig},
        direct::DirectRegions,
        regions::Regions,
    },
    store::{MemoryStore, MemoryStoreBuilder},
};
use revm::context::result::{ExecutionResult, HaltReason};

/// Gas of every transaction.
pub(crate) const GAS: u64 = 16_000_000;

/// The `i`-th account of a kind.
pub(crate) fn account(kind: u8, i: u8) -> Address {
    let mut address = Address::repeat_byte(kind);
    address.0[19] = i;
    address
}

/// A chain, and the next block on it.
pub(crate) struct Lab {
    pub(crate) config: ChainConfig,
    pub(crate) spec: SpecId,
    pub(crate) store: MemoryStoreBuilder,
    pub(crate) regions: Arc<Regions>,
    number: u64,
    transactions: Vec<Transaction>,
    senders: u8,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(SharedMemoryConfig::production().chain)
    }

    pub(crate) fn with(config: ChainConfig) -> Self {
        Self {
            config,
            spec: SpecId::PRAGUE,
            store: MemoryStore::builder(),
            regions: Arc::default(),
            number: 1_000,
            transactions: Vec::new(),
            senders: 0,
        }
    }

    /// Puts a contract there.
    pub(crate) fn contract(&mut self, address: Address, code: impl Into<Bytes>) -> &mut Self {
        self.store.nonce(address, 1).code(address, code.into());
        self
    }

    /// Appends a call by a sender of its own, and says where it is.
    pub(crate) fn call(&mut self, to: Address) -> usize {
        self.call_with(to, Bytes::new(), 0)
    }

    pub(crate) fn call_with(&mut self, to: Address, data: Bytes, value: u64) -> usize {
        self.senders += 1;
        let caller = account(0x5e, self.senders);
        self.store.balance(caller, U256::from(10).pow(U256::from(18)));
        self.send(TxEnv {
            caller,
            gas_limit: GAS,
            kind: TxKind::Call(to),
            data,
            value: U256::from(value),
            ..TxEnv::default()
        })
    }

    /// Gives a transaction less gas.
    pub(crate) fn limit(&mut self, at: usize, gas: u64) {
        self.transactions[at].env.gas_limit = gas;
    }

    /// Who sent the last transaction.
    pub(crate) fn sender(&self) -> Address {
        account(0x5e, self.senders)
    }

    pub(crate) fn send(&mut self, env: TxEnv) -> usize {
        self.transactions.push(Transaction { env, hash: B256::ZERO });
        self.transactions.len() - 1
    }

    pub(crate) fn block(&self) -> Block {
        let mut env = BlockEnv {
            number: U256::from(self.number),
            beneficiary: Address::repeat_byte(0x3a),
            gas_limit: 1_000_000_000,
            ..BlockEnv::default()
        };
        env.set_blob_excess_gas_and_price(0, 3_338_477);
        Block {
            spec: self.spec,
            chain_id: 1,
            env,
            transactions: self.transactions.clone(),
            withdrawals: Vec::new(),
            ommers: Vec::new(),
            block_hashes: Default::default(),
            blobs: BlobSchedule {
                max_blobs: 6,
                max_blobs_per_transaction: None,
                update_fraction: 3_338_477,
            },
            system: SystemRules::default(),
            claims: HeaderClaims::default(),
        }
    }

    /// Runs the block, and leaves the chain as it was before.
    pub(crate) fn run(&mut self) -> Ran {
        let block = self.block();
        let store = self.store.clone().build();
        let config = Arc::new(self.config.clone());
        let mut regions = DirectRegions::new(config.clone(), self.regions.clone(), self.number);
        let shared = Some(SharedRegions { config, regions: &mut regions });
        let outcome = Sequential::new().execute_shared(&block, &store, InvalidPolicy::Fail, shared);
        Ran { outcome: outcome.expect("a valid block"), changes: regions.finish() }
    }

    /// Runs the block and turns to the next, on the same accounts and on what it left of regions.
    pub(crate) fn advance(&mut self) -> Ran {
        let ran = self.run();
        self.regions = Arc::new(self.regions.apply(&ran.changes).expect("changes of this chain"));
        self.transactions.clear();
        self.number += 1;
        ran
    }
}

/// What came out of a block.
pub(crate) struct Ran {
    pub(crate) outcome: BlockOutcome,
    pub(crate) changes: RegionChanges,
}

impl Ran {
    #[track_caller]
    pub(crate) fn executed(&self, at: usize) -> &Executed {
        match &self.outcome.transactions[at] {
            TransactionOutcome::Executed(executed) => executed,
            TransactionOutcome::Skipped(reason) => panic!("skipped: {reason}"),
        }
    }

    #[track_caller]
    pub(crate) fn succeeded(&self, at: usize) -> bool {
        self.executed(at).result.is_success()
    }

    #[track_caller]
    pub(crate) fn gas(&self, at: usize) -> u64 {
        self.executed(at).result.tx_gas_used()
    }

    #[track_caller]
    pub(crate) fn diagnostics(&self, at: usize) -> &[Diagnostic] {
        &self.executed(at).diagnostics
    }

    /// Why a transaction halted, if it did.
    #[track_caller]
    pub(crate) fn halt(&self, at: usize) -> Option<&HaltReason> {
        match &self.executed(at).result {
            ExecutionResult::Halt { reason, .. } => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn change(&self, address: Address) -> Option<&AccountChange> {
        let mut accounts = self.outcome.diff.accounts.iter();
        accounts.find(|(changed, _)| *changed == address).map(|(_, change)| change)
    }

    /// A slot of an account that had none before.
    pub(crate) fn slot(&self, address: Address, slot: u64) -> U256 {
        let slot = U256::from(slot);
        let mut slots = self.change(address).into_iter().flat_map(|change| &change.storage);
        slots.find(|(changed, _)| *changed == slot).map_or(U256::ZERO, |(_, value)| *value)
    }
}
