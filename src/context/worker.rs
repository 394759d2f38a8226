//! A worker's loop: take the lowest transaction that can run, run it until it ends or waits.

use std::{cmp::Reverse, collections::BinaryHeap, task::Poll};

use super::{Attempt, Machine, Run};
use crate::{
    scheduler::Suspend,
    state::TxIndex,
    sync::Arc,
};

/// What a worker holds while a block runs.
struct Desk<M: Machine> {
    /// Contexts that wait, and those whose resume message is in `resumable`.
    suspended: Vec<(TxIndex, M::Task)>,
    resumable: BinaryHeap<Reverse<TxIndex>>,
    mail: Vec<TxIndex>,
    told: Vec<TxIndex>,
    me: usize,
}

/// Works on a block until it ends, as worker number `me`. The state a machine keeps per worker
/// outlives the block.
pub fn work<M: Machine>(run: &Arc<Run<M>>, me: usize, worker: &mut M::Worker) {
    let mut desk: Desk<M> = Desk {
        suspended: Vec::new(),
        resumable: BinaryHeap::new(),
        mail: Vec::new(),
        told: Vec::new(),
        me,
    };
    let scheduler = &run.scheduler;
    while !scheduler.is_stopped() {
        if scheduler.mailbox(me).has_mail() {
            scheduler.mailbox(me).drain(&mut desk.mail);
            desk.resumable.extend(desk.mail.drain(..).map(Reverse));
        }
        let limit = desk.resumable.peek().map_or(u32::MAX, |lowest| lowest.0.0);
        if let Some(tx) = scheduler.ready().pop(scheduler.window_end(), limit) {
            desk.take(run, worker, tx);
        } else if let Some(Reverse(tx)) = desk.resumable.pop() {
            desk.resume(run, worker, tx);
        } else {
            scheduler.sleep(me);
        }
    }
    for (_, task) in desk.suspended.drain(..) {
        M::retire(worker, task, false);
    }
    M::end_block(worker);
}

impl<M: Machine> Desk<M> {
    /// Acts on an offer of the ready queue.
    fn take(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, tx: TxIndex) {
        let phase = run.scheduler.phase(tx);
        if phase.start().is_some() {
            run.scheduler.own(tx, self.me);
            run.counters(self.me).started();
            let task = M::start(run, worker, tx);
            self.poll(run, worker, tx, task);
        } else if phase.is_executed() && phase.take_stale() {
            run.revalidate(tx);
        }
    }

    /// Acts on a resume message.
    fn resume(&mut self, run: &Arc<Run<M>>, worker: &mut M::Worker, tx: TxIndex) {
        let Some(at) = self.suspended.iter().position(|(other, _)| *other == tx) else { return };
        if run.scheduler.phase(tx).resume() {
            let (_, task) = self.suspended.swap_remove(at);
            self.poll(run, worker, tx, task);
        }
    }

    fn poll(
        &mut self,
        run: &Arc<Run<M>>,
        worker: &mut M::Worker,
        tx: TxIndex,
        mut task: M::Task,
    ) {
        loop {
            match M::poll(run, worker, &mut task) {
                Poll::Ready(attempt) => {
                    M::retire(worker, task, true);
                    match attempt {
                        Attempt::Finished(trace) => {
                            run.finish(tx, trace, &mut self.told);
                            run.scheduler.window_moved();
                        }
                        Attempt::Doomed { wasted } => run.doomed(tx, wasted),
                    }
                    return;
                }
                Poll::Pending => match run.scheduler.phase(tx).suspend() {
                    Suspend::Again => {}
                    Suspend::Parked => {
                        run.counters(self.me).suspended();
                        self.suspended.push((tx, task));
                        return;
                    }
                },
            }
        }
    }
}
