//! The regions below a context, as its session sees them.

use std::task::Poll;

use super::{Asker, SharedBlock, Trouble, Waking};
use crate::{
    pool::Pools,
    region::{
        content::PageKey,
        handle::{Handle, RegionId},
        known::Known,
        meta::Meta,
        page::Page,
        sidecar::Sidecar,
        world::{Found, Interrupt, World},
    },
    registry::Lease,
    scheduler::Scheduler,
    state::{Read, TxIndex},
    sync::{Arc, thread, weakened},
};

/// The effects on regions of the transactions below one that runs. After [`Interrupt::Wait`] the
/// context is registered with what it waits for.
pub(crate) struct ContextWorld<'a> {
    pub(crate) scheduler: &'a Scheduler,
    pub(crate) shared: &'a SharedBlock,
    pub(crate) tx: TxIndex,
    pub(crate) asker: &'a mut Asker,
    pub(crate) waker: Waking<'a>,
    /// What the worker remembers, if it does.
    pub(crate) known: Option<&'a mut Known>,
    /// What is attached to the transaction.
    pub(crate) sidecars: &'a [Arc<Sidecar>],
    /// Why the incarnation has to stop, after [`Interrupt::Stop`].
    pub(crate) trouble: Option<Trouble>,
}

impl ContextWorld<'_> {
    /// Waits for a transaction that is about to write, unless it just has.
    fn wait_for(&self, writer: TxIndex) -> Result<(), Interrupt> {
        if self.scheduler.wait_for(writer, self.tx) || weakened("world.wait-anyway") {
            return Err(Interrupt::Wait);
        }
        thread::yield_now();
        Ok(())
    }
}

impl World for ContextWorld<'_> {
    fn meta(&mut self, id: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
        if let Some(known) = &mut self.known
            && let Some((entry, meta)) = self.shared.regions.known_meta(known, id)
        {
            return Ok(Found { entry: Some(entry), value: (meta, None) });
        }
        loop {
            let first = self.scheduler.cursor().frontier() == self.tx;
            let answer = self.asker.poll_look(self.shared, self.tx, id, first, self.waker.get());
            let looked = match answer {
                Poll::Pending => return Err(Interrupt::Wait),
                Poll::Ready(Err(trouble)) => {
                    self.trouble = Some(trouble);
                    return Err(Interrupt::Stop);
                }
                Poll::Ready(Ok(looked)) => looked,
            };
            match looked.meta {
                Read::Value(meta) => {
                    let value = (meta, looked.lease);
                    return Ok(Found { entry: Some(looked.entry), value });
                }
                Read::Blocked(writer) => self.wait_for(writer)?,
                Read::Unknown => {}
            }
        }
    }

    fn page(&mut self, key: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
        loop {
            let regions = &self.shared.regions;
            let found = match &mut self.known {
                Some(known) => regions.page_by(known, self.tx, key),
                None => regions.page(self.tx, key),
            };
            let found = found.map_err(|fault| {
                self.trouble = Some(fault.into());
                Interrupt::Stop
            })?;
            match found {
                (entry, Read::Value(value)) => return Ok(Found { entry: Some(entry), value }),
                (_, Read::Blocked(writer)) => self.wait_for(writer)?,
                (_, Read::Unknown) => {}
            }
        }
    }

    fn sidecar(&mut self, handle: Handle) -> Option<Arc<Sidecar>> {
        self.shared.sidecar(self.sidecars, handle)
    }

    fn pools(&self) -> Option<&Arc<Pools>> {
        Some(self.shared.memory.pools())
    }
}
