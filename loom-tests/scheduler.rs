//! `scheduler`: nothing is left lying when workers sleep, no offer, commit, resume message or end of
//! the block. Its parts have models of their own; this is how they are joined.

use chorus::{
    scheduler::{Finish, Scheduler, Step, Suspend},
    state::TxIndex,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        hint, thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "what_workers_offer_is_taken_before_all_sleep",
        threads: 2,
        bound: 4,
        weakenings: &["ready.hint-lowered", "ready.hint-locked"],
        run: what_workers_offer_is_taken_before_all_sleep,
    },
    Model {
        name: "what_is_executed_is_committed_before_all_sleep",
        threads: 2,
        bound: 3,
        weakenings: &["scheduler.sleep-commits"],
        run: what_is_executed_is_committed_before_all_sleep,
    },
    Model {
        name: "commits_that_stalled_go_on_when_the_limit_is_raised",
        threads: 3,
        bound: 2,
        weakenings: &["scheduler.allow-wakes"],
        run: commits_that_stalled_go_on_when_the_limit_is_raised,
    },
    Model {
        name: "a_sleeping_worker_resumes_its_context_when_it_is_woken",
        threads: 2,
        bound: 4,
        weakenings: &["scheduler.deliver-wakes", "waiters.recheck", "phase.suspend-flags"],
        run: a_sleeping_worker_resumes_its_context_when_it_is_woken,
    },
    Model {
        name: "an_ended_block_lets_a_worker_with_a_suspended_context_go",
        threads: 3,
        bound: 3,
        weakenings: &["scheduler.stop-wakes"],
        run: an_ended_block_lets_a_worker_with_a_suspended_context_go,
    },
];

const LOW: TxIndex = TxIndex(0);
const HIGH: TxIndex = TxIndex(1);

/// A block whose transactions are all handed out.
fn started(transactions: u32, workers: usize) -> Arc<Scheduler> {
    let scheduler = Scheduler::new(transactions, workers, transactions);
    let fresh = scheduler.ready().pop_fresh(transactions, u32::MAX, |_| transactions);
    assert_eq!(fresh, 0..transactions);
    Arc::new(scheduler)
}

/// Starts `tx` on a worker.
fn start(scheduler: &Scheduler, tx: TxIndex, worker: usize) {
    assert_eq!(scheduler.phase(tx).start(), Some(0));
    scheduler.own(tx, worker);
}

/// Resumes what the worker's mail says, or sleeps. Returns whether `tx` was resumed.
fn resumed(scheduler: &Scheduler, tx: TxIndex, worker: usize) -> bool {
    let mut mail = Vec::new();
    if scheduler.mailbox(worker).drain(&mut mail) == 0 {
        scheduler.sleep(worker);
        return false;
    }
    assert_eq!(mail, [tx], "one message for each wait");
    assert!(scheduler.phase(tx).resume());
    true
}

/// Each worker offers a transaction and then serves until both are taken. Nobody wakes anybody for
/// an offer: its maker is awake and looks for it.
fn what_workers_offer_is_taken_before_all_sleep() {
    fn serve(scheduler: &Scheduler, worker: usize, taken: &AtomicU32) {
        scheduler.offer(TxIndex(worker as u32));
        while !scheduler.is_stopped() {
            match scheduler.ready().pop_returned(u32::MAX) {
                Some(_) => {
                    scheduler.share();
                    if taken.fetch_add(1, Relaxed) == 1 {
                        scheduler.stop();
                    }
                }
                None => scheduler.sleep(worker),
            }
        }
    }
    let (scheduler, taken) = (started(2, 2), Arc::new(AtomicU32::new(0)));
    let other = thread::spawn({
        let (scheduler, taken) = (scheduler.clone(), taken.clone());
        move || serve(&scheduler, 1, &taken)
    });
    serve(&scheduler, 0, &taken);
    other.join().unwrap();
    assert_eq!(taken.load(Relaxed), 2);
}

/// Each worker finishes a transaction, commits it if it is its turn, and then commits anybody's
/// until the block has ended. Nobody wakes anybody for a commit either.
fn what_is_executed_is_committed_before_all_sleep() {
    let scheduler = started(2, 2);
    start(&scheduler, LOW, 0);
    start(&scheduler, HIGH, 1);
    let other = thread::spawn({
        let scheduler = scheduler.clone();
        move || finish_and_commit(&scheduler, 1)
    });
    finish_and_commit(&scheduler, 0);
    other.join().unwrap();
    assert!(scheduler.phase(LOW).is_committed() && scheduler.phase(HIGH).is_committed());
}

/// Finishes the worker's transaction, and commits what can be until the block has ended.
fn finish_and_commit(scheduler: &Scheduler, worker: u32) {
    let own = TxIndex(worker);
    assert_eq!(scheduler.phase(own).finish(), Finish::Executed);
    if scheduler.cursor().frontier() == own {
        scheduler.cursor().advance(|at| commit(scheduler, at));
    }
    commit_to_the_end(scheduler, worker);
}

fn commit(scheduler: &Scheduler, at: TxIndex) -> Step {
    let ready = at.0 < scheduler.len() && scheduler.may_commit(at);
    if !ready || !scheduler.phase(at).commit() {
        return Step::NotYet;
    }
    if at == HIGH {
        scheduler.stop();
    }
    Step::Committed
}

fn commit_to_the_end(scheduler: &Scheduler, worker: u32) {
    while !scheduler.is_stopped() {
        if !scheduler.can_commit() {
            scheduler.sleep(worker as usize);
        } else if !scheduler.cursor().advance(|at| commit(scheduler, at)) {
            hint::spin_loop();
        }
    }
}

/// Both transactions are executed and the first may commit; somebody who is no worker allows the
/// second. Whoever is woken need not be who saw the commits stall.
fn commits_that_stalled_go_on_when_the_limit_is_raised() {
    let scheduler = started(2, 2);
    scheduler.limit_commits(1);
    for (tx, worker) in [(LOW, 0), (HIGH, 1)] {
        start(&scheduler, tx, worker);
        assert_eq!(scheduler.phase(tx).finish(), Finish::Executed);
    }
    let workers = [0, 1].map(|worker| {
        let scheduler = scheduler.clone();
        thread::spawn(move || commit_to_the_end(&scheduler, worker))
    });
    scheduler.allow_commits(2);
    for worker in workers {
        worker.join().unwrap();
    }
    assert!(scheduler.phase(LOW).is_committed() && scheduler.phase(HIGH).is_committed());
}

/// Worker 1 runs the higher transaction, which waits for the lower one on worker 0. A third one,
/// below both, keeps the commit cursor out of it.
fn a_sleeping_worker_resumes_its_context_when_it_is_woken() {
    const WRITER: TxIndex = TxIndex(1);
    const READER: TxIndex = TxIndex(2);
    let scheduler = started(3, 2);
    // Relaxed: the scheduler alone orders the value.
    let value = Arc::new(AtomicU32::new(0));
    start(&scheduler, WRITER, 0);
    let reader = thread::spawn({
        let (scheduler, value) = (scheduler.clone(), value.clone());
        move || {
            let phase = scheduler.phase(READER);
            start(&scheduler, READER, 1);
            if scheduler.wait_for(WRITER, READER) && phase.suspend() == Suspend::Parked {
                while !resumed(&scheduler, READER, 1) {}
            }
            assert_eq!(value.load(Relaxed), 1);
            assert_eq!(phase.finish(), Finish::Executed);
        }
    });
    value.store(1, Relaxed);
    assert_eq!(scheduler.phase(WRITER).finish(), Finish::Executed);
    scheduler.release_waiters(WRITER);
    reader.join().unwrap();
}

/// The context is also woken, so that it is resumed before the end, after it, or never.
fn an_ended_block_lets_a_worker_with_a_suspended_context_go() {
    let scheduler = started(2, 1);
    start(&scheduler, HIGH, 0);
    let worker = thread::spawn({
        let scheduler = scheduler.clone();
        move || {
            let mut suspended = false;
            while !scheduler.is_stopped() {
                suspended = match suspended {
                    true => !resumed(&scheduler, HIGH, 0),
                    false => scheduler.phase(HIGH).suspend() == Suspend::Parked,
                };
            }
        }
    });
    let waker = thread::spawn({
        let scheduler = scheduler.clone();
        move || scheduler.wake(HIGH)
    });
    scheduler.stop();
    worker.join().unwrap();
    waker.join().unwrap();
}
