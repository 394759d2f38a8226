//! The two engines behind one face, so that measuring and checking treat them alike.

use std::sync::Arc;

use chorus::{
    evm::{Block, BlockError, BlockOutcome, InvalidPolicy, Sequential},
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
    pub(crate) fn new(arguments: &Run) -> Self {
        Self { machine: Sequential::new(), policy: arguments.policy.into() }
    }
}

impl Executor for Baseline {
    fn execute(&mut self, work: &Work) -> Result<BlockOutcome, BlockError> {
        self.machine.execute(&work.block, &*work.store, self.policy)
    }

    fn forget(&mut self) {}
}

// PLUG (1 of 2): replace the body of `Parallel` by the engine: build it in `new` from
// `arguments.threads()`, `arguments.path` and `arguments.policy`, run it in `execute`, and call
// its `forget` in `forget`.
/// The engine.
pub(crate) struct Parallel {
    stand_in: Baseline,
}

impl Parallel {
    /// The engine as the arguments want it.
    pub(crate) fn new(arguments: &Run) -> Result<Self, String> {
        Ok(Self { stand_in: Baseline::new(arguments) })
    }
}

impl Executor for Parallel {
    fn execute(&mut self, work: &Work) -> Result<BlockOutcome, BlockError> {
        self.stand_in.execute(work)
    }

    fn forget(&mut self) {
        self.stand_in.forget();
    }
}

// PLUG (2 of 2): call the library's `limit` and cap it at `threads`.
/// How many times faster than sequential the block can become: `min(threads, work / longest
/// chain of dependent transactions)`, without fees to the beneficiary. `None` if unknown.
pub(crate) fn limit(_work: &Work, _threads: usize) -> Option<f64> {
    None
}
