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

use crate::arguments::Run;

/// A block and the state it starts from.
pub(crate) struct Work {
    pub(crate) block: Arc<Block>,
    pub(crate) store: Arc<MemoryStore>,
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
        self.machine.execute(&work.block, &*work.store, self.policy)
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
        let engine = Engine::builder()
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
        let store: Arc<dyn StateStore> = work.store.clone();
        self.engine.execute(&work.block, &store)
    }

    fn forget(&mut self) {
        self.engine.forget();
    }
}

/// How many times faster than sequential the block can become: `min(threads, work / longest
/// chain of dependent transactions)`, leaving out the beneficiary's account. `None` if the block
/// cannot be executed.
pub(crate) fn limit(work: &Work, threads: usize) -> Option<f64> {
    let profile = Profile::record(&work.block, &*work.store).ok()?;
    Some(profile.limit(threads))
}
