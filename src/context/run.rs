//! One block on its way: the scheduler, the machine, and the traces between them.

use crossbeam_utils::CachePadded;

use crate::{
    observe::timeline::{Event, Recorder},
    scheduler::{Closed, EarlyStarts, Scheduler},
    state::TxIndex,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        thread, weakened,
    },
};

use super::{Control, Halt, Machine, StopReason};

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
    pub(super) wasted: AtomicU64,
    pub(super) traces: Box<[Mutex<Held<M::Trace>>]>,
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
    /// The machine has let go of its workers ([`Review::HandOver`](super::Review::HandOver)): the rest is for whoever began the
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
pub(super) struct Held<T> {
    /// Of the executed incarnation. `Some` exactly in phase Executed.
    pub(super) current: Option<T>,
    /// Of the incarnation aborted last, whose writes stand as estimates.
    pub(super) previous: Option<T>,
}

impl<M: Machine> Run<M> {
    /// A block about to be executed by `workers` workers.
    pub fn new(machine: M, workers: usize, window: u32) -> Self {
        let transactions = machine.transactions();
        let first = machine.first().0;
        let turns =
            (0..transactions).map(|tx| tx >= first && machine.runs_at_its_turn(TxIndex(tx)));
        let turns: Vec<bool> = turns.collect();
        let scheduler = Scheduler::with_turns(first, &turns, workers, window);
        // One worker starts them in order.
        let weights = if workers > 1 { machine.weights() } else { Vec::new() };
        let early = EarlyStarts::plan(&weights, first, workers);
        let scheduler = scheduler.with_early_starts(early);
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
    pub(super) fn note_conflict(&self, me: usize, tx: TxIndex, trace: &M::Trace) {
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
    pub(super) fn clock(&self) -> u64 {
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
        let mut totals = Totals { wasted: self.wasted(), ..Totals::default() };
        for counters in &self.counters {
            totals.incarnations += counters.incarnations.load(Ordering::Relaxed);
            totals.suspensions += counters.suspensions.load(Ordering::Relaxed);
            let most = counters.most_suspended.load(Ordering::Relaxed);
            totals.most_suspended = totals.most_suspended.max(most);
        }
        totals
    }

    /// Work of incarnations that were thrown away so far, as [`Machine::work`] measures it.
    pub fn wasted(&self) -> u64 {
        self.wasted.load(Ordering::Relaxed)
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
    pub(super) fn hand_over(&self) {
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

    /// Parts it into the machine and the rest, to be freed apart.
    pub fn into_parts(self) -> (M, impl Send + use<M>) {
        (self.machine, (self.scheduler, self.traces, self.counters, self.recorder))
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
}

impl<M: Machine> Halt for Run<M> {
    fn halt(&self, reason: StopReason) {
        self.end_early(Early::Stopped(reason));
    }
}
