//! Threads for reads that block, so that no worker ever does.
//!
//! A back end that can only block (a database on disk, anything behind `revm::DatabaseRef`) reads on
//! these threads. The embedder says how many there are, which is how many reads the back end serves
//! at once; however many reads wait, no further thread starts.
//!
//! | a job is | held by | left by |
//! |---|---|---|
//! | queued | the queue | a thread that takes the lowest rank, oldest first; or [`close`](IoPool::close) |
//! | running | one thread | its end, or its panic, which the thread survives |
//! | gone | nobody | – |
//!
//! | the pool is | threads | `submit` | left by |
//! |---|---|---|---|
//! | open | run jobs, sleep beside an empty queue | queues the job | `close`, once |
//! | closed | finish the job they run, then end | drops the job | – |
//!
//! Invariants
//!
//! 1. A job is run once or dropped unrun, never both and never neither. Whatever a job owns is dropped
//!    with it: a [`Read`](crate::store) that a job did not answer answers that it was dropped, also
//!    if the job panicked or never ran.
//! 2. No thread sleeps beside a queued job. A thread looks at the queue and goes to sleep in one step
//!    under the lock, and a job is queued under the same lock before a thread is woken for it. One
//!    thread is woken per job, so jobs that have threads to run on run side by side.
//! 3. When `close` has returned no job starts any more. Closing and emptying the queue are one step, so
//!    that no job is queued between them, where nobody would take it.
//! 4. When the pool has been dropped its threads have ended, the one aside that dropped it, if a job
//!    held the last reference: a thread cannot wait for itself, so it ends after that job.
//! 5. No job runs, is dropped or is submitted under the lock. A job may submit others.
//!
//! The queue has no limit of its own: what is submitted is bounded by whoever submits (the engine
//! bounds the reads in flight), because `submit` is called by workers, which never wait.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::ranked::Ranked;
use crate::sync::{Arc, Condvar, Mutex, thread, weakened};

/// What a thread of an [`IoPool`] does.
pub type Job = Box<dyn FnOnce() + Send>;

/// Why a pool could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IoPoolError {
    /// A pool of no threads would answer nothing.
    #[error("an I/O pool needs at least one thread")]
    NoThreads,
    /// The system gave no thread.
    #[error("starting I/O thread {thread} of {threads}: {reason}")]
    Spawn {
        /// Which thread, from 0.
        thread: usize,
        /// Of how many.
        threads: usize,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// A fixed number of threads that run what blocks, most urgent first.
#[derive(Debug)]
pub struct IoPool {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Rung once per queued job, and for everybody at the end.
    bell: Condvar,
}

#[derive(Debug)]
struct Queue {
    open: bool,
    jobs: Ranked<Job>,
}

impl IoPool {
    /// A pool of that many threads, which start here and end with the pool.
    ///
    /// # Errors
    ///
    /// [`IoPoolError`] if there are to be none, or if the system gives no thread; those already started
    /// end.
    pub fn new(threads: usize) -> Result<Arc<Self>, IoPoolError> {
        if threads == 0 {
            return Err(IoPoolError::NoThreads);
        }
        let queue = Queue { open: true, jobs: Ranked::default() };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), bell: Condvar::new() });
        let mut pool = Self { shared, threads: Vec::with_capacity(threads) };
        for thread in 0..threads {
            let shared = pool.shared.clone();
            let handle = thread::Builder::new()
                .name(format!("chorus-io-{thread}"))
                .spawn(move || shared.serve())
                .map_err(|reason| IoPoolError::Spawn { thread, threads, reason })?;
            pool.threads.push(handle);
        }
        Ok(Arc::new(pool))
    }

    /// How many threads there are, and so how many jobs run at once.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// How many jobs wait for a thread.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.queue.lock().jobs.len()
    }

    /// Queues a job, the lower its rank the sooner it runs, and returns without waiting. After
    /// [`close`](Self::close) the job is dropped.
    pub fn submit(&self, rank: u32, job: impl FnOnce() + Send + 'static) {
        self.submit_batch([(rank, Box::new(job) as Job)]);
    }

    /// Queues jobs with their ranks in one step, as [`submit`](Self::submit) does one.
    ///
    /// `jobs` is iterated before the lock is taken.
    pub fn submit_batch(&self, jobs: impl IntoIterator<Item = (u32, Job)>) {
        let jobs: Vec<_> = jobs.into_iter().collect();
        let count = jobs.len();
        let refused = self.shared.queue.lock().push(jobs);
        // Dropped without the lock: their answers may lead to further jobs.
        drop(refused);
        let woken = if weakened("io_pool.wake-per-job") { 1 } else { count.min(self.threads()) };
        for _ in 0..woken {
            self.shared.bell.notify_one();
        }
    }

    /// Ends the pool early: queued jobs are dropped, and so is what is submitted from now on. Running
    /// jobs finish. Does not wait for them; dropping the pool does.
    pub fn close(&self) {
        let unrun = if weakened("io_pool.close-at-once") {
            let unrun = self.shared.queue.lock().jobs.take();
            self.shared.queue.lock().open = false;
            unrun
        } else {
            self.shared.queue.lock().close()
        };
        if weakened("io_pool.wake-all") {
            self.shared.bell.notify_one();
        } else {
            self.shared.bell.notify_all();
        }
        // Each for itself: one whose drop panics must not keep the others' reads unanswered.
        for job in unrun {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(job)));
        }
    }
}

impl Drop for IoPool {
    fn drop(&mut self) {
        self.close();
        let own = thread::current().id();
        for handle in self.threads.drain(..) {
            if handle.thread().id() != own || weakened("io_pool.join-others") {
                let _ = handle.join();
            }
        }
    }
}

impl Queue {
    /// Queues the jobs; gives them back if the pool is closed.
    fn push(&mut self, jobs: Vec<(u32, Job)>) -> Vec<(u32, Job)> {
        if !self.open {
            return jobs;
        }
        for (rank, job) in jobs {
            self.jobs.push(rank, job);
        }
        Vec::new()
    }

    /// Closes, and hands over what will not run.
    fn close(&mut self) -> Vec<Job> {
        self.open = false;
        self.jobs.take()
    }
}

impl Shared {
    /// What a thread does all day.
    fn serve(&self) {
        while let Some(job) = self.next() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                // What was thrown may itself panic when it is dropped.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
            }
        }
    }

    /// Waits for a job; `None` when the pool is closed.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if !queue.open {
                return None;
            }
            if let Some(job) = queue.jobs.pop() {
                return Some(job);
            }
            if weakened("io_pool.sleep-locked") {
                drop(queue);
                queue = self.queue.lock();
            }
            self.bell.wait(&mut queue);
        }
    }
}
