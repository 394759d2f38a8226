//! A chain with shared memory, block after block.

use std::sync::Arc;

use alloy_primitives::{Address, Bytes, TxKind, U256};
use chorus::{
    engine::SharedMemory,
    evm::{
        AccountChange, Block, BlockEnv, BlockOutcome, Engine, ExecuteOptions, Executed,
        InvalidPolicy, Path, Sequential, SpecId, StateStore, SystemRules, Transaction,
        TransactionOutcome, TxEnv, shared::Diagnostic,
    },
    region::{
        change::RegionChanges,
        config::{ChainConfig, SharedMemoryConfig},
        sidecar::Sidecar,
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
    /// What earlier blocks changed of regions.
    history: Vec<RegionChanges>,
    number: u64,
    /// System calls of the block.
    pub(crate) system: SystemRules,
    transactions: Vec<Transaction>,
    /// What is attached to the block.
    pub(crate) sidecars: Vec<Arc<Sidecar>>,
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
            history: Vec::new(),
            number: 1_000,
            system: SystemRules::default(),
            transactions: Vec::new(),
            sidecars: Vec::new(),
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

    /// Attaches data to a transaction.
    pub(crate) fn attach(&mut self, at: usize, sidecar: &Arc<Sidecar>) {
        self.transactions[at].sidecars.push(sidecar.clone());
    }

    /// Who sent the last transaction.
    pub(crate) fn sender(&self) -> Address {
        account(0x5e, self.senders)
    }

    pub(crate) fn send(&mut self, env: TxEnv) -> usize {
        self.transactions.push(env.into());
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
        let mut block = Block::new(self.spec, 1, env, self.transactions.clone());
        block.system = self.system.clone();
        block.sidecars = self.sidecars.clone();
        block
    }

    /// The chain's regions before the block.
    pub(crate) fn memory(&self) -> Arc<SharedMemory> {
        let host = SharedMemoryConfig::testing().host;
        let config = SharedMemoryConfig { chain: self.config.clone(), host };
        let memory = SharedMemory::new(config).expect("a configuration that agrees with itself");
        for changes in &self.history {
            memory.commit(changes).expect("changes of this chain");
        }
        memory
    }

    /// Runs the block, one by one, in parallel, and the one after the other, which must come to the same,
    /// and leaves the chain as it was before.
    pub(crate) fn run(&mut self) -> Ran {
        let block = Arc::new(self.block());
        let store: Arc<dyn StateStore> = Arc::new(self.store.clone().build());
        let memory = self.memory();
        let outcome = Sequential::with_shared_memory(memory.clone())
            .execute(&block, &*store, InvalidPolicy::Fail)
            .expect("a valid block");
        let same = |other: BlockOutcome, name: String| {
            assert_eq!(other.transactions, outcome.transactions, "{name}");
            assert_eq!(other.diff, outcome.diff, "{name}");
            assert_eq!(other.regions, outcome.regions, "{name}");
        };
        for (threads, window) in [(1, 1), (1, 256), (2, 256)] {
            let engine = Engine::builder().threads(threads).window(window).path(Path::Parallel);
            let engine = engine.shared_memory(memory.clone()).build().expect("the workers start");
            let parallel = engine.execute(&block, &store).expect("a valid block");
            same(parallel, format!("{threads} threads"));
            let count = block.transactions.len();
            for (head, end) in [(count / 2, count), (0, count / 2), (count / 3, count * 2 / 3)] {
                let options = ExecuteOptions::new();
                let parts = engine.execute_in_parts(&block, &store, head, end as u32, options);
                same(parts.expect("a valid block"), format!("{threads} threads, {head}, {end}"));
            }
        }
        let changes = outcome.regions.clone().unwrap_or_default();
        Ran { outcome, changes }
    }

    /// Runs the block and turns to the next, on the same accounts and on what it left of regions.
    pub(crate) fn advance(&mut self) -> Ran {
        let ran = self.run();
        self.history.extend(ran.outcome.regions.clone());
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
