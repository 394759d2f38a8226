//! Who runs the blocks of the suites.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chorus::evm::{
    Block, BlockError, BlockOutcome, Engine, InvalidPolicy, Path, Sequential, StateStore,
};

use crate::world::{World, WorldAccount};

/// Something that executes blocks and is to be checked.
pub(crate) trait Executor: Sync {
    /// What the counts are printed under.
    fn name(&self) -> String;

    /// Executes a block, ending with an error at the first invalid transaction.
    fn execute(&self, block: Block, store: Arc<dyn StateStore>)
    -> Result<BlockOutcome, BlockError>;

    /// Executes the block of a state test. The whole pre-state is at hand, so that an executor
    /// can also let it reach the transaction in other ways than through the store; what comes
    /// back is relative to the pre-state in any case.
    fn execute_case(&self, block: Block, pre: &World) -> Result<BlockOutcome, BlockError> {
        self.execute(block, Arc::new(pre.clone()))
    }

    /// Looks at what the executor counted itself while so many cases ran, and says it.
    fn counts(&self, ran: usize) -> String {
        let _ = ran;
        String::new()
    }
}

/// The sequential reference.
pub(crate) struct OneByOne;

impl Executor for OneByOne {
    fn name(&self) -> String {
        "one by one".into()
    }

    fn execute(
        &self,
        block: Block,
        store: Arc<dyn StateStore>,
    ) -> Result<BlockOutcome, BlockError> {
        Sequential::new().execute(&block, &*store, InvalidPolicy::Fail)
    }
}

/// The engine, forced through its parallel path.
pub(crate) struct Parallel {
    engine: Engine,
    threads: usize,
}

impl Parallel {
    pub(crate) fn new(threads: usize) -> Self {
        let engine = Engine::builder().threads(threads).path(Path::Parallel).build().unwrap();
        Self { engine, threads }
    }
}

impl Executor for Parallel {
    fn name(&self) -> String {
        format!("in parallel on {} threads", self.threads)
    }

    fn execute(
        &self,
        block: Block,
        store: Arc<dyn StateStore>,
    ) -> Result<BlockOutcome, BlockError> {
        self.engine.execute(&Arc::new(block), &store)
    }
}

/// The engine over a pre-state that an artificial earlier transaction publishes: what a case reads
/// it first has to wait for, and then gets from an uncommitted version.
pub(crate) struct Published {
    parallel: Parallel,
    seed: u64,
    waits: AtomicU64,
}

impl Published {
    pub(crate) fn new(threads: usize, seed: u64) -> Self {
        Self { parallel: Parallel::new(threads), seed, waits: AtomicU64::new(0) }
    }
}

impl Executor for Published {
    fn name(&self) -> String {
        format!("{} over a published pre-state", self.parallel.name())
    }

    fn execute(
        &self,
        block: Block,
        store: Arc<dyn StateStore>,
    ) -> Result<BlockOutcome, BlockError> {
        self.parallel.execute(block, store)
    }

    fn execute_case(&self, block: Block, pre: &World) -> Result<BlockOutcome, BlockError> {
        let slots = |account: &WorldAccount| account.storage.keys().copied().collect();
        let locations: Vec<_> =
            pre.accounts.iter().map(|(address, account)| (*address, slots(account))).collect();
        let transaction = format!("{:?}", block.transactions[0].env);
        let seed = self.seed ^ BuildHasherDefault::<DefaultHasher>::new().hash_one(transaction);
        let store: Arc<dyn StateStore> = Arc::new(pre.clone());
        let outcome =
            self.parallel.engine.execute_over_published(&block, &store, &locations, seed)?;
        self.waits.fetch_add(outcome.statistics.suspensions, Ordering::Relaxed);
        Ok(outcome)
    }

    fn counts(&self, ran: usize) -> String {
        let waits = self.waits.load(Ordering::Relaxed);
        // A valid transaction loads its sender at least, and nearly every case is one.
        assert!(waits >= ran as u64, "{ran} cases waited only {waits} times");
        format!(", {waits} suspensions")
    }
}
