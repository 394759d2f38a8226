//! The threads on which blocking reads run.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
    mpsc,
};

use chorus::store::{IoPool, IoPoolError, Job};

/// Keeps the only thread of a pool busy until the sender is used or dropped.
fn occupy(pool: &IoPool) -> mpsc::Sender<()> {
    let (free, wait) = mpsc::channel::<()>();
    let (started, begun) = mpsc::channel();
    pool.submit(0, move || {
        started.send(()).unwrap();
        let _ = wait.recv();
    });
    begun.recv().unwrap();
    free
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn the_lowest_rank_runs_first_and_the_oldest_of_one_rank() {
    let pool = IoPool::new(1).unwrap();
    let free = occupy(&pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let job = |rank: u32, name: &'static str| {
        let order = order.clone();
        (rank, Box::new(move || order.lock().unwrap().push(name)) as Job)
    };
    pool.submit_batch([job(7, "7a"), job(2, "2a"), job(u32::MAX, "last")]);
    pool.submit_batch([job(2, "2b"), job(0, "0"), job(7, "7b")]);
    assert_eq!(pool.queued(), 6);
    drop(free);
    let (done, wait) = mpsc::channel();
    pool.submit(u32::MAX, move || done.send(()).unwrap());
    wait.recv().unwrap();
    assert_eq!(*order.lock().unwrap(), ["0", "2a", "2b", "7a", "7b", "last"]);
}

#[test]
fn a_pool_of_n_threads_runs_n_jobs_at_once_and_not_more() {
    let pool = IoPool::new(3).unwrap();
    assert_eq!(pool.threads(), 3);
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let meeting = Arc::new(std::sync::Barrier::new(3));
    let (done, wait) = mpsc::channel();
    // Each round of three jobs ends only if all three run side by side.
    for _ in 0..30 {
        let (running, most, meeting) = (running.clone(), most.clone(), meeting.clone());
        let done = done.clone();
        pool.submit(0, move || {
            most.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
            meeting.wait();
            running.fetch_sub(1, Relaxed);
            done.send(()).unwrap();
        });
    }
    drop(done);
    assert_eq!(wait.iter().count(), 30);
    assert!(most.load(Relaxed) <= 3);
}

#[test]
fn a_job_that_panics_costs_no_thread_and_drops_what_it_owned() {
    let pool = IoPool::new(1).unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let counted = Counted(drops.clone());
        pool.submit(0, move || {
            let _counted = counted;
            // Unlike a panic this says nothing on the error output.
            std::panic::resume_unwind(Box::new("a read failed"));
        });
    }
    let (done, wait) = mpsc::channel();
    pool.submit(0, move || done.send(()).unwrap());
    wait.recv().unwrap();
    assert_eq!(drops.load(Relaxed), 10);
}

#[test]
fn a_dropped_pool_finishes_what_runs_and_drops_what_waits() {
    let pool = IoPool::new(1).unwrap();
    let (started, begun) = mpsc::channel();
    let (free, wait) = mpsc::channel::<()>();
    let finished = Arc::new(AtomicUsize::new(0));
    pool.submit(0, {
        let finished = finished.clone();
        move || {
            started.send(()).unwrap();
            let _ = wait.recv();
            finished.fetch_add(1, Relaxed);
        }
    });
    begun.recv().unwrap();
    let (runs, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let freed_by_the_first_drop = (Counted(drops.clone()), free);
    let job = (runs.clone(), freed_by_the_first_drop);
    pool.submit(1, move || {
        job.0.fetch_add(1, Relaxed);
        drop(job.1);
    });
    // The queued job owns what the running one waits for: it must be dropped before the join.
    drop(pool);
    assert_eq!(finished.load(Relaxed), 1);
    assert_eq!((runs.load(Relaxed), drops.load(Relaxed)), (0, 1));
}

#[test]
fn a_closed_pool_drops_what_is_submitted() {
    let pool = IoPool::new(2).unwrap();
    pool.close();
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = Counted(drops.clone());
    pool.submit(0, move || drop(counted));
    assert_eq!(drops.load(Relaxed), 1);
    assert_eq!(pool.queued(), 0);
}

#[test]
fn the_last_reference_may_be_dropped_by_a_job() {
    for _ in 0..50 {
        let pool = IoPool::new(2).unwrap();
        let (done, wait) = mpsc::channel();
        pool.submit(0, {
            let pool = pool.clone();
            move || {
                // Until this is the last one.
                while Arc::strong_count(&pool) > 1 {
                    std::thread::yield_now();
                }
                drop(pool);
                done.send(()).unwrap();
            }
        });
        drop(pool);
        wait.recv().unwrap();
    }
}

#[test]
fn a_pool_of_no_threads_is_refused() {
    assert!(matches!(IoPool::new(0), Err(IoPoolError::NoThreads)));
}
