//! `store::io_pool`: jobs are handed to threads that may be about to sleep, and the end loses none.
//!
//! A job that nobody takes leaves whoever waits for it asleep, and a thread that is not told of the end
//! leaves whoever joins it asleep; loom reports both as a deadlock.

use chorus::{
    store::{Flight, IoPool, Job},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "every_job_is_run",
        threads: 3,
        bound: 3,
        weakenings: &["io_pool.sleep-locked"],
        run: every_job_is_run,
    },
    Model {
        name: "jobs_of_a_batch_run_side_by_side",
        threads: 3,
        bound: 2,
        weakenings: &["io_pool.wake-per-job"],
        run: jobs_of_a_batch_run_side_by_side,
    },
    Model {
        name: "a_job_submitted_beside_the_close_is_run_or_dropped",
        threads: 3,
        bound: 3,
        weakenings: &["io_pool.close-at-once"],
        run: a_job_submitted_beside_the_close_is_run_or_dropped,
    },
    Model {
        name: "a_dropped_pool_has_run_or_dropped_its_jobs_and_ended_its_threads",
        threads: 3,
        bound: 3,
        weakenings: &["io_pool.wake-all", "io_pool.sleep-locked"],
        run: a_dropped_pool_has_run_or_dropped_its_jobs_and_ended_its_threads,
    },
    Model {
        name: "a_job_may_drop_the_pool_that_runs_it",
        threads: 3,
        bound: 2,
        weakenings: &["io_pool.join-others"],
        run: a_job_may_drop_the_pool_that_runs_it,
    },
];

/// What a job owns. As a store's read does, it gives an answer even if nobody runs the job.
struct Owed(Arc<Flight<&'static str>>);

impl Owed {
    fn new() -> (Self, Arc<Flight<&'static str>>) {
        let flight = Arc::new(Flight::default());
        (Self(flight.clone()), flight)
    }

    fn run(self) {
        self.0.land("run");
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        // The first answer stands.
        self.0.land("dropped");
    }
}

fn every_job_is_run() {
    let pool = IoPool::new(1).unwrap();
    let (first, first_done) = Owed::new();
    let (second, second_done) = Owed::new();
    let submitter = thread::spawn({
        let pool = pool.clone();
        move || pool.submit(1, move || first.run())
    });
    pool.submit(2, move || second.run());
    assert_eq!(first_done.wait(|| false, || false), Some("run"));
    assert_eq!(second_done.wait(|| false, || false), Some("run"));
    submitter.join().unwrap();
}

/// Neither job ends unless the other one runs.
fn jobs_of_a_batch_run_side_by_side() {
    let pool = IoPool::new(2).unwrap();
    let [one, other] = [(); 2].map(|()| Arc::new(Flight::default()));
    let job = |own: &Arc<Flight<()>>, other: &Arc<Flight<()>>| {
        let (own, other) = (own.clone(), other.clone());
        let job: Job = Box::new(move || {
            own.land(());
            other.wait(|| false, || false);
        });
        (0, job)
    };
    pool.submit_batch([job(&one, &other), job(&other, &one)]);
    one.wait(|| false, || false);
    other.wait(|| false, || false);
}

fn a_job_submitted_beside_the_close_is_run_or_dropped() {
    let pool = IoPool::new(1).unwrap();
    let (owed, done) = Owed::new();
    let submitter = thread::spawn({
        let pool = pool.clone();
        move || pool.submit(0, move || owed.run())
    });
    pool.close();
    submitter.join().unwrap();
    // The pool is still there: what it did not run must be gone now, not when the pool is.
    done.wait(|| false, || false);
}

fn a_dropped_pool_has_run_or_dropped_its_jobs_and_ended_its_threads() {
    let pool = IoPool::new(2).unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let (owed, done) = Owed::new();
    pool.submit(0, {
        let runs = runs.clone();
        move || {
            runs.fetch_add(1, Relaxed);
            owed.run();
        }
    });
    drop(pool);
    let expected = if runs.load(Relaxed) == 1 { "run" } else { "dropped" };
    assert_eq!(done.peek(), Some(expected));
}

/// Which of the two drops the last reference differs from run to run.
fn a_job_may_drop_the_pool_that_runs_it() {
    let pool = IoPool::new(2).unwrap();
    let (owed, done) = Owed::new();
    pool.submit(0, {
        let pool = pool.clone();
        move || {
            drop(pool);
            owed.run();
        }
    });
    drop(pool);
    assert_eq!(done.wait(|| false, || false), Some("run"));
}
