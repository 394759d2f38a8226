//! What executes transactions.

use std::task::Poll;

use super::Run;
use crate::{
    observe::timeline::Place,
    state::TxIndex,
    sync::{Arc, time::Duration},
};

/// How an incarnation ended.
#[derive(Debug)]
pub enum Attempt<T> {
    /// It ran to an end, good or bad.
    Finished(T),
    /// It noticed that something it read has changed, and stopped.
    Doomed {
        /// Gas (or another measure of work) spent in vain.
        wasted: u64,
    },
}

/// What a machine makes of how its block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// Go on.
    GoOn,
    /// From now on at most so many transactions may be started and uncommitted: 1 ends speculation for
    /// good, and more than the block began with are as many as it began with.
    Window(u32),
    /// The workers do not pay: they leave, and whoever began the block goes on alone
    /// ([`Conclusion::HandedOver`](super::Conclusion::HandedOver)).
    HandOver,
}

/// A virtual machine with the block it executes: transactions, and the multi-version state they
/// run on. One value serves one block.
///
/// The scheduler calls `validate`, `publish`, `retract` and `commit` of one transaction one at a time;
/// different transactions run concurrently, but `commit` is called in block order by one worker at a
/// time.
pub trait Machine: Send + Sync + Sized + 'static {
    /// What a finished incarnation leaves: reads, writes, result.
    type Trace: Send;
    /// A started incarnation. It stays on the worker that started it.
    type Task;
    /// What a worker keeps between transactions and blocks, such as pooled coroutines.
    type Worker: Default;
    /// Why a block ends early.
    type Error: Send;

    /// Number of transactions in the block.
    fn transactions(&self) -> u32;

    /// The first one that is left to execute: those below it have been committed otherwise.
    fn first(&self) -> TxIndex {
        TxIndex(0)
    }

    /// Asked after each commit, with how many transactions are committed: what is to become of
    /// speculation.
    #[inline]
    fn review(&self, run: &Run<Self>, committed: u32) -> Review {
        let _ = (run, committed);
        Review::GoOn
    }

    /// Asked by whoever has just thrown work away, possibly amid a commit by another: what is to become of
    /// speculation.
    fn review_waste(&self, run: &Run<Self>) -> Review {
        let _ = run;
        Review::GoOn
    }

    /// How many transactions from `first` on one worker should take together: more than one where
    /// they are so cheap that passing them around costs as much as running them.
    fn batch(&self, first: TxIndex) -> u32 {
        let _ = first;
        1
    }

    /// A lower transaction that `tx` should let publish before it starts, because running beside it
    /// would probably be in vain. Costs time if wrong, never correctness.
    ///
    /// For machines that know more of their transactions than an address. The EVM machine does not
    /// use it: lining up the transactions to one contract after it had aborts cost the mixed
    /// workload half its gain (ratio 0.8 to 1.2, against 1.5 when readers wait at the contended
    /// location, [`crate::state::Entry::rival`]), since all swaps go through one router, and
    /// gained real blocks nothing (1.30 either way).
    fn let_first(&self, tx: TxIndex) -> Option<TxIndex> {
        let _ = tx;
        None
    }

    /// How much work each transaction is, as far as that can be told beforehand, in whatever unit: one that
    /// would be run alone at the end starts early ([`crate::scheduler::EarlyStarts`]). None if nothing can
    /// be told.
    fn weights(&self) -> Vec<u64> {
        Vec::new()
    }

    /// Whether `tx` is so cheap to run that it is left to the commit step ([`crate::scheduler::Turn`]).
    fn runs_at_its_turn(&self, tx: TxIndex) -> bool {
        let _ = tx;
        false
    }

    /// Looks, ahead of its turn, whether that is still so. A worker calls this when it gets to `tx`; it may
    /// do something for the commit step meanwhile.
    fn still_runs_at_its_turn(&self, tx: TxIndex) -> bool {
        let _ = tx;
        true
    }

    /// Runs `tx` at the commit cursor, and commits it. `None`: it has to be run like any other, and has
    /// changed nothing.
    fn run_at_its_turn(
        &self,
        tx: TxIndex,
        told: &mut Vec<TxIndex>,
    ) -> Option<Result<(), Self::Error>> {
        let _ = (tx, told);
        None
    }

    /// Makes the next incarnation of `tx`, ready to be polled.
    fn start(run: &Arc<Run<Self>>, worker: &mut Self::Worker, tx: TxIndex) -> Self::Task;

    /// Runs the task until it ends or has to wait. If it waits it has registered with what it
    /// waits for ([`crate::scheduler::Scheduler::wait_for`]). It must not panic: a machine's panic is
    /// an outcome of the incarnation.
    fn poll(
        run: &Arc<Run<Self>>,
        worker: &mut Self::Worker,
        task: &mut Self::Task,
    ) -> Poll<Attempt<Self::Trace>>;

    /// Whether a task that did not end does not wait either, but takes a break in the middle of its
    /// run: its worker polls it again before it does anything else. For machines whose time is not
    /// that of a clock (`sim`).
    #[inline]
    fn pauses(task: &Self::Task) -> bool {
        let _ = task;
        false
    }

    /// Drops a task that ended (`ended`) or that waits and is not needed any more.
    fn retire(worker: &mut Self::Worker, task: Self::Task, ended: bool);

    /// Calls `f` with the state of the calling thread as a worker. The default makes a new one each
    /// time; override it if that is expensive.
    fn with_calling_worker<R>(f: impl FnOnce(&mut Self::Worker) -> R) -> R {
        f(&mut Self::Worker::default())
    }

    /// Does what contexts have asked of actors that have no thread. Called ahead of contexts, and when
    /// one has suspended. Worker `me` is `idle`, or has work and may leave that to another. `true`: it has
    /// done its share, there may be more, and others count on the caller to come back before it sleeps.
    #[inline]
    fn serve(run: &Arc<Run<Self>>, worker: &mut Self::Worker, me: usize, idle: bool) -> bool {
        let _ = (run, worker, me, idle);
        false
    }

    /// Called by worker `me` before it sleeps: a machine may use the time to find out what suspended
    /// contexts will need next. `true`: time has passed, look again.
    #[inline]
    fn idle(run: &Arc<Run<Self>>, worker: &mut Self::Worker, me: usize) -> bool {
        let _ = (run, worker, me);
        false
    }

    /// Called by worker 1 when it has left the block: a machine may have it help the caller with what is
    /// left to do once all transactions are committed. Nobody waits for its return. Returns how long it looks for
    /// what else there is to do, before it sleeps.
    fn assist(run: &Arc<Run<Self>>) -> Duration {
        let _ = run;
        Duration::ZERO
    }

    /// The block has been stopped before its end: wakes whoever waits for the machine outside of
    /// a context. Contexts find out by themselves.
    fn stopped(&self) {}

    /// The error of a block whose worker died in it.
    fn worker_died(worker: usize) -> Self::Error;

    /// The block has ended: lets go of everything that belongs to it.
    fn end_block(worker: &mut Self::Worker);

    /// Whether all that the incarnation observed would be observed again. Asked at the commit cursor:
    /// every lower transaction has committed, and the answer decides.
    fn validate(&self, tx: TxIndex, trace: &Self::Trace) -> bool;

    /// Whether the incarnation may yet turn out valid, going by what lower transactions have
    /// published so far. `true` is always correct; `false` aborts it early.
    fn may_hold(&self, tx: TxIndex, trace: &Self::Trace) -> bool;

    /// The first location where what the incarnation observed does not hold, going by what lower
    /// transactions have published. Asked only of a block that is being recorded, after one of the
    /// two above has said `false`.
    fn conflict(&self, tx: TxIndex, trace: &Self::Trace) -> Place {
        let _ = (tx, trace);
        Place::UNKNOWN
    }

    /// Makes the writes visible to higher transactions and removes what only the previous
    /// incarnation wrote. Readers to be told are appended to `told`.
    fn publish(
        &self,
        tx: TxIndex,
        trace: &mut Self::Trace,
        previous: Option<Self::Trace>,
        told: &mut Vec<TxIndex>,
    );

    /// Turns published writes into estimates.
    fn retract(&self, tx: TxIndex, trace: &Self::Trace);

    /// Makes the transaction part of the committed state. Its observations hold, every lower
    /// transaction is committed. `published` tells whether [`Machine::publish`] saw the trace;
    /// if not, `previous` is what the former incarnation left. An error ends the block.
    fn commit(
        &self,
        tx: TxIndex,
        trace: Self::Trace,
        published: bool,
        previous: Option<Self::Trace>,
        told: &mut Vec<TxIndex>,
    ) -> Result<(), Self::Error>;

    /// Work thrown away with an aborted trace, in gas or another measure.
    fn work(trace: &Self::Trace) -> u64;
}
