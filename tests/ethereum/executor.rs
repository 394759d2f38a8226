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
    SystemRules,
    sequential::{Machine, prologue},
};

use crate::world::{World, WorldAccount};

/// Something that executes blocks and is to be checked.
pub(crate) trait Executor: Sync {
    /// What the counts are printed under.
    fn name(&self) -> String;

    /// Executes a block over a state, ending with an error at the first invalid transaction. The
    /// diff of the outcome is relative to the state as it is left, which is as it was, unless the
    /// executor has put the changes of the block's prologue into it.
    fn execute(&self, block: Block, world: &mut World) -> Result<BlockOutcome, BlockError>;

    /// Looks at what the executor counted itself while so many cases ran, and says it.
    fn counts(&self, ran: usize) -> String {
        let _ = ran;
        String::new()
    }
}

fn shared(world: &World) -> Arc<dyn StateStore> {
    Arc::new(world.clone())
}

/// The sequential reference.
pub(crate) struct OneByOne;

impl Executor for OneByOne {
    fn name(&self) -> String {
        "one by one".into()
    }

    fn execute(&self, block: Block, world: &mut World) -> Result<BlockOutcome, BlockError> {
        Sequential::new().execute(&block, world, InvalidPolicy::Fail)
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

    fn execute(&self, block: Block, world: &mut World) -> Result<BlockOutcome, BlockError> {
        self.engine.execute(&Arc::new(block), &shared(world))
    }
}

/// The engine over a pre-state that an artificial earlier transaction publishes: what a case
/// reads it first has to wait for, and then gets from an uncommitted version.
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

    fn execute(&self, mut block: Block, world: &mut World) -> Result<BlockOutcome, BlockError> {
        let mut before = Machine::new(&block, &*world);
        prologue(&mut before, &block)?;
        let changes = before.into_state().diff();
        world.apply(&changes).expect("a diff of the prologue fits the state it ran on");
        block.system = SystemRules { beacon_root: None, parent_hash: None, ..block.system };

        let slots = |account: &WorldAccount| account.storage.keys().copied().collect();
        let locations: Vec<_> =
            world.accounts.iter().map(|(address, account)| (*address, slots(account))).collect();
        let transactions = format!("{:?}", block.transactions);
        let seed = self.seed ^ BuildHasherDefault::<DefaultHasher>::new().hash_one(transactions);
        let engine = &self.parallel.engine;
        let outcome = engine.execute_over_published(&block, &shared(world), &locations, seed)?;
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
