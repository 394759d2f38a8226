//! The machine that replays recorded transactions on virtual time.

use std::{collections::HashMap, task::Poll};

use super::{
    Block, Costs, Fault, Location, SimError,
    block::{Value, seen_as_one},
    ledger::{Ledger, Time, nanoseconds},
    task::Task,
};
use crate::{
    context::{Attempt, Machine, Run},
    state::{Cell, EntryId, Table, TxIndex, left_out, places},
    sync::{Arc, Mutex},
};

/// A location holds a number.
#[derive(Debug)]
pub(super) enum NumberCell {}

impl Cell for NumberCell {
    type Key = Location;
    type Value = Value;
    type Change = Value;
    type Seen = Value;

    fn apply(value: &mut Value, change: &Value) {
        *value = *change;
    }

    fn holds(value: &Value, seen: &Value) -> bool {
        value == seen
    }
}

/// What an incarnation leaves.
pub(super) struct Trace {
    pub(super) reads: Vec<(EntryId, Value)>,
    writes: Vec<(EntryId, Value)>,
    ran: Time,
}

/// Reads of the store beneath that are under way.
#[derive(Default)]
struct Reads {
    /// Who waits for which location.
    waiting: HashMap<Location, Vec<TxIndex>>,
    /// Reads that have begun in this step, and when they end.
    begun: Vec<(Time, Location)>,
}

/// A block that is being replayed.
pub(super) struct Replay {
    pub(super) block: Arc<Block>,
    pub(super) table: Table<NumberCell>,
    pub(super) costs: Costs,
    pub(super) ledger: Mutex<Ledger>,
    reads: Mutex<Reads>,
    panics: Vec<u32>,
}

impl Replay {
    pub(super) fn new(block: Arc<Block>, costs: Costs, ledger: Ledger, faults: &[Fault]) -> Self {
        let panics = faults.iter().filter_map(|fault| match fault {
            Fault::Panic { transaction } => Some(*transaction),
            _ => None,
        });
        let panics = panics.collect();
        let (table, ledger) = (Table::new(), Mutex::new(ledger));
        Self { block, table, costs, ledger, reads: Mutex::default(), panics }
    }

    /// Begins to read what a location held before the block, for `tx`, which waits for it. `false`: that
    /// takes no time, and it is there.
    pub(super) fn fetch(&self, id: EntryId, location: Location, tx: TxIndex) -> bool {
        if self.costs.read.is_zero() {
            self.table.entry(id).fill(location.before());
            return false;
        }
        let mut reads = self.reads.lock();
        let mut first = false;
        let waiting = reads.waiting.entry(location).or_insert_with(|| {
            first = true;
            Vec::new()
        });
        waiting.push(tx);
        if first {
            let mut ledger = self.ledger.lock();
            let end = ledger.now() + ledger.vary(nanoseconds(self.costs.read)).max(1);
            reads.begun.push((end, location));
        }
        true
    }

    /// Takes the reads that have begun, and when they end.
    pub(super) fn take_begun(&self) -> Vec<(Time, Location)> {
        std::mem::take(&mut self.reads.lock().begun)
    }

    /// A read has ended: whoever waits for it can go on.
    pub(super) fn answer(&self, location: Location) -> Vec<TxIndex> {
        self.table.entry(self.table.intern(&location)).fill(location.before());
        self.reads.lock().waiting.remove(&location).unwrap_or_default()
    }

    /// What an incarnation that has seen `reads` comes to.
    pub(super) fn trace(&self, tx: TxIndex, reads: Vec<(EntryId, Value)>, ran: Time) -> Trace {
        let seen = seen_as_one(reads.iter().map(|(_, value)| *value));
        let writes = &self.block.transactions[tx.get()].writes;
        let write = |location: &Location| (self.table.intern(location), location.written(tx, seen));
        Trace { reads, writes: writes.iter().map(write).collect(), ran }
    }

    /// Every location that was written, with what it holds.
    pub(super) fn state(&self) -> Vec<(Location, Value)> {
        let written = self.table.iter().filter_map(|(_, location, entry)| {
            Some((*location, entry.difference(|_, value| *value)?))
        });
        let mut state: Vec<_> = written.collect();
        state.sort_unstable();
        state
    }

    fn withdraw_rest(&self, trace: &Trace, previous: &Trace, tx: TxIndex, told: &mut Vec<TxIndex>) {
        for id in left_out(places(&previous.writes), places(&trace.writes)) {
            self.table.entry(id).withdraw(tx, told);
        }
    }

    fn charge_check(&self) {
        self.ledger.lock().charge(self.costs.publish);
    }
}

/// How long the task in hand pauses.
pub(super) type Pause = Time;

impl Machine for Replay {
    type Trace = Trace;
    type Task = Task;
    type Worker = Pause;
    type Error = SimError;

    fn transactions(&self) -> u32 {
        self.block.transactions.len() as u32
    }

    fn batch(&self, first: TxIndex) -> u32 {
        self.block.transactions[first.get()].batch
    }

    fn start(_: &Arc<Run<Self>>, _: &mut Pause, tx: TxIndex) -> Task {
        Task::new(tx)
    }

    fn poll(run: &Arc<Run<Self>>, pause: &mut Pause, task: &mut Task) -> Poll<Attempt<Trace>> {
        task.poll(run, pause)
    }

    fn pauses(task: &Task) -> bool {
        task.pauses()
    }

    fn retire(_: &mut Pause, _: Task, _: bool) {}

    fn worker_died(core: usize) -> SimError {
        SimError::CoreDied { core }
    }

    fn end_block(_: &mut Pause) {}

    fn validate(&self, _: TxIndex, trace: &Trace) -> bool {
        trace.reads.iter().all(|(id, seen)| self.table.entry(*id).holds(seen))
    }

    fn may_hold(&self, tx: TxIndex, trace: &Trace) -> bool {
        self.charge_check();
        trace.reads.iter().all(|(id, seen)| self.table.entry(*id).may_hold(tx, seen))
    }

    fn publish(
        &self,
        tx: TxIndex,
        trace: &mut Trace,
        previous: Option<Trace>,
        told: &mut Vec<TxIndex>,
    ) {
        self.ledger.lock().charge(self.costs.publish);
        for (id, value) in &trace.writes {
            self.table.entry(*id).publish(tx, *value, told);
        }
        if let Some(previous) = previous {
            self.withdraw_rest(trace, &previous, tx, told);
        }
    }

    fn retract(&self, tx: TxIndex, trace: &Trace) {
        for (id, _) in &trace.writes {
            self.table.entry(*id).retract(tx);
        }
    }

    fn commit(
        &self,
        tx: TxIndex,
        trace: Trace,
        published: bool,
        previous: Option<Trace>,
        told: &mut Vec<TxIndex>,
    ) -> Result<(), SimError> {
        self.ledger.lock().commit(&self.costs, published);
        if self.panics.contains(&tx.0) {
            return Err(SimError::Panic { index: tx.get() });
        }
        for (id, value) in &trace.writes {
            let entry = self.table.entry(*id);
            // A write without a read may be the first to come here.
            if let Some(location) = self.table.key(*id) {
                entry.fill(location.before());
            }
            match published {
                true => entry.commit(tx, told),
                false => entry.commit_change(tx, value, told),
            }
        }
        if let Some(previous) = previous {
            self.withdraw_rest(&trace, &previous, tx, told);
        }
        Ok(())
    }

    fn work(trace: &Trace) -> u64 {
        trace.ran
    }
}
