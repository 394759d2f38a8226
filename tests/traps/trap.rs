//! Blocks by hand, and their runs.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use alloy_primitives::{Address, Bytes, TxKind, U256};
use chorus::{
    evm::{
        AccountChange, BlobSchedule, Block, BlockEnv, BlockError, BlockOutcome, Executed,
        HeaderClaims, InvalidPolicy, SpecId, SystemRules, Transaction, TransactionOutcome, TxEnv,
    },
    store::{MemoryStore, MemoryStoreBuilder},
};

use super::{
    code::Code,
    executor::{Executor, Parallel, difference, sequential},
};

/// How often each engine runs a block.
const REPEATS: usize = 20;
/// Number of every block.
pub(crate) const NUMBER: u64 = 1_000;
/// Gets the fees, unless a trap says otherwise.
pub(crate) const MINER: Address = Address::repeat_byte(0x3a);
/// What senders have.
pub(crate) const ETHER: u64 = 1_000_000_000_000_000_000;
/// Code that only takes time.
const BUSY: Address = Address::repeat_byte(0xb5);

/// The engines, shared by all tests: one at a time is plenty for the cores there are.
static ENGINES: LazyLock<Vec<Mutex<Parallel>>> = LazyLock::new(|| {
    let all = [1, 2, 4, 8].into_iter().flat_map(|threads| [1, 4, 256].map(|w| (threads, w)));
    let whole = all.map(|(threads, window)| Parallel::new(threads, window));
    let parts = [(0, 1), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)];
    let parts = parts.map(|(head, end)| Parallel::in_parts(2, 4, head, end));
    whole.chain(parts).map(Mutex::new).collect()
});

/// The `i`-th account of a kind, for senders, contracts and whoever else.
pub(crate) fn account(kind: u8, i: u8) -> Address {
    let mut address = Address::repeat_byte(kind);
    address.0[19] = i;
    address
}

/// A block and the state before it.
pub(crate) struct Trap {
    pub(crate) block: Block,
    pub(crate) store: MemoryStoreBuilder,
    senders: u8,
}

impl Trap {
    /// An empty block.
    pub(crate) fn bare(spec: SpecId) -> Self {
        let blobs = spec.is_enabled_in(SpecId::CANCUN);
        let mut env = BlockEnv {
            number: U256::from(NUMBER),
            beneficiary: MINER,
            gas_limit: 100_000_000,
            ..BlockEnv::default()
        };
        env.blob_excess_gas_and_price = None;
        if blobs {
            env.set_blob_excess_gas_and_price(0, 3_338_477);
        }
        let block = Block {
            spec,
            chain_id: 1,
            env,
            transactions: Vec::new(),
            withdrawals: Vec::new(),
            ommers: Vec::new(),
            block_hashes: Default::default(),
            blobs: BlobSchedule {
                max_blobs: if blobs { 6 } else { 0 },
                max_blobs_per_transaction: None,
                update_fraction: 3_338_477,
            },
            system: SystemRules::default(),
            claims: HeaderClaims::default(),
            sidecars: Vec::new(),
        };
        let mut store = MemoryStore::builder();
        store.nonce(BUSY, 1).code(BUSY, Code::slow().into());
        Self { block, store, senders: 0 }
    }

    /// A block that begins with something slow, so that all the rest runs ahead of the cursor.
    pub(crate) fn new(spec: SpecId) -> Self {
        let mut trap = Self::bare(spec);
        trap.call(BUSY);
        trap
    }

    /// Puts a contract there.
    pub(crate) fn contract(&mut self, address: Address, code: impl Into<Bytes>) -> &mut Self {
        self.store.nonce(address, 1).code(address, code.into());
        self
    }

    /// A sender with an ether, who has sent nothing yet.
    pub(crate) fn sender(&mut self) -> Address {
        self.senders += 1;
        let sender = account(0x5e, self.senders);
        self.store.balance(sender, U256::from(ETHER));
        sender
    }

    /// Appends a transaction and says where it is.
    pub(crate) fn send(&mut self, env: TxEnv) -> usize {
        self.block.transactions.push(Transaction { env, ..Transaction::default() });
        self.block.transactions.len() - 1
    }

    /// A call by a sender of its own, free of charge.
    pub(crate) fn call(&mut self, to: Address) -> usize {
        self.call_with(to, Bytes::new())
    }

    /// A call with input.
    pub(crate) fn call_with(&mut self, to: Address, data: Bytes) -> usize {
        let env = TxEnv { data, ..by(self.sender(), 0, to) };
        self.send(env)
    }

    /// A transfer that pays the beneficiary 210,000 wei.
    pub(crate) fn pay_fee(&mut self) -> usize {
        let sender = self.sender();
        let env = TxEnv { gas_limit: 21_000, gas_price: 10, ..by(sender, 0, account(0xf0, 0)) };
        self.send(TxEnv { value: U256::ONE, ..env })
    }

    /// A few transactions that take some time and have nothing to do with the rest.
    pub(crate) fn dawdle(&mut self) {
        for _ in 0..3 {
            self.call(BUSY);
        }
    }

    /// Runs the block on all engines, under a policy. All must come to the same, which is returned.
    pub(crate) fn run(&mut self, policy: InvalidPolicy) -> Result<BlockOutcome, BlockError> {
        let block = Arc::new(self.block.clone());
        let store = Arc::new(self.store.clone().build());
        let expected = sequential().execute(&block, &store, policy);
        for engine in ENGINES.iter() {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            for repeat in 0..REPEATS {
                let actual = engine.execute(&block, &store, policy);
                if let Some(difference) = difference(&expected, &actual) {
                    panic!("{}, repeat {repeat}: {difference}", engine.name());
                }
            }
        }
        expected
    }

    /// Runs a block in which every transaction is valid.
    pub(crate) fn outcome(&mut self) -> Facts {
        Facts(self.run(InvalidPolicy::Fail).expect("a valid block"))
    }

    /// Runs a block in which some are not.
    pub(crate) fn outcome_of_valid(&mut self) -> Facts {
        Facts(self.run(InvalidPolicy::Skip).expect("the valid transactions"))
    }
}

/// A call that costs no wei.
pub(crate) fn by(caller: Address, nonce: u64, to: Address) -> TxEnv {
    TxEnv { caller, nonce, gas_limit: 500_000, kind: TxKind::Call(to), ..TxEnv::default() }
}

/// What came out.
pub(crate) struct Facts(pub(crate) BlockOutcome);

impl Facts {
    /// A transaction that ran.
    #[track_caller]
    pub(crate) fn executed(&self, at: usize) -> &Executed {
        match &self.0.transactions[at] {
            TransactionOutcome::Executed(executed) => executed,
            TransactionOutcome::Skipped(reason) => panic!("skipped: {reason}"),
        }
    }

    /// Gas that a transaction used.
    #[track_caller]
    pub(crate) fn gas(&self, at: usize) -> u64 {
        self.executed(at).result.tx_gas_used()
    }

    /// Whether a transaction succeeded.
    #[track_caller]
    pub(crate) fn succeeded(&self, at: usize) -> bool {
        self.executed(at).result.is_success()
    }

    /// How an account has changed, if it has.
    pub(crate) fn change(&self, address: Address) -> Option<&AccountChange> {
        let mut accounts = self.0.diff.accounts.iter();
        accounts.find(|(changed, _)| *changed == address).map(|(_, change)| change)
    }

    /// Its new balance.
    #[track_caller]
    pub(crate) fn balance(&self, address: Address) -> u64 {
        let change = self.change(address).expect("a change");
        change.balance.expect("another balance").to()
    }

    /// Its new nonce.
    #[track_caller]
    pub(crate) fn nonce(&self, address: Address) -> u64 {
        self.change(address).expect("a change").nonce.expect("another nonce")
    }

    /// Its changed slots.
    #[track_caller]
    pub(crate) fn slots(&self, address: Address) -> Vec<(u64, U256)> {
        let change = self.change(address).expect("a change");
        change.storage.iter().map(|(slot, value)| (slot.to(), *value)).collect()
    }

    /// Its only changed slot.
    #[track_caller]
    pub(crate) fn slot(&self, address: Address, slot: u64) -> U256 {
        let slots = self.slots(address);
        let found = slots.iter().find(|(changed, _)| *changed == slot);
        found.unwrap_or_else(|| panic!("slot {slot} among {slots:?}")).1
    }
}
