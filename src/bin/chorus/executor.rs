//! The two engines behind one face, so that measuring and checking treat them alike.

use std::sync::Arc;

use chorus::{
    engine::SharedMemory,
    evm::{
        Block, BlockError, BlockOutcome, Engine, EngineError, InvalidPolicy, Sequential,
        StateStore, limit::Profile,
    },
    store::MemoryStore,
};

use crate::{
    arguments::Run,
    stores::{Choice, Opened, StoreTrouble, Stores},
};

/// A block and the state it starts from.
pub(crate) struct Work {
    pub(crate) block: Arc<Block>,
    /// The state, as far as the block reads it.
    pub(crate) prestate: Arc<MemoryStore>,
    /// What the engines read.
    opened: Opened,
}

impl Work {
    /// A block that reads its prestate.
    pub(crate) fn in_memory(block: Arc<Block>, prestate: Arc<MemoryStore>) -> Self {
        let opened = Opened { store: prestate.clone(), slow: None };
        Self { block, prestate, opened }
    }

    /// The same block with what it is to read.
    pub(crate) fn over(self, stores: &Stores) -> Result<Self, StoreTrouble> {
        let opened = stores.open(&self.block, &self.prestate)?;
        Ok(Self { opened, ..self })
    }

    /// The store, cold if it is one that warms up.
    fn cold_store(&self) -> &Arc<dyn StateStore> {
        if let Some(slow) = &self.opened.slow {
            slow.forget();
        }
        &self.opened.store
    }
}

/// Something that executes blocks.
pub(crate) trait Executor {
    /// Executes one block.
    fn execute(&mut self, work: &Work) -> Result<BlockOutcome, BlockError>;

    /// Drops whatever was learned from earlier blocks.
    fn forget(&mut self);
}

/// One transaction after another on one EVM: the baseline.
pub(crate) struct Baseline {
    machine: Sequential,
    policy: InvalidPolicy,
}

impl Baseline {
    /// The baseline on the chain that the arguments want, with what its blocks share.
    pub(crate) fn new(arguments: &Run, memory: &Arc<SharedMemory>) -> Self {
        let machine = Sequential::with_shared_memory(memory.clone());
        Self { machine, policy: arguments.policy.into() }
    }
}

impl Executor for Baseline {
    fn execute(&mut self, work: &Work) -> Result<BlockOutcome, BlockError> {
        self.machine.execute(&work.block, &**work.cold_store(), self.policy)
    }

    fn forget(&mut self) {}
}

/// The engine, with its workers.
pub(crate) struct Parallel {
    engine: Engine,
}

impl Parallel {
    /// The engine as the arguments want it.
    pub(crate) fn new(arguments: &Run, memory: &Arc<SharedMemory>) -> Result<Self, EngineError> {
        let builder = match arguments.store {
            Choice::Rpc(_) => Engine::builder().for_remote_store(),
            _ => Engine::builder(),
        };
        let engine = builder
            .threads(arguments.threads())
            .path(arguments.path.into())
            .policy(arguments.policy.into())
            .shared_memory(memory.clone())
            .build()?;
        Ok(Self { engine })
    }
}

impl Executor for Parallel {
    fn execute(&mut self, work: &Work) -> Result<BlockOutcome, BlockError> {
        self.engine.execute(&work.block, work.cold_store())
    }

    fn forget(&mut self) {
        self.engine.forget();
    }
}

/// How many times faster than sequential the block can become: `min(threads, work / longest
/// chain of dependent transactions)`, leaving out the beneficiary's account, or what overlapping the
/// waits of different transactions could give where the store is slow. `None` if the block cannot
/// be executed.
pub(crate) fn limit(work: &Work, threads: usize) -> Option<f64> {
    let profile = Profile::record(&work.block, &*work.prestate).ok()?;
    Some(match work.opened.store.latency() {
        None => profile.limit(threads),
        Some(latency) => profile.limit_at(threads, latency),
    })
}
