//! What `loom-tests/engine_shared.rs` reaches of this module. Machines reach it as parts of the
//! crate; an explorer's build has this in addition, and no other build has it.

use std::task::{Poll, Waker};

use super::{Asker, ContextWorld, SharedBlock, SharedMemory, Waking};
use crate::{
    context::{Machine, Run, context_waker},
    region::{handle::RegionId, meta::Meta, versions::BlockRegions, world::World},
    scheduler::Scheduler,
    state::{Read, TxIndex},
    sync::Arc,
};

/// Shared memory within one block.
pub struct Block(SharedBlock);

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Block").field(&self.0.regions).finish()
    }
}

impl Block {
    /// The block of this number, as an engine begins it.
    #[must_use]
    pub fn begin(memory: &Arc<SharedMemory>, block: u64) -> Option<Self> {
        memory.begin_parallel(block, Arc::new([])).map(Self)
    }

    /// Its regions.
    #[must_use]
    pub fn regions(&self) -> &Arc<BlockRegions> {
        &self.0.regions
    }

    /// What a machine does in [`Machine::serve`].
    #[must_use]
    pub fn serve(&self) -> bool {
        self.0.serve()
    }
}

/// The questions of one context.
#[derive(Default)]
pub struct Questions(Asker);

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Questions { .. }")
    }
}

impl Questions {
    /// Asks the registry, or takes its answer.
    ///
    /// # Panics
    ///
    /// If the registry has stopped.
    pub fn poll(
        &mut self,
        block: &Block,
        tx: TxIndex,
        id: RegionId,
        first: bool,
        waker: &Waker,
    ) -> Poll<Read<Meta>> {
        let looked = self.0.poll_look(&block.0, tx, id, first, waker);
        looked.map(|looked| looked.unwrap_or_else(|trouble| panic!("{trouble}")).meta)
    }

    /// Looks at the regions below a transaction, as its session does.
    pub fn with_world<R>(
        &mut self,
        block: &Block,
        scheduler: &Scheduler,
        tx: TxIndex,
        waker: &Waker,
        look: impl FnOnce(&mut dyn World) -> R,
    ) -> R {
        let (shared, asker) = (&block.0, &mut self.0);
        let mut world = ContextWorld {
            scheduler,
            shared,
            tx,
            asker,
            waker: Waking::Made(waker),
            known: None,
            sidecars: &[],
            trouble: None,
        };
        let result = look(&mut world);
        assert_eq!(world.trouble, None);
        result
    }
}

/// What wakes the context of a transaction.
#[must_use]
pub fn waker<M: Machine>(run: &Arc<Run<M>>, tx: TxIndex) -> Waker {
    context_waker(run, tx)
}
