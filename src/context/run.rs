//! One block on its way: the scheduler, the machine, and the traces between them.

use crossbeam_utils::CachePadded;

use crate::{
    observe::timeline::{Event, Recorder},
    scheduler::{Closed, EarlyStarts, Finish, Scheduler, Step},
    state::TxIndex,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        thread, weakened,
    },
};

use super::{Control, Halt, Machine, Review, StopReason};

/// How much a worker has done. Written by that worker alone.
#[derive(Debug, Default)]
pub struct Counters {
    incarnations: AtomicU64,
    suspensions: AtomicU64,
    most_suspended: AtomicU64,
}

impl Counters {
    fn add(counter: &AtomicU64, more: u64) {
        // Relaxed, and not a read-modify-write: one writer, and readers want a number, not an order.
        counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    /// An incarnation was started.
    pub fn started(&self) {
        Self::add(&self.incarnations, 1);
    }

    /// A context was suspended, which makes `at_once` of this worker.
    pub fn suspended(&self, at_once: usize) {
        Self::add(&self.suspensions, 1);
        let most = self.most_suspended.load(Ordering::Relaxed).max(at_once as u64);
        self.most_suspended.store(most, Ordering::Relaxed);
    }
}

/// The sum of all workers' counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Incarnations started.
    pub incarnations: u64,
    /// Times a context was suspended.
    pub suspensions: u64,
    /// Most contexts that one worker held suspended at a time.
    pub most_suspended: u64,
    /// Work of incarnations that were thrown away, as [`Machine::work`] measures it.
    pub wasted: u64,
}

/// A block that is being executed.
pub struct Run<M: Machine> {
    /// Who runs next.
    pub scheduler: Scheduler,
    /// What runs, and on which state.
    pub machine: M,
    counters: Box<[CachePadded<Counters>]>,
    wasted: AtomicU64,
    traces: Box<[Mutex<Held<M::Trace>>]>,
    end: Mutex<Option<Early<M::Error>>>,
    control: Option<Arc<Control>>,
    /// Boxed: nearly always absent, and nothing to read past.
    recorder: Option<Box<Recorder>>,
}

/// Why a block ends before its last transaction. What came first stands.
enum Early<E> {
    /// The machine wants its workers off. Any other reason takes its place.
    HandedOver,
    Failed(E),
    Stopped(StopReason),
}

/// How a block ended.
#[must_use]
#[derive(Debug)]
pub enum Conclusion<E> {
    /// Every transaction is committed.
    Complete,
    /// An error ended it.
    Failed(E),
    /// The machine has let go of its workers ([`Review::HandOver`]): the rest is for whoever began the
    /// block.
    HandedOver {
        /// How many transactions are committed, the first ones of the block. Nothing of any other is.
        committed: u32,
    },
    /// It was stopped from outside.
    Stopped {
        /// Why.
        reason: StopReason,
        /// How many transactions were committed, the first ones of the block. Nothing of any other
        /// is. `None` if that cannot be told: a worker died in the middle of a commit.
        committed: Option<u32>,
    },
}

/// The traces of a transaction between finish and commit.
struct Held<T> {
    /// Of the executed incarnation. `Some` exactly in phase Executed.
    current: Option<T>,
    /// Of the incarnation aborted last, whose writes stand as estimates.
    previous: Option<T>,
}

impl<M: Machine> Run<M> {
    /// A block about to be executed by `workers` workers.
    pub fn new(machine: M, workers: usize, window: u32) -> Self {
        let transactions = machine.transactions();
        let first = machine.first().0;
        let scheduler = Scheduler::starting_at(first, transactions, workers, window);
        let early = EarlyStarts::plan(&machine.weights(), first, workers);
        let scheduler = scheduler.with_early_starts(early);
        for tx in (first..transactions).map(TxIndex).filter(|tx| machine.runs_at_its_turn(*tx)) {
            scheduler.turn(tx).reserve();
        }
        Self {
            scheduler,
            machine,
            counters: (0..workers).map(|_| CachePadded::default()).collect(),
            wasted: AtomicU64::new(0),
            traces: (0..transactions)
                .map(|_| Mutex::new(Held { current: None, previous: None }))
                .collect(),
            end: Mutex::new(None),
            control: None,
            recorder: None,
        }
    }

    /// Makes it a block that `control` can stop: attach the run to it once it is shared.
    #[must_use]
    pub fn with_control(mut self, control: Option<Arc<Control>>) -> Self {
        self.control = control;
        self
    }

    /// Makes it a block whose timeline is taken down.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder.map(Box::new);
        self
    }

    /// Who takes down the block's timeline, if anybody does.
    #[inline]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Notes what happened on worker `me`, if anybody takes it down.
    #[inline]
    pub(super) fn note(&self, me: usize, event: Event) {
        if let Some(recorder) = &self.recorder {
            recorder.note(me, event);
        }
    }

    /// Notes where an incarnation that worker `me` is about to throw away was wrong.
    fn note_conflict(&self, me: usize, tx: TxIndex, trace: &M::Trace) {
        if let Some(recorder) = &self.recorder {
            self.note_conflict_to(recorder, me, tx, trace);
        }
    }

    #[cold]
    fn note_conflict_to(&self, recorder: &Recorder, me: usize, tx: TxIndex, trace: &M::Trace) {
        let place = self.machine.conflict(tx, trace);
        recorder.note(me, Event::Conflict(tx.0, place));
    }

    /// The time on the recorder's clock; without a recorder, none.
    #[inline]
    fn clock(&self) -> u64 {
        self.recorder.as_ref().map_or(0, |recorder| recorder.now())
    }

    /// What can stop the block from outside, if anything can.
    pub fn control(&self) -> Option<&Arc<Control>> {
        self.control.as_ref()
    }

    /// The counters of a worker.
    pub fn counters(&self, worker: usize) -> &Counters {
        &self.counters[worker]
    }

    /// How many workers it was made for.
    pub fn workers(&self) -> usize {
        self.counters.len()
    }

    /// How it went, all workers together.
    pub fn totals(&self) -> Totals {
        let mut totals =
            Totals { wasted: self.wasted.load(Ordering::Relaxed), ..Totals::default() };
        for counters in &self.counters {
            totals.incarnations += counters.incarnations.load(Ordering::Relaxed);
            totals.suspensions += counters.suspensions.load(Ordering::Relaxed);
            let most = counters.most_suspended.load(Ordering::Relaxed);
            totals.most_suspended = totals.most_suspended.max(most);
        }
        totals
    }

    /// Takes the error that ended the block early, if one did.
    pub fn take_error(&self) -> Option<M::Error> {
        let mut end = self.end.lock();
        match end.take() {
            Some(Early::Failed(error)) => Some(error),
            other => {
                *end = other;
                None
            }
        }
    }

    /// Ends the block with an error, unless it has ended early before.
    pub fn fail(&self, error: M::Error) {
        self.end_early(Early::Failed(error));
    }

    /// Ends the workers' part of the block, and nothing else: it is not stopped.
    fn hand_over(&self) {
        self.end.lock().get_or_insert(Early::HandedOver);
        self.scheduler.stop();
    }

    fn end_early(&self, why: Early<M::Error>) {
        {
            let mut end = self.end.lock();
            if matches!(*end, None | Some(Early::HandedOver)) {
                *end = Some(why);
            }
        }
        self.scheduler.stop();
        self.machine.stopped();
        if let Some(control) = &self.control {
            control.raise();
        }
    }

    /// Why the block was stopped from outside, if it was.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match *self.end.lock() {
            Some(Early::Stopped(reason)) => Some(reason),
            _ => None,
        }
    }

    /// How the block ended. Asked once, when the calling thread's work on it is done; nothing
    /// commits any more after it.
    ///
    /// A block that is stopped when its last transaction has just been committed is complete.
    pub fn conclude(&self) -> Conclusion<M::Error> {
        let reason = match (self.stop_reason(), self.take_error()) {
            (Some(reason), _) => reason,
            (None, Some(error)) => return Conclusion::Failed(error),
            (None, None) if self.end.lock().is_some() => return self.conclude_handed_over(),
            (None, None) => return Conclusion::Complete,
        };
        // Another worker may be in the middle of a commit.
        let committed = match self.scheduler.cursor().close() {
            Closed::Exact => Some(self.scheduler.cursor().frontier().0),
            Closed::Torn => None,
        };
        match committed {
            Some(committed)
                if committed == self.scheduler.len() && !weakened("run.finish-wins") =>
            {
                Conclusion::Complete
            }
            committed => Conclusion::Stopped { reason, committed },
        }
    }

    /// What is committed of a block that the machine has let go of.
    fn conclude_handed_over(&self) -> Conclusion<M::Error> {
        let closed = self.scheduler.cursor().close();
        let committed = self.scheduler.cursor().frontier().0;
        if closed == Closed::Torn {
            // Whoever dies in a commit says so, before or after it is seen here.
            loop {
                if let Some(error) = self.take_error() {
                    return Conclusion::Failed(error);
                }
                thread::yield_now();
            }
        }
        if committed == self.scheduler.len() {
            return Conclusion::Complete;
        }
        for held in &self.traces[committed as usize..] {
            if let Some(trace) = &held.lock().current {
                self.wasted.fetch_add(M::work(trace), Ordering::Relaxed);
            }
        }
        Conclusion::HandedOver { committed }
    }

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
        if let Some(recorder) = &self.recorder {
            recorder.note(self.scheduler.owner(tx), Event::Doomed(tx.0));
        }
        self.wasted.fetch_add(wasted, Ordering::Relaxed);
        let aborted = self.scheduler.phase(tx).abort();
        debug_assert!(aborted, "a doomed context was running");
        self.scheduler.offer(tx);
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
        self.wasted.fetch_add(M::work(&trace), Ordering::Relaxed);
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
        let previous = self.traces[at.get()].lock().previous.take();
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

impl<M: Machine> Halt for Run<M> {
    fn halt(&self, reason: StopReason) {
        self.end_early(Early::Stopped(reason));
    }
}
