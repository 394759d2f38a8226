//! One incarnation, run piece by piece.
//!
//! ```text
//!   start   read      read               end
//!     │───────│─────────│─────────────────│
//!     └ pause ┘└ pause ┘└──── pause ──────┘   the core's clock moves on, the context stays in its hands
//! ```
//!
//! Between two reads virtual time passes, in which other cores publish and commit. What the EVM
//! machine's view does at an access is done here at the same places: a stale incarnation stops, a
//! reader of a contended location waits for its rival, a reader of an estimate for its writer.

use std::task::Poll;

use super::{
    block::Value,
    ledger::{Time, nanoseconds},
    replay::{Pause, Replay, Trace},
};
use crate::{
    context::{Attempt, Run},
    state::{EntryId, Read, TxIndex},
    sync::Arc,
};

/// A started transaction.
pub(super) struct Task {
    tx: TxIndex,
    reads: Vec<(EntryId, Value)>,
    /// How long it has run, as the recording counts.
    ran: Time,
    /// The core has to be paid for setting it going.
    owes_start: bool,
    /// It does not wait, it runs.
    pauses: bool,
    /// The rival that it has waited for, at the location that it is at.
    rival: Option<TxIndex>,
    looked_for_rivals: bool,
}

impl Task {
    pub(super) fn new(tx: TxIndex) -> Self {
        Self {
            tx,
            reads: Vec::new(),
            ran: 0,
            owes_start: true,
            pauses: false,
            rival: None,
            looked_for_rivals: false,
        }
    }

    pub(super) fn pauses(&self) -> bool {
        self.pauses
    }

    pub(super) fn poll(
        &mut self,
        run: &Arc<Run<Replay>>,
        pause: &mut Pause,
    ) -> Poll<Attempt<Trace>> {
        let replay = &run.machine;
        self.pauses = false;
        loop {
            if self.is_doomed(run) {
                return Poll::Ready(Attempt::Doomed { wasted: self.ran });
            }
            let transaction = &replay.block.transactions[self.tx.get()];
            let read = transaction.reads.get(self.reads.len());
            let until = nanoseconds(read.map_or(transaction.work, |read| read.at));
            if self.run_until(until, replay, pause) {
                return Poll::Pending;
            }
            let Some(read) = read else {
                let trace = replay.trace(self.tx, std::mem::take(&mut self.reads), self.ran);
                return Poll::Ready(Attempt::Finished(trace));
            };
            let id = replay.table.intern(&read.location);
            if self.waits_for_a_rival(run, id) {
                return self.wait();
            }
            match replay.table.entry(id).read(self.tx) {
                Read::Value(value) => {
                    self.reads.push((id, value));
                    (self.rival, self.looked_for_rivals) = (None, false);
                }
                Read::Unknown => {
                    if replay.fetch(id, read.location, self.tx) {
                        return self.wait();
                    }
                }
                Read::Blocked(writer) => {
                    if run.scheduler.wait_for(writer, self.tx) {
                        return self.wait();
                    }
                }
            }
        }
    }

    /// Whether what it has read is known to have changed.
    fn is_doomed(&self, run: &Arc<Run<Replay>>) -> bool {
        let phase = run.scheduler.phase(self.tx);
        if !(phase.is_stale() && phase.take_stale()) {
            return false;
        }
        let table = &run.machine.table;
        !self.reads.iter().all(|(id, seen)| table.entry(*id).may_hold(self.tx, seen))
    }

    /// Runs on; `true` if that takes time.
    fn run_until(&mut self, until: Time, replay: &Replay, pause: &mut Pause) -> bool {
        let mut time = until.saturating_sub(self.ran);
        if std::mem::take(&mut self.owes_start) {
            time += nanoseconds(replay.costs.start);
        }
        self.ran = until.max(self.ran);
        self.pauses = time > 0;
        *pause = replay.ledger.lock().vary(time);
        self.pauses
    }

    fn waits_for_a_rival(&mut self, run: &Arc<Run<Replay>>, id: EntryId) -> bool {
        let entry = run.machine.table.entry(id);
        let published = |tx| run.scheduler.phase(tx).has_published();
        while !self.looked_for_rivals {
            let Some(rival) = entry.rival(self.tx, self.rival, published) else {
                self.looked_for_rivals = true;
                break;
            };
            self.rival = Some(rival);
            if run.scheduler.wait_for(rival, self.tx) {
                return true;
            }
        }
        false
    }

    fn wait(&mut self) -> Poll<Attempt<Trace>> {
        self.owes_start = true;
        Poll::Pending
    }
}
