//! What a native transaction sees of those before it.

use std::{cell::RefCell, task::Waker};

use super::{
    Key, Value,
    cell::Interest,
    machine::NativeMachine,
    overlay::Overlay,
    view::{Found, Stop, World},
};
use crate::{
    context::Run,
    engine::shared::{Asker, ContextWorld, Waking},
    region::{self, Session},
    state::{EntryId, Read, TxIndex},
    sync::Arc,
};

/// The effects of the transactions below `tx`, as far as they are known.
pub(super) struct Below<K: Key, V: Value, T: Send + 'static, E: Send + 'static> {
    run: Arc<Run<NativeMachine<K, V, T, E>>>,
    tx: TxIndex,
    asker: RefCell<Asker>,
}

impl<K, V, T, E> Below<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    /// What is below that transaction.
    pub(super) fn new(run: Arc<Run<NativeMachine<K, V, T, E>>>, tx: TxIndex) -> Self {
        Self { run, tx, asker: RefCell::default() }
    }
}

impl<K, V, T, E> World<K, V> for Below<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    fn check(&self, overlay: &Overlay<K, V>, session: Option<&Session>) -> Option<Stop> {
        if self.run.scheduler.is_stopped() {
            return Some(Stop::Cancelled);
        }
        let phase = self.run.scheduler.phase(self.tx);
        let news = phase.is_stale() && phase.take_stale();
        if !news {
            return None;
        }
        let machine = &self.run.machine;
        let regions = machine.shared.as_ref().zip(session);
        let holds = machine.overlay_may_hold(self.tx, overlay)
            && regions
                .is_none_or(|(shared, session)| shared.regions.session_may_hold(self.tx, session));
        (!holds).then_some(Stop::Doomed)
    }

    fn read(&self, key: &K, id: Option<EntryId>, interest: Interest<V>) -> Found<V> {
        let machine = &self.run.machine;
        let id = id.unwrap_or_else(|| machine.table.intern(key));
        let entry = machine.table.entry(id);
        loop {
            let read = match interest {
                Interest::Value => entry.read(self.tx),
                // A credit or debit below hardly ever changes the outcome of a check; the commit
                // cursor finds the case where one does.
                Interest::Number(_) => entry.peek(self.tx),
            };
            match read {
                Read::Value(value) => return Found::Value(Some(id), value),
                Read::Unknown => match machine.base.get(key) {
                    Ok(value) => entry.fill(value),
                    Err(error) => return Found::Stop(Stop::Base(format!("{key:?}"), error)),
                },
                Read::Blocked(writer) => {
                    return if self.run.scheduler.wait_for(writer, self.tx) {
                        Found::Wait
                    } else {
                        // It has published by now, or is just turning its writes into estimates.
                        Found::Again
                    };
                }
            }
        }
    }

    fn session(&self) -> Option<Session> {
        self.run.machine.shared.as_ref().map(|shared| shared.session(0))
    }

    fn with_regions(
        &self,
        waker: &Waker,
        f: &mut dyn FnMut(&mut dyn region::world::World),
    ) -> Option<Stop> {
        let machine = &self.run.machine;
        let mut world = ContextWorld {
            scheduler: &self.run.scheduler,
            shared: machine.shared.as_ref()?,
            tx: self.tx,
            asker: &mut self.asker.borrow_mut(),
            waker: Waking::Made(waker),
            known: None,
            sidecars: machine.block[self.tx.get()].sidecars(),
            trouble: None,
        };
        f(&mut world);
        world.trouble.map(Stop::Shared)
    }
}
