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
    sync::{Arc, RandomState, thread},
};

/// A started context.
struct Context<M: Machine> {
    tx: TxIndex,
    task: M::Task,
    /// Every lower transaction had committed when it started, so it cannot be stale.
    last: bool,
}

/// What a worker holds while a block runs.
struct Desk<M: Machine> {
    /// Contexts that wait, and those whose resume message is in `resumable`.
    suspended: HashMap<TxIndex, Context<M>, RandomState>,
    resumable: BinaryHeap<Reverse<TxIndex>>,
    mail: Vec<TxIndex>,
    told: Vec<TxIndex>,
    /// Fresh transactions that only this worker will start: a few cheap ones, taken together.
    batch: Range<u32>,
    me: usize,
}

/// Works on a block until it ends, as worker number `me`. The state a machine keeps per worker
/// outlives the block.
pub fn work<M: Machine>(run: &Arc<Run<M>>, me: usize, worker: &mut M::Worker) {
    let mut desk: Desk<M> = Desk {
        suspended: HashMap::default(),
        resumable: BinaryHeap::new(),
        mail: Vec::new(),
        told: Vec::new(),
        batch: 0..0,
        me,
    };
    let scheduler = &run.scheduler;
    while !scheduler.is_stopped() {
        let owes = M::serve(run);
        if scheduler.mailbox(me).has_mail() {
            scheduler.mailbox(me).drain(&mut desk.mail);
            desk.resumable.extend(desk.mail.drain(..).map(Reverse));
        }
        let limit = desk.resumable.peek().map_or(u32::MAX, |lowest| lowest.0.0);
        if let Some(tx) = desk.next(run, limit) {
            scheduler.share();
            desk.take(run, worker, tx);
        } else if let Some(Reverse(tx)) = desk.resumable.pop() {
            desk.resume(run, worker, tx);
        } else if scheduler.can_commit() {
            if !run.advance(me) {
                // The token's holder may be off its core, and this thread on it.
                thread::yield_now();
            }
        } else if !M::idle(run, worker, me) && !owes {
            scheduler.sleep(me);
        }
    }
    for (_, context) in desk.suspended.drain() {
        M::retire(worker, context.task, false);
    }
    M::end_block(worker);
}

impl<M: Machine> Desk<M> {
    /// The lowest transaction below `limit` to run, from the ready queue or the batch in hand.
    fn next(&mut self, run: &Arc<Run<M>>, limit: u32) -> Option<TxIndex> {
        let scheduler = &run.scheduler;
        let limit = limit.min(self.batch.clone().next().unwrap_or(u32::MAX));
        if let Some(tx) = scheduler.ready().pop_returned(limit) {
            return Some(tx);
        }
        if !self.batch.is_empty() {
            return (self.batch.start <= limit).then(|| self.batch.next().map(TxIndex)).flatten();
        }
        self.batch = scheduler
            .ready()
            .pop_fresh(scheduler.window_end(), limit, |first| run.machine.batch(TxIndex(first)));
        self.batch.next().map(TxIndex)
    }

    /// Acts on an offer of the ready queue.
    fn take(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, tx: TxIndex) {
        let phase = run.scheduler.phase(tx);
        if let Some(first) = run.machine.let_first(tx)
            && phase.is_idle()
            && run.scheduler.wait_for(first, tx)
        {
            // Offered again when the other has published.
            return;
        }
        if phase.start().is_some() {
            run.scheduler.own(tx, self.me);
            run.counters(self.me).started();
            run.note(self.me, Event::Started(tx.0));
            let last = run.scheduler.cursor().frontier() == tx;
            let task = M::start(run, worker, tx);
            self.poll(run, worker, Context { tx, task, last });
        } else if phase.take_revalidation() {
            run.revalidate(self.me, tx);
        }
    }

    /// Acts on a resume message.
    fn resume(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, tx: TxIndex) {
        // A message for a context that is gone is spent: the phase would say so too.
        if self.suspended.contains_key(&tx)
            && run.scheduler.phase(tx).resume()
            && let Some(context) = self.suspended.remove(&tx)
        {
            if let Some(recorder) = run.recorder() {
                recorder.note_resume(self.me, tx.0);
            }
            self.poll(run, worker, context);
        }
    }

    fn poll(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, mut context: Context<M>) {
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
                    return;
                }
                Poll::Pending => {
                    // What it waits for may be an answer that this worker can give at once.
                    // It owes nothing for that: the worker serves again before it sleeps.
                    let _ = M::serve(run);
                    match run.scheduler.phase(tx).suspend() {
                        Suspend::Again => {}
                        Suspend::Parked => {
                            self.suspended.insert(tx, context);
                            run.counters(self.me).suspended(self.suspended.len());
                            run.note(self.me, Event::Suspended(tx.0));
                            return;
                        }
                    }
                }
            }
        }
    }
}
