//! `context::run` and `context::worker`: two workers execute a small block, all of the protocol
//! together, and the result is the sequential one.

use std::task::Poll;

use chorus::{
    context::{Attempt, Conclusion, Control, Machine, Review, Run, StopReason, work},
    engine::Outlet,
    state::{Entry, Read, TxIndex},
    sync::{Arc, Mutex, thread, time::Duration},
};

use crate::{
    models::Model,
    state_entry::{Number, Set},
};

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_read_of_the_other_transactions_write_is_sequential",
        threads: 2,
        bound: 2,
        weakenings: &["run.validate", "scheduler.stop-wakes"],
        run: a_read_of_the_other_transactions_write_is_sequential,
    },
    Model {
        name: "a_predicted_write_suspends_its_reader",
        threads: 2,
        bound: 2,
        weakenings: &["waiters.recheck", "phase.suspend-flags"],
        run: a_predicted_write_suspends_its_reader,
    },
    Model {
        name: "a_transaction_that_lets_another_go_first_is_offered_again",
        threads: 2,
        bound: 2,
        weakenings: &["waiters.recheck", "scheduler.release-idle"],
        run: a_transaction_that_lets_another_go_first_is_offered_again,
    },
    Model {
        name: "a_stale_transaction_is_aborted_and_what_it_wrote_is_withdrawn",
        threads: 2,
        bound: 3,
        weakenings: &["run.validate"],
        run: a_stale_transaction_is_aborted_and_what_it_wrote_is_withdrawn,
    },
    Model {
        name: "a_dead_worker_ends_the_block_while_a_context_waits_for_it",
        threads: 2,
        bound: 4,
        weakenings: &["scheduler.stop-wakes"],
        run: a_dead_worker_ends_the_block_while_a_context_waits_for_it,
    },
    Model {
        name: "a_cancelled_block_leaves_an_exact_prefix_while_another_worker_commits",
        threads: 2,
        bound: 3,
        weakenings: &["cursor.close"],
        run: a_cancelled_block_leaves_an_exact_prefix_while_another_worker_commits,
    },
    Model {
        name: "a_block_that_lets_go_of_its_workers_leaves_an_exact_prefix",
        threads: 2,
        bound: 3,
        weakenings: &["scheduler.stop-wakes", "cursor.close"],
        run: a_block_that_lets_go_of_its_workers_leaves_an_exact_prefix,
    },
    Model {
        name: "a_block_that_is_restrained_goes_on_one_by_one",
        threads: 2,
        bound: 2,
        weakenings: &["scheduler.stop-wakes"],
        run: a_block_that_is_restrained_goes_on_one_by_one,
    },
    Model {
        name: "a_deadline_ends_a_block_or_its_last_commit_does_and_never_both",
        threads: 2,
        bound: 3,
        weakenings: &["run.finish-wins", "control.attach-looks"],
        run: a_deadline_ends_a_block_or_its_last_commit_does_and_never_both,
    },
    Model {
        name: "a_transaction_that_is_left_to_its_turn_sees_what_was_committed",
        threads: 2,
        bound: 2,
        weakenings: &["scheduler.stop-wakes", "turn.taken-is-not-anyones"],
        run: a_transaction_that_is_left_to_its_turn_sees_what_was_committed,
    },
    Model {
        name: "a_transaction_that_cannot_run_at_its_turn_is_run_like_any_other",
        threads: 2,
        bound: 1,
        weakenings: &["run.turn-offers"],
        run: a_transaction_that_cannot_run_at_its_turn_is_run_like_any_other,
    },
    Model {
        name: "a_transaction_that_a_worker_takes_over_is_not_run_at_its_turn",
        threads: 2,
        bound: 2,
        weakenings: &["turn.leave-rmw"],
        run: a_transaction_that_a_worker_takes_over_is_not_run_at_its_turn,
    },
    Model {
        name: "a_transaction_that_is_taken_over_beyond_the_window_waits_for_it",
        threads: 2,
        bound: 1,
        weakenings: &["worker.release-offers"],
        run: a_transaction_that_is_taken_over_beyond_the_window_waits_for_it,
    },
];

/// Lets go of its workers as soon as a transaction is committed.
static REVIEWS: fn(u32) -> Review = |committed| match committed {
    1 => Review::HandOver,
    _ => Review::GoOn,
};

/// Reads one location and writes another, which may depend on what it read.
pub(crate) struct Transaction {
    reads: usize,
    /// Location and value.
    writes: fn(u32) -> (usize, u32),
}

/// What becomes of the last transaction of a block.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Last {
    /// Any worker runs it.
    Anyones,
    /// It is run at its turn.
    AtItsTurn,
    /// It is to be run at its turn, and cannot.
    Declines,
    /// The worker that gets to it finds that it is like any other.
    TakenOver,
}

/// What an incarnation saw, and what it wrote where.
pub(crate) struct Trace {
    seen: u32,
    location: usize,
    value: u32,
}

/// The only error there is.
#[derive(Debug, PartialEq)]
pub(crate) struct Died {
    worker: usize,
}

pub(crate) struct Block {
    transactions: &'static [Transaction],
    /// Whether each lets the one below it publish before it starts.
    one_by_one: bool,
    last: Last,
    /// What becomes of speculation.
    review: fn(u32) -> Review,
    locations: Vec<Entry<Number>>,
    pub(crate) committed: Mutex<Vec<u32>>,
    /// Where the values that are committed go.
    pub(crate) outlet: Option<Arc<Outlet<u32>>>,
}

impl Block {
    /// Location `i` holds `10 * i`.
    pub(crate) fn new(transactions: &'static [Transaction], locations: u32) -> Self {
        let filled = |location| {
            let entry = Entry::default();
            entry.fill(10 * location);
            entry
        };
        let locations = (0..locations).map(filled).collect();
        let committed = Mutex::new(Vec::new());
        let review = |_| Review::GoOn;
        let last = Last::Anyones;
        Self { transactions, one_by_one: false, last, review, locations, committed, outlet: None }
    }

    fn withdraw_others(
        &self,
        tx: TxIndex,
        trace: &Trace,
        old: Option<Trace>,
        told: &mut Vec<TxIndex>,
    ) {
        if let Some(old) = old
            && old.location != trace.location
        {
            self.locations[old.location].withdraw(tx, told);
        }
    }
}

impl Machine for Block {
    type Trace = Trace;
    type Task = TxIndex;
    type Worker = ();
    type Error = Died;

    fn transactions(&self) -> u32 {
        self.transactions.len() as u32
    }

    fn review(&self, _: &Run<Self>, committed: u32) -> Review {
        (self.review)(committed)
    }

    fn runs_at_its_turn(&self, tx: TxIndex) -> bool {
        self.last != Last::Anyones && tx.0 + 1 == self.transactions()
    }

    fn still_runs_at_its_turn(&self, _: TxIndex) -> bool {
        self.last != Last::TakenOver
    }

    fn run_at_its_turn(&self, tx: TxIndex, told: &mut Vec<TxIndex>) -> Option<Result<(), Died>> {
        if self.last == Last::Declines {
            return None;
        }
        let Transaction { reads, writes } = self.transactions[tx.get()];
        let (location, value) = writes(self.locations[reads].committed().expect("filled"));
        self.committed.lock().push(tx.0);
        self.locations[location].commit_change(tx, &Set(value), told);
        Some(Ok(()))
    }

    fn let_first(&self, tx: TxIndex) -> Option<TxIndex> {
        tx.0.checked_sub(1).filter(|_| self.one_by_one).map(TxIndex)
    }

    fn start(_: &Arc<Run<Self>>, (): &mut (), tx: TxIndex) -> TxIndex {
        tx
    }

    fn poll(run: &Arc<Run<Self>>, (): &mut (), tx: &mut TxIndex) -> Poll<Attempt<Trace>> {
        let Transaction { reads, writes } = run.machine.transactions[tx.get()];
        let phase = run.scheduler.phase(*tx);
        // News change nothing for one that has seen nothing yet.
        let _ = phase.is_stale() && phase.take_stale();
        loop {
            if run.scheduler.is_stopped() {
                return Poll::Ready(Attempt::Doomed { wasted: 0 });
            }
            match run.machine.locations[reads].read(*tx) {
                Read::Value(seen) => {
                    let (location, value) = writes(seen);
                    return Poll::Ready(Attempt::Finished(Trace { seen, location, value }));
                }
                Read::Blocked(writer) if run.scheduler.wait_for(writer, *tx) => {
                    return Poll::Pending;
                }
                Read::Blocked(_) => thread::yield_now(),
                Read::Unknown => panic!("all locations are filled"),
            }
        }
    }

    fn retire((): &mut (), _: TxIndex, _: bool) {}

    fn worker_died(worker: usize) -> Died {
        Died { worker }
    }

    fn end_block((): &mut ()) {}

    fn validate(&self, tx: TxIndex, trace: &Trace) -> bool {
        self.locations[self.transactions[tx.get()].reads].holds(&trace.seen)
    }

    fn may_hold(&self, tx: TxIndex, trace: &Trace) -> bool {
        self.locations[self.transactions[tx.get()].reads].may_hold(tx, &trace.seen)
    }

    fn publish(&self, tx: TxIndex, trace: &mut Trace, old: Option<Trace>, told: &mut Vec<TxIndex>) {
        self.locations[trace.location].publish(tx, Set(trace.value), told);
        self.withdraw_others(tx, trace, old, told);
    }

    fn retract(&self, tx: TxIndex, trace: &Trace) {
        self.locations[trace.location].retract(tx);
    }

    fn commit(
        &self,
        tx: TxIndex,
        trace: Trace,
        published: bool,
        old: Option<Trace>,
        told: &mut Vec<TxIndex>,
    ) -> Result<(), Died> {
        self.committed.lock().push(tx.0);
        if let Some(outlet) = &self.outlet {
            outlet.push(trace.value);
        }
        if published {
            self.locations[trace.location].commit(tx, told);
        } else {
            self.withdraw_others(tx, &trace, old, told);
            self.locations[trace.location].commit_change(tx, &Set(trace.value), told);
        }
        Ok(())
    }

    fn work(_: &Trace) -> u64 {
        1
    }
}

/// Executes the block on two workers and returns what the locations hold.
fn execute(block: Block) -> Vec<u32> {
    let run = Arc::new(Run::new(block, 2, 2));
    let other = thread::spawn({
        let run = run.clone();
        move || work(&run, 1, &mut ())
    });
    work(&run, 0, &mut ());
    other.join().unwrap();
    product(&run)
}

/// What the locations hold after the block.
pub(crate) fn product(run: &Run<Block>) -> Vec<u32> {
    assert_eq!(run.take_error(), None);
    let committed = run.machine.committed.lock();
    assert!(committed.iter().copied().eq(0..run.scheduler.len()), "in order, once: {committed:?}");
    let committed = |entry: &Entry<Number>| entry.committed().expect("filled");
    run.machine.locations.iter().map(committed).collect()
}

const LOW: TxIndex = TxIndex(0);

/// Location 1 gets what location 0 holds, which the lower transaction increments.
pub(crate) static INCREMENT_AND_COPY: &[Transaction] = &[
    Transaction { reads: 0, writes: |seen| (0, seen + 1) },
    Transaction { reads: 0, writes: |seen| (1, seen + 5) },
];

fn a_read_of_the_other_transactions_write_is_sequential() {
    assert_eq!(execute(Block::new(INCREMENT_AND_COPY, 2)), [1, 6]);
}

fn a_predicted_write_suspends_its_reader() {
    let block = Block::new(INCREMENT_AND_COPY, 2);
    block.locations[0].hint(LOW, Set(0));
    assert_eq!(execute(block), [1, 6]);
}

fn execute_with_last(last: Last) -> Vec<u32> {
    let mut block = Block::new(INCREMENT_AND_COPY, 2);
    block.last = last;
    execute(block)
}

fn a_transaction_that_is_left_to_its_turn_sees_what_was_committed() {
    assert_eq!(execute_with_last(Last::AtItsTurn), [1, 6]);
}

fn a_transaction_that_cannot_run_at_its_turn_is_run_like_any_other() {
    assert_eq!(execute_with_last(Last::Declines), [1, 6]);
}

fn a_transaction_that_a_worker_takes_over_is_not_run_at_its_turn() {
    assert_eq!(execute_with_last(Last::TakenOver), [1, 6]);
}

fn a_transaction_that_lets_another_go_first_is_offered_again() {
    let mut block = Block::new(INCREMENT_AND_COPY, 2);
    block.one_by_one = true;
    assert_eq!(execute(block), [1, 6]);
}

/// The last one writes location 1 if location 0 is even, else location 2.
static INCREMENT_AND_CHOOSE: &[Transaction] = &[
    Transaction { reads: 1, writes: |_| (3, 7) },
    Transaction { reads: 0, writes: |seen| (0, seen + 1) },
    Transaction { reads: 0, writes: |seen| (1 + seen as usize % 2, seen + 5) },
];

/// The window is of two, and the last is the third. It is looked at all the same.
fn a_transaction_that_is_taken_over_beyond_the_window_waits_for_it() {
    let mut block = Block::new(INCREMENT_AND_CHOOSE, 4);
    block.last = Last::TakenOver;
    assert_eq!(execute(block), [1, 10, 6, 7]);
}

/// The last one has run, too early. The first runs on worker 0 and the second on worker 1, which
/// publishes, because it is not its turn, or commits, because it is.
fn a_stale_transaction_is_aborted_and_what_it_wrote_is_withdrawn() {
    fn finish(run: &Arc<Run<Block>>, tx: TxIndex, worker: usize) {
        let Poll::Ready(Attempt::Finished(trace)) = Block::poll(run, &mut (), &mut { tx }) else {
            panic!("nothing to wait for")
        };
        run.finish(worker, tx, trace, false, &mut Vec::new());
    }
    let [first, second, third] = [0, 1, 2].map(TxIndex);
    let run = Arc::new(Run::new(Block::new(INCREMENT_AND_CHOOSE, 4), 2, 3));
    assert_eq!(run.scheduler.ready().pop_fresh(3, u32::MAX, |_| 3), 0..3);
    for (tx, worker) in [(first, 0), (second, 1), (third, 1)] {
        assert_eq!(run.scheduler.phase(tx).start(), Some(0));
        run.scheduler.own(tx, worker);
    }
    finish(&run, third, 1);
    let other = thread::spawn({
        let run = run.clone();
        move || {
            finish(&run, second, 1);
            // What a worker does with an offer, except that it starts nothing.
            if let Some(tx) = run.scheduler.ready().pop_returned(u32::MAX) {
                if run.scheduler.phase(tx).take_revalidation() {
                    run.revalidate(1, tx);
                }
                run.scheduler.offer(tx);
            }
        }
    });
    finish(&run, first, 0);
    run.advance(0);
    other.join().unwrap();
    // The rest is not concurrent, or the model would be ten times as large.
    work(&run, 0, &mut ());
    assert_eq!(product(&run), [1, 10, 6, 7]);
    assert_eq!(run.scheduler.phase(third).incarnation(), 1, "aborted once, and right then");
}

/// Worker 0 starts the lower transaction and dies in it, as the pool notices; the other worker's
/// context waits for what the dead one would have written.
fn a_dead_worker_ends_the_block_while_a_context_waits_for_it() {
    let block = Block::new(INCREMENT_AND_COPY, 2);
    block.locations[0].hint(LOW, Set(0));
    let run = Arc::new(Run::new(block, 2, 2));
    assert_eq!(run.scheduler.ready().pop_fresh(2, u32::MAX, |_| 1), 0..1);
    assert_eq!(run.scheduler.phase(LOW).start(), Some(0));
    run.scheduler.own(LOW, 0);
    let other = thread::spawn({
        let run = run.clone();
        move || work(&run, 1, &mut ())
    });
    run.fail(Block::worker_died(0));
    other.join().unwrap();
    assert_eq!(run.take_error(), Some(Died { worker: 0 }));
    assert!(run.machine.committed.lock().is_empty());
}

/// A block that something outside may stop.
fn stoppable() -> (Arc<Control>, Arc<Run<Block>>) {
    let control = Arc::new(Control::new());
    let run = Run::new(Block::new(INCREMENT_AND_COPY, 2), 2, 2);
    (control.clone(), Arc::new(run.with_control(Some(control))))
}

/// What is committed when the block is concluded is what its first transactions come to, and stays
/// so.
fn assert_exact(run: &Run<Block>, conclusion: Conclusion<Died>) {
    let seen = || {
        let values = run.machine.locations.iter().map(|entry| entry.committed().expect("filled"));
        (run.machine.committed.lock().clone(), values.collect::<Vec<_>>())
    };
    let (committed, values) = seen();
    match conclusion {
        Conclusion::Complete => assert_eq!((committed, values), (vec![0, 1], vec![1, 6])),
        Conclusion::Stopped { committed: Some(0), .. } => {
            assert_eq!((committed, values), (vec![], vec![0, 10]));
        }
        Conclusion::Stopped { committed: Some(1), .. }
        | Conclusion::HandedOver { committed: 1 } => {
            assert_eq!((committed, values), (vec![0], vec![1, 10]));
        }
        other => panic!("{other:?}"),
    }
}

/// Worker 0 cancels, leaves and concludes, as the thread does whose block it is; worker 1 is wherever
/// it is.
fn a_cancelled_block_leaves_an_exact_prefix_while_another_worker_commits() {
    let (control, run) = stoppable();
    control.attach(Arc::downgrade(&run) as _);
    let other = thread::spawn({
        let run = run.clone();
        move || work(&run, 1, &mut ())
    });
    control.stop(StopReason::Cancelled);
    work(&run, 0, &mut ());
    let conclusion = run.conclude();
    let committed = run.machine.committed.lock().clone();
    assert_exact(&run, conclusion);
    other.join().unwrap();
    assert_eq!(*run.machine.committed.lock(), committed, "nothing commits after the end");
}

/// The first commit lets go. Worker 0 leaves when it has noticed, and concludes; worker 1 is wherever it
/// is, and may be the one that commits.
fn a_block_that_lets_go_of_its_workers_leaves_an_exact_prefix() {
    let mut block = Block::new(INCREMENT_AND_COPY, 2);
    block.review = REVIEWS;
    let run = Arc::new(Run::new(block, 2, 2));
    let other = thread::spawn({
        let run = run.clone();
        move || work(&run, 1, &mut ())
    });
    work(&run, 0, &mut ());
    let conclusion = run.conclude();
    assert!(matches!(conclusion, Conclusion::HandedOver { committed: 1 }), "{conclusion:?}");
    let committed = run.machine.committed.lock().clone();
    assert_exact(&run, conclusion);
    other.join().unwrap();
    assert_eq!(*run.machine.committed.lock(), committed, "nothing commits after the end");
}

/// The second one may have been started by then, or not.
fn a_block_that_is_restrained_goes_on_one_by_one() {
    let mut block = Block::new(INCREMENT_AND_COPY, 2);
    block.review = |_| Review::Window(1);
    assert_eq!(execute(block), [1, 6]);
}

/// The deadline may come before the block is where it can be stopped, while it runs, and after it.
fn a_deadline_ends_a_block_or_its_last_commit_does_and_never_both() {
    let (control, run) = stoppable();
    let timer = thread::spawn({
        let control = control.clone();
        move || control.stop(StopReason::DeadlineExceeded { allowed: Duration::ZERO })
    });
    control.attach(Arc::downgrade(&run) as _);
    work(&run, 0, &mut ());
    let conclusion = run.conclude();
    assert_exact(&run, conclusion);
    timer.join().unwrap();
    // Somebody was told, or nobody needed to be.
    assert!(run.scheduler.is_stopped() && run.stop_reason().is_some());
}
