//! Native transactions as a [`Machine`].

use std::task::Poll;

use super::{
    Base, BlockError, Key, Transaction, Value,
    below::Below,
    cell::{Change, Location, Seen},
    overlay::Overlay,
    task::{End, Ending, Task},
};
use crate::{
    context::{Attempt, Machine, Run, context_waker},
    engine::{Feed, shared::SharedBlock},
    region::{
        change::{RegionChanges, RegionSums},
        session::Effects,
        versions::{BlockRegions, RegionTrace},
    },
    state::{EntryId, Table, TxIndex, left_out, places},
    sync::{Arc, Mutex},
};

/// A block of closures, and the multi-version state they run on.
pub(crate) struct NativeMachine<K: Key, V: Value, T, E> {
    pub(super) block: Box<[Transaction<K, V, T, E>]>,
    pub(super) base: Arc<dyn Base<K, V>>,
    pub(super) table: Table<Location<K, V>>,
    /// The entries that hints made estimates, by transaction.
    hinted: Box<[Box<[EntryId]>]>,
    pub(super) shared: Option<SharedBlock>,
    feed: Option<Feed<Result<T, E>>>,
    committed: Mutex<Committed<T, E>>,
}

/// What the commit cursor has produced so far.
struct Committed<T, E> {
    results: Vec<Result<T, E>>,
    /// Entries in the order of their first write, which does not depend on the schedule.
    written: Vec<EntryId>,
    /// Whether the entry of that number is in `written`.
    is_written: Vec<bool>,
    regions: RegionSums,
}

/// What a finished incarnation leaves.
pub(crate) struct Trace<V, T, E> {
    reads: Vec<(EntryId, Seen<V>)>,
    /// The change is gone once it is published.
    writes: Vec<(EntryId, Option<Change<V>>)>,
    regions: Option<Box<RegionTrace>>,
    ending: Ending<T, E>,
    accesses: u64,
}

/// Results and changes of a block.
pub(crate) type Product<K, V, T, E> = (Vec<Result<T, E>>, Vec<(K, Option<V>)>);

impl<K, V, T, E> NativeMachine<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    pub(crate) fn new(
        block: &[Transaction<K, V, T, E>],
        base: Arc<dyn Base<K, V>>,
        shared: Option<SharedBlock>,
        feed: Option<Feed<Result<T, E>>>,
    ) -> Self {
        let table: Table<Location<K, V>> = Table::new();
        let hint = |(at, transaction): (usize, &Transaction<K, V, T, E>)| {
            let mut ids: Vec<_> =
                transaction.write_hints().iter().map(|key| table.intern(key)).collect();
            ids.sort_unstable();
            ids.dedup();
            for id in &ids {
                // What will be written is not known; that a reader should wait for it is.
                table.entry(*id).hint(TxIndex(at as u32), Change::Set(None));
            }
            ids.into_boxed_slice()
        };
        let hinted = block.iter().enumerate().map(hint).collect();
        let committed = Committed {
            results: Vec::with_capacity(block.len()),
            written: Vec::new(),
            is_written: Vec::new(),
            regions: RegionSums::default(),
        };
        let (block, committed) = (block.into(), Mutex::new(committed));
        Self { block, base, table, hinted, shared, feed, committed }
    }

    /// Takes the results, and the value of everything that was written.
    pub(crate) fn take_product(&self) -> Product<K, V, T, E> {
        let mut committed = self.committed.lock();
        let changes = committed.written.iter().filter_map(|id| {
            let value = self.table.entry(*id).committed()?;
            Some((self.table.key(*id)?.clone(), value))
        });
        let changes = changes.collect();
        (std::mem::take(&mut committed.results), changes)
    }

    /// Takes what the block changed of regions, if it had any.
    pub(crate) fn take_regions(&self) -> Option<RegionChanges> {
        let shared = self.shared.as_ref()?;
        let sums = std::mem::take(&mut self.committed.lock().regions);
        Some(shared.regions.finish(sums))
    }

    pub(super) fn overlay_may_hold(&self, tx: TxIndex, overlay: &Overlay<K, V>) -> bool {
        overlay.observations().all(|(id, seen)| self.table.entry(id).may_hold(tx, seen))
    }

    fn trace(
        &self,
        overlay: Overlay<K, V>,
        effects: Option<Box<Effects>>,
        ending: Ending<T, E>,
    ) -> Trace<V, T, E> {
        let regions = self.shared.as_ref().and_then(|shared| Some(shared.regions.trace(*effects?)));
        let accesses = overlay.accesses();
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for touched in overlay.into_touched() {
            if touched.seen.is_none() && touched.write.is_none() {
                continue;
            }
            let id = touched.id.unwrap_or_else(|| self.table.intern(&touched.key));
            reads.extend(touched.seen.map(|seen| (id, seen)));
            writes.extend(touched.write.map(|change| (id, Some(change))));
        }
        Trace { reads, writes, regions, ending, accesses }
    }

    fn regions_of<'a>(
        &'a self,
        trace: &'a Trace<V, T, E>,
    ) -> Option<(&'a BlockRegions, &'a RegionTrace)> {
        Some((&*self.shared.as_ref()?.regions, trace.regions.as_deref()?))
    }

    /// Withdraws what `previous` wrote or a hint predicted, and `trace` did not write.
    fn withdraw_rest(
        &self,
        tx: TxIndex,
        trace: &Trace<V, T, E>,
        previous: Option<&Trace<V, T, E>>,
        told: &mut Vec<TxIndex>,
    ) {
        if let (Some(shared), Some(previous)) =
            (&self.shared, previous.and_then(|previous| previous.regions.as_ref()))
        {
            shared.regions.withdraw(tx, previous, trace.regions.as_deref(), told);
        }
        let hinted = &self.hinted[tx.get()];
        let previous = previous.map_or(&[][..], |previous| &previous.writes);
        if hinted.is_empty() && previous.is_empty() {
            return;
        }
        let foretold = places(previous).chain(hinted.iter().copied());
        for id in left_out(foretold, places(&trace.writes)) {
            self.table.entry(id).withdraw(tx, told);
        }
    }
}

impl<K, V, T, E> Machine for NativeMachine<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    type Trace = Trace<V, T, E>;
    type Task = Task<K, V, T, E>;
    type Worker = ();
    type Error = BlockError;

    fn transactions(&self) -> u32 {
        self.block.len() as u32
    }

    fn start(run: &Arc<Run<Self>>, (): &mut (), tx: TxIndex) -> Self::Task {
        let world = Box::new(Below::new(run.clone(), tx));
        Task::new(&run.machine.block[tx.get()], tx.get(), world, context_waker(run, tx))
    }

    fn poll(
        run: &Arc<Run<Self>>,
        (): &mut (),
        task: &mut Self::Task,
    ) -> Poll<Attempt<Self::Trace>> {
        task.poll().map(|end| match end {
            End::Finished(overlay, effects, ending) => {
                Attempt::Finished(run.machine.trace(overlay, effects, ending))
            }
            End::Abandoned(wasted) => Attempt::Doomed { wasted },
        })
    }

    fn retire((): &mut (), task: Self::Task, _: bool) {
        task.retire();
    }

    fn end_block((): &mut ()) {}

    #[inline]
    fn serve(run: &Arc<Run<Self>>, (): &mut (), _: usize, _: bool) -> bool {
        run.machine.shared.as_ref().is_some_and(SharedBlock::serve)
    }

    fn worker_died(worker: usize) -> BlockError {
        BlockError::Worker { worker }
    }

    fn validate(&self, _: TxIndex, trace: &Self::Trace) -> bool {
        trace.reads.iter().all(|(id, seen)| self.table.entry(*id).holds(seen))
            && self.regions_of(trace).is_none_or(|(shared, regions)| shared.validate(regions))
    }

    fn may_hold(&self, tx: TxIndex, trace: &Self::Trace) -> bool {
        trace.reads.iter().all(|(id, seen)| self.table.entry(*id).may_hold(tx, seen))
            && self.regions_of(trace).is_none_or(|(shared, regions)| shared.may_hold(tx, regions))
    }

    fn publish(
        &self,
        tx: TxIndex,
        trace: &mut Self::Trace,
        previous: Option<Self::Trace>,
        told: &mut Vec<TxIndex>,
    ) {
        for (id, change) in &mut trace.writes {
            if let Some(change) = change.take() {
                self.table.entry(*id).publish(tx, change, told);
            }
        }
        if let (Some(shared), Some(regions)) = (&self.shared, &mut trace.regions) {
            shared.regions.publish(tx, regions, told);
        }
        self.withdraw_rest(tx, trace, previous.as_ref(), told);
    }

    fn retract(&self, tx: TxIndex, trace: &Self::Trace) {
        if let Some((shared, regions)) = self.regions_of(trace) {
            shared.retract(tx, regions);
        }
        for (id, _) in &trace.writes {
            self.table.entry(*id).retract(tx);
        }
    }

    fn commit(
        &self,
        tx: TxIndex,
        trace: Self::Trace,
        published: bool,
        previous: Option<Self::Trace>,
        told: &mut Vec<TxIndex>,
    ) -> Result<(), BlockError> {
        let index = tx.get();
        if !published {
            self.withdraw_rest(tx, &trace, previous.as_ref(), told);
        }
        let result = match trace.ending {
            Ending::Returned(result) => result,
            Ending::Panic(message) => return Err(BlockError::Panic { index, message }),
            Ending::Base(key, source) => return Err(BlockError::Base { index, key, source }),
            Ending::Shared(reason) => return Err(BlockError::SharedMemory { index, reason }),
        };
        let mut committed = self.committed.lock();
        for (id, change) in &trace.writes {
            match change {
                None => self.table.entry(*id).commit(tx, told),
                Some(change) => self.table.entry(*id).commit_change(tx, change, told),
            }
            committed.note(*id);
        }
        if let (Some(shared), Some(regions)) = (&self.shared, &trace.regions) {
            shared.regions.commit(tx, regions, &mut committed.regions, told);
        }
        if let Some(feed) = &self.feed {
            feed.push(&result);
        }
        committed.results.push(result);
        Ok(())
    }

    fn work(trace: &Self::Trace) -> u64 {
        trace.accesses
    }
}

impl<T, E> Committed<T, E> {
    fn note(&mut self, id: EntryId) {
        let number = id.get() as usize;
        if self.is_written.len() <= number {
            self.is_written.resize(number + 1, false);
        }
        if !std::mem::replace(&mut self.is_written[number], true) {
            self.written.push(id);
        }
    }
}
