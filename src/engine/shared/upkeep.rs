//! What a host does to keep shared memory in order: collections, checks, pools, figures.

use super::{
    HostError, SharedMemory,
    collect::{CollectReport, Extent},
    registry::{Message, Stats},
};
use crate::{
    observe::MetricsSnapshot,
    pool::Pools,
    region::{handle::Handle, page_map::PageNumber, regions::Reform},
    sync::{Arc, time::Instant},
};

impl SharedMemory {
    /// Compares every page of a region with its checksum, wherever it is. Says how many there are.
    ///
    /// # Errors
    ///
    /// [`HostError::Page`] for the first that is not what it was; [`HostError::NoRegion`].
    pub fn verify(&self, handle: Handle) -> Result<u64, HostError> {
        self.table.load_full().verify(handle)?.ok_or(HostError::NoRegion { handle })
    }

    /// Forgets that a region was changed: [`Use::dirty`](crate::region::regions::Use::dirty) is false until it is changed again.
    ///
    /// # Errors
    ///
    /// [`HostError::NoRegion`], or [`HostError::Registry`].
    pub fn clear_dirty(&self, handle: Handle) -> Result<(), HostError> {
        let found = self.registry.call(|reply| Message::ClearDirty { handle, reply })?;
        if found { Ok(()) } else { Err(HostError::NoRegion { handle }) }
    }

    /// What the collector does beside something else that has happened already.
    pub(super) fn step(&self, eager: bool) {
        if let Err(error) = self.collect_if_due(Instant::now(), eager, Extent::STEP) {
            tracing::warn!(block = self.block(), %error, "the collection failed");
        }
    }

    /// Collects: frees what nobody can reach, compresses and spills what nobody uses. Waits for a
    /// collection that runs; blocks go on meanwhile. Collects also where the configuration has
    /// disabled the collector, which only keeps it from running by itself.
    ///
    /// # Errors
    ///
    /// [`HostError::Spill`] or [`HostError::Registry`].
    pub fn collect(&self) -> Result<CollectReport, HostError> {
        let block = self.block();
        self.collector.run(&self.registry, block, Extent::WHOLE)
    }

    /// Collects if it is time: the interval is over at `now`, or regions hold more than the threshold.
    /// `None` if it is not, if a collection runs, or if the collector is disabled.
    ///
    /// Commits look at the clock as well. Who wants collections while no block is committed calls
    /// this from a thread of their own; the engine starts none for it.
    ///
    /// # Errors
    ///
    /// As [`collect`](Self::collect).
    pub fn tick(&self, now: Instant) -> Result<Option<CollectReport>, HostError> {
        self.collect_if_due(now, false, Extent::WHOLE)
    }

    fn collect_if_due(
        &self,
        now: Instant,
        eager: bool,
        extent: Extent,
    ) -> Result<Option<CollectReport>, HostError> {
        let block = self.block();
        self.collector.run_if_due(&self.registry, block, now, eager, extent)
    }

    /// The blocks of memory in four sizes that were set up with it. The host may take some, with
    /// either behaviour where a class is exhausted.
    #[must_use]
    pub fn pools(&self) -> &Arc<Pools> {
        &self.pools
    }

    /// Turns a bit of a stored page over, wherever it is kept, as a fault of memory or disk would.
    /// For tests of what follows from it. Says whether there was such a page.
    ///
    /// # Errors
    ///
    /// [`HostError::Registry`].
    #[doc(hidden)]
    pub fn damage_page(&self, handle: Handle, page: PageNumber) -> Result<bool, HostError> {
        let regions = self.table.load_full();
        let stored = regions.find(handle).and_then(|record| record.pages().get(page));
        let Some((before, after)) = stored.and_then(|stored| Some((stored, stored.damaged()?)))
        else {
            return Ok(false);
        };
        let forms = vec![Reform { page, before: before.clone(), after }];
        self.registry.call(|reply| Message::Reform { handle, forms, reply })?;
        Ok(true)
    }

    /// How the registry stands.
    ///
    /// # Errors
    ///
    /// [`HostError::Registry`].
    pub fn stats(&self) -> Result<Stats, HostError> {
        Ok(self.registry.call(|reply| Message::Stats { reply })?)
    }

    /// What was done with shared memory so far, and what it holds.
    #[must_use]
    pub fn metrics(&self) -> MetricsSnapshot {
        MetricsSnapshot { pools: Some(self.pools.stats()), ..self.metrics.snapshot() }
    }
}
