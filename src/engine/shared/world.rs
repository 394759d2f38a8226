//! The regions below a context, as its session sees them.

use std::task::{Poll, Waker};

use super::{Asker, SharedBlock, Trouble};
use crate::{
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
    pub(crate) waker: &'a Waker,
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
        loop {
            let first = self.scheduler.cursor().frontier() == self.tx;
            let answer = self.asker.poll_look(self.shared, self.tx, id, first, self.waker);
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
            let found = self.shared.regions.page(self.tx, key).map_err(|fault| {
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
