//! Reads of a context that are not at hand: asking the store for them, and waiting.
//!
//! How reads are queued, started and answered is in [`super::storage`] and [`super::landing`].

use std::task::Waker;

use alloy_primitives::B256;

use super::{
    cells::SlotKey,
    landing, storage,
    target::{Asks, Landed, Target},
    view::{Awaiting, Stop, View},
};
use crate::{
    context::context_waker,
    observe::timeline,
    state::EntryId,
    store::{Answer, Flight, Query},
    sync::Arc,
};

impl View<'_> {
    /// Asks the store, on the worker's stack: how deep a store goes is not known, and pages that it
    /// touched here would stay with the coroutine.
    pub(super) fn ask(&self, target: Target, rank: u32) -> Option<Arc<Flight<Landed>>> {
        let run = self.run();
        self.yielder.on_parent_stack(|| storage::ask(run, target, rank))
    }

    /// Lets the store answer what is due, on the worker's stack.
    pub(super) fn drive(&self) {
        let run = self.run();
        self.yielder.on_parent_stack(|| landing::drive(run));
    }

    /// The context's waker, one for all its reads.
    fn waker(&mut self) -> Waker {
        match &self.waker {
            Some((tx, waker)) if *tx == self.tx => waker.clone(),
            _ => {
                let waker = context_waker(self.run(), self.tx);
                self.waker.insert((self.tx, waker)).1.clone()
            }
        }
    }

    /// Suspends until the store has answered. `None`: the answer has arrived meanwhile, in the entry
    /// of its account or slot.
    #[cold]
    pub(super) fn fetch(&mut self, target: Target) -> Result<Option<Answer>, Stop> {
        let (run, tx) = (self.run(), self.tx);
        let ask = || {
            let mut asks = Asks::new();
            run.machine.forecast(tx, &mut asks);
            run.machine.queue(asks);
            storage::ask(run, target, tx.0)
        };
        let Some(flight) = self.yielder.on_parent_stack(ask) else { return Ok(None) };
        self.run().machine.storage.note_wait();
        let waker = self.waker();
        if let Some(scouts) = &self.run().machine.storage.scouts
            && scouts.note_wait(self.tx)
        {
            self.run().scheduler.call_help();
        }
        loop {
            if let Some(result) = flight.poll(&waker) {
                return Ok(result.map_err(|error| *error)?.map(|answer| *answer));
            }
            self.note_wait(timeline::Wait::Store, Awaiting::Answer(target));
            self.pause()?;
            self.check()?;
        }
    }

    /// The same for a slot of a contract of that code, with others that it will probably read.
    #[cold]
    pub(super) fn fetch_slot(
        &mut self,
        key: SlotKey,
        code: B256,
        id: EntryId,
    ) -> Result<Option<Answer>, Stop> {
        self.run().machine.foresee(code, key.account, key.slot, self.tx.0);
        self.fetch(Target::Slot(id))
    }

    /// The same, for what has no entry: the answer is kept with the reads.
    pub(super) fn fetch_kept(&mut self, query: Query) -> Result<Answer, Stop> {
        let target = self.run().machine.target_of(query);
        Ok(self.fetch(target)?.expect("only what has an entry is known without its read"))
    }
}
