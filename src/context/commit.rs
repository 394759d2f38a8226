//! From the end of an incarnation to its commit: publishing, validation, and the commit step.
//!
//! ```text
//!   finish ─┬─ its turn ────► commit_unpublished ─┐
//!           └─ not yet ─► publish ─► commit_next ─┴─► after_commit ─► the next one
//!                            reserved: commit_at_its_turn ─┘
//! ```
//!
//! Everything from `commit_next` on is run by the holder of the cursor's token alone.

use super::{Machine, Review, Run, run::Held};
use crate::{
    observe::timeline::Event,
    scheduler::{Finish, Step},
    state::TxIndex,
    sync::{atomic::Ordering, weakened},
};

impl<M: Machine> Run<M> {
    /// Takes a finished incarnation from worker `me`: commits it at once if it is its turn, else
    /// publishes it. `last` tells that every lower transaction had committed when it started, so
    /// that its observations need no check.
    pub fn finish(
        &self,
        me: usize,
        tx: TxIndex,
        trace: M::Trace,
        last: bool,
        told: &mut Vec<TxIndex>,
    ) {
        let mut mine = Some(trace);
        if self.scheduler.cursor().frontier() == tx {
            self.scheduler.cursor().advance(|at| {
                let now = self.scheduler.may_commit(at);
                match mine.take_if(|_| at == tx && now) {
                    Some(trace) => self.commit_unpublished(me, at, trace, last, told),
                    None => self.commit_next(me, at, true),
                }
            });
        }
        let Some(mut trace) = mine else { return };
        let phase = self.scheduler.phase(tx);
        let finish = {
            let mut held = self.traces[tx.get()].lock();
            let previous = held.previous.take();
            self.machine.publish(tx, &mut trace, previous, told);
            held.current = Some(trace);
            self.note(me, Event::Published(tx.0));
            phase.finish()
        };
        self.scheduler.release_waiters(tx);
        self.scheduler.tell(told);
        if finish == Finish::Stale && phase.take_revalidation() {
            self.revalidate(me, tx);
        }
        self.commit_own(me);
    }

    /// Commits what worker `me` ran, as far as the cursor has got there.
    pub(crate) fn commit_own(&self, me: usize) {
        let frontier = self.scheduler.cursor().frontier();
        let mine =
            || self.scheduler.owner(frontier) == me && self.scheduler.phase(frontier).is_executed();
        if frontier.0 < self.scheduler.len()
            && (self.scheduler.turn(frontier).is_reserved() || mine())
        {
            self.scheduler.cursor().advance(|at| self.commit_next(me, at, true));
        }
    }

    /// Commits whatever is ready. Worker `me` does this when it has nothing else to do. `false`:
    /// another worker is at it.
    pub fn advance(&self, me: usize) -> bool {
        self.scheduler.cursor().advance(|at| self.commit_next(me, at, false))
    }

    /// An incarnation gave up: the next one may start. Called by the worker that ran it.
    pub fn doomed(&self, tx: TxIndex, wasted: u64) {
        if let Some(recorder) = self.recorder() {
            recorder.note(self.scheduler.owner(tx), Event::Doomed(tx.0));
        }
        self.throw_away(wasted);
        let aborted = self.scheduler.phase(tx).abort();
        debug_assert!(aborted, "a doomed context was running");
        self.scheduler.offer(tx);
    }

    /// Counts work that was in vain. The commit step may be far behind, on a worker that is off its
    /// core, while the others waste more: so whoever wastes asks whether that goes on.
    fn throw_away(&self, work: u64) {
        self.wasted.fetch_add(work, Ordering::Relaxed);
        match self.machine.review_waste(self) {
            Review::GoOn => {}
            Review::Window(window) => self.scheduler.restrain(window),
            // Only the commit step can let go of the workers, at its next review.
            Review::HandOver => self.scheduler.restrain(1),
        }
    }

    /// Checks an executed transaction whose reads may have changed, and aborts it if they did. Called
    /// by worker `me`.
    pub fn revalidate(&self, me: usize, tx: TxIndex) {
        let mut held = self.traces[tx.get()].lock();
        let Some(trace) = &held.current else { return };
        if self.machine.may_hold(tx, trace) {
            return;
        }
        self.abort(me, tx, &mut held);
    }

    /// Aborts an executed transaction. The traces' lock keeps the commit step and the next
    /// incarnation's publish away until the writes are estimates.
    fn abort(&self, me: usize, tx: TxIndex, held: &mut Held<M::Trace>) {
        let Some(trace) = held.current.take() else { return };
        self.note_conflict(me, tx, &trace);
        self.note(me, Event::Aborted(tx.0));
        self.throw_away(M::work(&trace));
        self.machine.retract(tx, &trace);
        held.previous = Some(trace);
        let aborted = self.scheduler.phase(tx).abort();
        debug_assert!(aborted, "a held trace means phase Executed");
        self.scheduler.offer(tx);
    }

    /// The commit step for a published transaction. A busy worker (`own_only`) leaves the
    /// transactions that another worker ran to that worker, whose cache holds them: it commits them
    /// when it finishes its next one. Whoever runs out of work commits everybody's, so nothing is
    /// left lying.
    fn commit_next(&self, me: usize, at: TxIndex, own_only: bool) -> Step {
        if at.0 >= self.scheduler.len() || self.scheduler.is_stopped() {
            return Step::NotYet;
        }
        if !self.scheduler.may_commit(at) {
            return Step::NotYet;
        }
        if self.scheduler.turn(at).is_reserved() {
            return self.commit_at_its_turn(me, at);
        }
        if !self.scheduler.phase(at).is_executed() {
            return Step::NotYet;
        }
        if own_only && self.scheduler.owner(at) != me {
            self.scheduler.wake_owner(at);
            return Step::NotYet;
        }
        let begin = self.clock();
        let mut held = self.traces[at.get()].lock();
        let Some(trace) = &held.current else { return Step::NotYet };
        if !weakened("run.validate") && !self.machine.validate(at, trace) {
            self.abort(me, at, &mut held);
            return Step::NotYet;
        }
        let Some(trace) = held.current.take() else { return Step::NotYet };
        let mut told = Vec::new();
        let result = self.machine.commit(at, trace, true, None, &mut told);
        self.note_commit(me, at, begin, &result);
        let committed = self.scheduler.phase(at).commit();
        debug_assert!(committed, "a held trace means phase Executed");
        drop(held);
        self.after_commit(at, result, &mut told)
    }

    /// The commit step for a transaction that is reserved for it.
    fn commit_at_its_turn(&self, me: usize, at: TxIndex) -> Step {
        let turn = self.scheduler.turn(at);
        if !turn.take() {
            // A worker has found that it is not so cheap, and runs it.
            return Step::NotYet;
        }
        let mut told = Vec::new();
        self.note(me, Event::Started(at.0));
        let Some(result) = self.machine.run_at_its_turn(at, &mut told) else {
            self.note(me, Event::Ended(at.0));
            self.note(me, Event::Doomed(at.0));
            turn.give_up();
            if !weakened("run.turn-offers") {
                self.scheduler.offer(at);
            }
            return Step::NotYet;
        };
        self.note(me, Event::Ended(at.0));
        let begin = self.clock();
        self.counters(me).started();
        self.note_commit(me, at, begin, &result);
        let committed = self.scheduler.phase(at).commit_idle();
        debug_assert!(committed, "nobody else starts it while it is taken");
        self.scheduler.release_waiters(at);
        self.after_commit(at, result, &mut told)
    }

    /// The commit step for the transaction that the calling worker just ran at the frontier.
    fn commit_unpublished(
        &self,
        me: usize,
        at: TxIndex,
        trace: M::Trace,
        last: bool,
        told: &mut Vec<TxIndex>,
    ) -> Step {
        if self.scheduler.is_stopped() {
            return Step::NotYet;
        }
        let begin = self.clock();
        if !last && !weakened("run.validate") && !self.machine.validate(at, &trace) {
            self.note_conflict(me, at, &trace);
            self.doomed(at, M::work(&trace));
            return Step::NotYet;
        }
        // Only an abort leaves one.
        let previous = match self.scheduler.phase(at).incarnation() {
            0 => None,
            _ => self.traces[at.get()].lock().previous.take(),
        };
        let result = self.machine.commit(at, trace, false, previous, told);
        self.note_commit(me, at, begin, &result);
        let phase = self.scheduler.phase(at);
        let _ = phase.finish();
        let committed = phase.commit();
        debug_assert!(committed, "just finished");
        self.scheduler.release_waiters(at);
        self.after_commit(at, result, told)
    }

    #[inline]
    fn note_commit(&self, me: usize, at: TxIndex, begin: u64, result: &Result<(), M::Error>) {
        if result.is_ok() {
            self.note(me, Event::Committed(at.0, begin));
        }
    }

    fn after_commit(
        &self,
        at: TxIndex,
        result: Result<(), M::Error>,
        told: &mut Vec<TxIndex>,
    ) -> Step {
        self.scheduler.tell(told);
        if let Err(error) = result {
            self.fail(error);
            return Step::NotYet;
        }
        if at.0 + 1 == self.scheduler.len() {
            self.scheduler.stop();
            return Step::Committed;
        }
        match self.machine.review(self, at.0 + 1) {
            Review::GoOn => {}
            Review::Window(window) => self.scheduler.restrain(window),
            Review::HandOver => self.hand_over(),
        }
        Step::Committed
    }
}
