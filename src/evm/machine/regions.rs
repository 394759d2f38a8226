//! The regions of shared memory below a transaction that runs in parallel.

use std::task::Waker;

use super::{
    view::{Awaiting, Stop, View},
    watched::WatchedJournal,
};
use crate::{
    context::context_waker,
    engine::shared::{Asker, ContextWorld, Waking},
    evm::shared::{RegionSource, Shared, SharedJournal},
    observe::timeline,
    pool::Pools,
    region::{
        content::PageKey,
        handle::{Handle, RegionId},
        meta::Meta,
        page::Page,
        sidecar::Sidecar,
        world::{Found, Interrupt, World},
    },
    registry::Lease,
    sync::Arc,
};

/// What a view keeps for regions while a transaction runs.
#[derive(Default)]
pub(super) struct RegionView {
    asker: Asker,
    /// Made by the transaction's first question.
    waker: Option<Waker>,
    /// Why the transaction has to stop.
    failure: Option<Stop>,
}

impl RegionView {
    /// Turns to another transaction.
    pub(super) fn clear(&mut self) {
        if self.waker.is_some() || self.failure.is_some() {
            *self = Self::default();
        }
    }
}

impl View<'_> {
    fn with_regions<T>(
        &mut self,
        ask: impl FnOnce(&mut ContextWorld<'_>) -> Result<T, Interrupt>,
    ) -> Result<T, Interrupt> {
        // Borrowed, not cloned: the count of whoever has the block stands beside what all workers read of
        // it, and an operation on a region is a few hundred nanoseconds.
        let Some(run) = &self.run else { return Err(Interrupt::Stop) };
        let Some(shared) = &run.machine.shared else { return Err(Interrupt::Stop) };
        let tx = self.tx;
        let RegionView { asker, waker, failure } = &mut self.regions;
        let make_waker = || context_waker(run, tx);
        let mut guides = self.guides.borrow_mut();
        let mut world = ContextWorld {
            scheduler: &run.scheduler,
            shared,
            tx,
            asker,
            waker: Waking::Late(waker, &make_waker),
            known: Some(&mut guides.regions),
            sidecars: &run.machine.block.transactions[tx.get()].sidecars,
            trouble: None,
        };
        let answer = ask(&mut world);
        if let Some(trouble) = world.trouble {
            *failure = Some(trouble.into());
        }
        answer
    }
}

impl World for View<'_> {
    fn meta(&mut self, id: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
        self.with_regions(|world| world.meta(id))
    }

    fn page(&mut self, key: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
        self.with_regions(|world| world.page(key))
    }

    fn sidecar(&mut self, handle: Handle) -> Option<Arc<Sidecar>> {
        let run = self.run();
        let own = &run.machine.block.transactions[self.tx.get()].sidecars;
        run.machine.shared.as_ref()?.sidecar(own, handle)
    }

    fn pools(&self) -> Option<&Arc<Pools>> {
        Some(self.run().machine.shared.as_ref()?.memory.pools())
    }
}

impl RegionSource for View<'_> {
    fn regions(&mut self) -> Option<&mut dyn World> {
        let check = match self.scouting {
            // A scout would need a session of its own with the registry.
            Some(_) => Err(Stop::Cancelled),
            None => self.check(),
        };
        match check {
            Ok(()) => self.run().machine.shared.is_some().then_some(self as &mut dyn World),
            Err(stop) => {
                self.regions.failure = Some(stop);
                None
            }
        }
    }

    fn wait_for_regions(&mut self) -> bool {
        self.note_wait(timeline::Wait::Registry, Awaiting::Registry);
        match self.pause() {
            Ok(()) => true,
            Err(stop) => {
                self.regions.failure = Some(stop);
                false
            }
        }
    }

    fn take_region_failure(&mut self) -> Option<Stop> {
        self.regions.failure.take()
    }
}

impl<'y> SharedJournal for WatchedJournal<'y> {
    #[inline]
    fn shared_and_database(&mut self) -> (&mut Shared, &mut View<'y>) {
        (&mut self.shared, &mut self.stock.database)
    }
}
