//! Shared memory within one block that runs in parallel.

use super::SharedMemory;
#[cfg(feature = "evm")]
use crate::region::{change::RegionSums, direct::DirectRegions};
use crate::{
    region::{
        handle::Handle, session::Session, sidecar::Sidecar, tier::PageFault, versions::BlockRegions,
    },
    registry::Polled,
    sync::{Arc, weakened},
};

/// Messages that one visit of a worker handles at most, so that it gets back to its contexts.
const BATCH: usize = if cfg!(any(chorus_loom, chorus_shuttle)) { 1 } else { 64 };

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

    /// Lets the registry work, if it has mail. `true`: it has handled a batch, and the caller has to
    /// come back, since whoever found it busy meanwhile sleeps and counts on that.
    #[inline]
    pub(crate) fn serve(&self) -> bool {
        let registry = self.memory.registry();
        // Busy: whoever is at it sees what was sent before, or comes back to it.
        registry.has_mail()
            && !weakened("shared.serve")
            && registry.poll(BATCH) == Polled::Worked(BATCH)
            && !weakened("shared.serve-again")
    }

    /// What is committed, for whoever goes on with the block one by one; `sums` is what the commit step has counted. The
    /// registry's mail is not left lying for as long as that takes.
    #[cfg(feature = "evm")]
    pub(crate) fn hand_over(&self, sums: RegionSums) -> DirectRegions {
        self.serve_all();
        let mut regions = self.memory.resume_direct(self.regions.pause(sums));
        regions.attach_to_block(self.sidecars.clone());
        regions
    }

    /// Lets the registry work until it has no mail, or others are at it.
    fn serve_all(&self) {
        let registry = self.memory.registry();
        while registry.has_mail() && matches!(registry.poll(BATCH), Polled::Worked(_)) {}
    }

    /// A sidecar of the block, or among those of a transaction.
    pub(crate) fn sidecar(&self, own: &[Arc<Sidecar>], handle: Handle) -> Option<Arc<Sidecar>> {
        let attached = own.iter().chain(self.sidecars.iter());
        attached.into_iter().find(|sidecar| sidecar.handle() == handle).cloned()
    }
}

/// The registry outlives the block, and has mail of others: other blocks, the host. A worker whose
/// visit ended with mail left owes another one, and may have been sent home by the end of the block
/// before it came to that.
impl Drop for SharedBlock {
    fn drop(&mut self) {
        if !weakened("shared.end-serves") {
            self.serve_all();
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::{super::registry::Message, *};
    use crate::{region::config::SharedMemoryConfig, registry::reply};

    /// Fills the mailbox with more than a block's worker handles in one visit, and lets one come.
    fn is_answered_when(leave: impl FnOnce(SharedBlock) -> Option<SharedBlock>) {
        let memory = SharedMemory::new(SharedMemoryConfig::production()).unwrap();
        let block = memory.begin_parallel(1, Arc::new([])).unwrap();
        let ask = |_| {
            let (sender, receiver) = reply();
            assert!(memory.registry().try_send(Message::Stats { reply: sender }).is_ok());
            receiver
        };
        let asked: Vec<_> = (0..3 * BATCH).map(ask).collect();
        block.serve();
        assert!(memory.registry().has_mail(), "one visit has its limit");
        let _block = leave(block);
        for mut receiver in asked {
            assert!(receiver.poll_take(std::task::Waker::noop()).is_ready());
        }
    }

    #[test]
    fn mail_of_others_is_not_left_lying_when_a_block_ends() {
        is_answered_when(|block| {
            drop(block);
            None
        });
    }

    #[cfg(feature = "evm")]
    #[test]
    fn mail_of_others_is_not_left_lying_when_the_workers_leave() {
        is_answered_when(|block| {
            block.hand_over(RegionSums::default());
            Some(block)
        });
    }
}
