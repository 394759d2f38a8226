//! A worker's loop: take the lowest transaction that can run, run it until it ends or waits.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    ops::Range,
    task::Poll,
};

use super::{Attempt, Machine, Run};
use crate::{
    observe::timeline::Event,
    scheduler::Suspend,
    state::TxIndex,
    sync::{Arc, RandomState, thread, weakened},
};

/// A started context.
struct Context<M: Machine> {
    tx: TxIndex,
    task: M::Task,
    /// Every lower transaction had committed when it started, so it cannot be stale.
    last: bool,
}

/// What a worker holds while a block runs. [`work`] is a loop over [`Desk::step`]; whoever has another
/// idea of time and of threads (`sim`) makes the steps himself.
pub struct Desk<M: Machine> {
    /// A context in the middle of its run, which goes on before anything else ([`Machine::pauses`]).
    paused: Option<Context<M>>,
    /// Contexts that wait, and those whose resume message is in `resumable`.
    suspended: HashMap<TxIndex, Context<M>, RandomState>,
    resumable: BinaryHeap<Reverse<TxIndex>>,
    mail: Vec<TxIndex>,
    told: Vec<TxIndex>,
    /// Fresh transactions that only this worker will start: a few cheap ones, taken together.
    batch: Range<u32>,
    /// The last step found nothing to do.
    idle: bool,
    me: usize,
}

/// What a worker should do after a step.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// The next step.
    On,
    /// The next step when the context in hand wants to go on ([`Machine::pauses`]).
    Paused,
    /// The next step, after letting others run: another worker commits, and may be off its core.
    Yield,
    /// Sleep until there may be work: there is none.
    Sleep,
    /// Leave: the block has ended.
    Leave,
}

/// Works on a block until it ends, as worker number `me`. The state a machine keeps per worker
/// outlives the block.
pub fn work<M: Machine>(run: &Arc<Run<M>>, me: usize, worker: &mut M::Worker) {
    let mut desk: Desk<M> = Desk::new(me);
    loop {
        match desk.step(run, worker) {
            Stride::On | Stride::Paused => {}
            Stride::Yield => thread::yield_now(),
            Stride::Sleep => run.scheduler.sleep(me),
            Stride::Leave => break,
        }
    }
    desk.leave(worker);
}

impl<M: Machine> std::fmt::Debug for Desk<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let suspended: Vec<_> = self.suspended.keys().collect();
        f.debug_struct("Desk").field("me", &self.me).field("suspended", &suspended).finish()
    }
}

impl<M: Machine> Desk<M> {
    /// The empty desk of worker number `me`.
    #[must_use]
    pub fn new(me: usize) -> Self {
        Self {
            paused: None,
            suspended: HashMap::default(),
            resumable: BinaryHeap::new(),
            mail: Vec::new(),
            told: Vec::new(),
            batch: 0..0,
            idle: false,
            me,
        }
    }

    /// Does the most urgent thing there is to do, and nothing that takes time beside it. Never blocks.
    #[inline]
    pub fn step(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker) -> Stride {
        let scheduler = &run.scheduler;
        if scheduler.is_stopped() {
            return Stride::Leave;
        }
        if let Some(context) = self.paused.take() {
            return self.poll(run, worker, context);
        }
        if scheduler.awaits_turn() {
            // To look ahead is for several workers: one alone would look at everything twice.
            run.commit_own(self.me);
        }
        let idle = std::mem::take(&mut self.idle);
        let owes = M::serve(run, worker, self.me, idle);
        if scheduler.mailbox(self.me).has_mail() {
            scheduler.mailbox(self.me).drain(&mut self.mail);
            self.resumable.extend(self.mail.drain(..).map(Reverse));
        }
        let limit = self.resumable.peek().map_or(u32::MAX, |lowest| lowest.0.0);
        if let Some(tx) = self.next(run, limit) {
            scheduler.share();
            return self.take(run, worker, tx);
        }
        if let Some(Reverse(tx)) = self.resumable.pop() {
            return self.resume(run, worker, tx);
        }
        if scheduler.can_commit() {
            // The token's holder may be off its core, and this thread on it.
            return if run.advance(self.me) { Stride::On } else { Stride::Yield };
        }
        self.idle = true;
        if M::idle(run, worker, self.me) || owes { Stride::On } else { Stride::Sleep }
    }

    /// Lets go of all contexts, when the block has ended.
    pub fn leave(self, worker: &mut M::Worker) {
        for context in self.suspended.into_values().chain(self.paused) {
            M::retire(worker, context.task, false);
        }
        M::end_block(worker);
    }

    /// The lowest transaction below `limit` to run, from the ready queue or the batch in hand.
    fn next(&mut self, run: &Arc<Run<M>>, limit: u32) -> Option<TxIndex> {
        let scheduler = &run.scheduler;
        let limit = limit.min(self.batch.clone().next().unwrap_or(u32::MAX));
        // The window may have shrunk since they started.
        if let Some(tx) = scheduler.ready().pop_returned(limit.min(scheduler.near_end())) {
            return Some(tx);
        }
        if !self.batch.is_empty() {
            return (self.batch.start <= limit).then(|| self.batch.next().map(TxIndex)).flatten();
        }
        let batch = |first| run.machine.batch(TxIndex(first));
        self.batch = scheduler.ready().pop_fresh(scheduler.window_end(), limit, batch);
        self.batch.next().map(TxIndex)
    }

    /// Acts on an offer of the ready queue.
    fn take(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, tx: TxIndex) -> Stride {
        let (phase, turn) = (run.scheduler.phase(tx), run.scheduler.turn(tx));
        if !turn.is_anyones() {
            let left = !turn.is_reserved() || run.machine.still_runs_at_its_turn(tx);
            if left || !turn.release() {
                return Stride::On;
            }
            if tx.0 >= run.scheduler.near_end() {
                // It is found again when the window has got there.
                if !weakened("worker.release-offers") {
                    run.scheduler.offer(tx);
                }
                return Stride::On;
            }
        }
        if let Some(first) = run.machine.let_first(tx)
            && phase.is_idle()
            && run.scheduler.wait_for(first, tx)
        {
            // Offered again when the other has published.
            return Stride::On;
        }
        if phase.start().is_some() {
            run.scheduler.own(tx, self.me);
            run.counters(self.me).started();
            run.note(self.me, Event::Started(tx.0));
            let last = run.scheduler.cursor().frontier() == tx;
            let task = M::start(run, worker, tx);
            return self.poll(run, worker, Context { tx, task, last });
        }
        if phase.take_revalidation() {
            run.revalidate(self.me, tx);
        }
        Stride::On
    }

    /// Acts on a resume message.
    fn resume(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, tx: TxIndex) -> Stride {
        // A message for a context that is gone is spent: the phase would say so too.
        if self.suspended.contains_key(&tx)
            && run.scheduler.phase(tx).resume()
            && let Some(context) = self.suspended.remove(&tx)
        {
            if let Some(recorder) = run.recorder() {
                recorder.note_resume(self.me, tx.0);
            }
            return self.poll(run, worker, context);
        }
        Stride::On
    }

    fn poll(
        &mut self,
        run: &Arc<Run<M>>,
        worker: &mut M::Worker,
        mut context: Context<M>,
    ) -> Stride {
        let tx = context.tx;
        loop {
            match M::poll(run, worker, &mut context.task) {
                Poll::Ready(attempt) => {
                    run.note(self.me, Event::Ended(tx.0));
                    M::retire(worker, context.task, true);
                    match attempt {
                        Attempt::Finished(trace) => {
                            run.finish(self.me, tx, trace, context.last, &mut self.told);
                        }
                        Attempt::Doomed { wasted } => run.doomed(tx, wasted),
                    }
                    return Stride::On;
                }
                Poll::Pending if M::pauses(&context.task) => {
                    self.paused = Some(context);
                    return Stride::Paused;
                }
                Poll::Pending => {
                    // What it waits for may be an answer that this worker can give at once.
                    // It owes nothing for that: the worker serves again before it sleeps.
                    let _ = M::serve(run, worker, self.me, true);
                    match run.scheduler.phase(tx).suspend() {
                        Suspend::Again => {}
                        Suspend::Parked => {
                            self.suspended.insert(tx, context);
                            run.counters(self.me).suspended(self.suspended.len());
                            run.note(self.me, Event::Suspended(tx.0));
                            return Stride::On;
                        }
                    }
                }
            }
        }
    }
}
