//! Shared memory within one block that runs in parallel.

use super::SharedMemory;
use crate::{
    region::{
        handle::Handle, session::Session, sidecar::Sidecar, tier::PageFault, versions::BlockRegions,
    },
    sync::Arc,
};

/// Messages that one visit of a worker handles at most, so that it gets back to its contexts.
const BATCH: usize = 64;

/// Why shared memory could not answer a context, though there is nothing wrong with its request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the region registry has stopped: {0}")]
    Registry(String),
    #[error(transparent)]
    Page(#[from] PageFault),
}

/// What the contexts of a block share.
pub(crate) struct SharedBlock {
    pub(crate) memory: Arc<SharedMemory>,
    pub(crate) regions: Arc<BlockRegions>,
    /// What is attached to the block.
    pub(crate) sidecars: Arc<[Arc<Sidecar>]>,
}

impl SharedBlock {
    /// A session for a transaction within `depth` frames.
    pub(crate) fn session(&self, depth: usize) -> Session {
        Session::new(self.regions.config().clone(), depth)
    }

    /// Lets the registry work, if it has mail.
    #[inline]
    pub(crate) fn serve(&self) {
        let registry = self.memory.registry();
        if registry.has_mail() {
            // Busy: whoever is at it sees what was sent before.
            let _ = registry.poll(BATCH);
        }
    }

    /// A sidecar of the block, or among those of a transaction.
    pub(crate) fn sidecar(&self, own: &[Arc<Sidecar>], handle: Handle) -> Option<Arc<Sidecar>> {
        let attached = own.iter().chain(self.sidecars.iter());
        attached.into_iter().find(|sidecar| sidecar.handle() == handle).cloned()
    }
}
