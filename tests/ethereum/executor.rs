//! Who runs the blocks of the suites.

use std::sync::Arc;

use chorus::evm::{
    Block, BlockError, BlockOutcome, Engine, InvalidPolicy, Path, Sequential, StateStore,
};

use crate::world::World;

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
