//! Worker threads that outlive blocks.
//!
//! Threads start with the pool and sleep between blocks. What a machine keeps per worker (coroutines
//! with their EVMs) stays with the thread.
//!
//! The thread that asks for a block works on it too. That saves its wake-up, and it leaves a core
//! free for the worker that it wakes: with the caller merely waiting, the operating system put two
//! woken workers on one core and took up to 3 ms to move one of them (measured on two cores, where
//! whole blocks take that long).
//!
//! # Supervision
//!
//! | what happens | what follows |
//! |---|---|
//! | a worker panics outside of any machine's protection | its block ends with an error; what the worker kept is thrown away, the thread goes on |
//! | worker 0 does, on the caller's thread | the same: the caller gets the error, not the panic |
//! | a thread dies all the same | the next block starts it anew, or does without it |
//! | a worker does not come back from a machine | its block ends without it; it skips the blocks that have ended meanwhile |

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    context::{Machine, Run, work},
    sync::{
        Arc, Mutex, Weak,
        channel::{Receiver, Sender, unbounded},
        thread,
    },
};

/// Why a pool could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The system gave no thread.
    #[error("starting worker {worker} of {workers}: {reason}")]
    Spawn {
        /// Which worker.
        worker: usize,
        /// Of how many.
        workers: usize,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// A block for one worker. Weak: one that comes late has nothing to do with it.
struct Job<M: Machine> {
    run: Weak<Run<M>>,
}

/// Ends the block with an error if its worker dies in it.
struct Watch<'a, M: Machine> {
    run: &'a Run<M>,
    worker: usize,
    left: bool,
}

impl<M: Machine> Drop for Watch<'_, M> {
    fn drop(&mut self) {
        if !self.left {
            self.run.fail(M::worker_died(self.worker));
        }
    }
}

/// A worker's thread.
struct Seat<M: Machine> {
    jobs: Sender<Job<M>>,
    thread: thread::JoinHandle<()>,
}

impl<M: Machine> Seat<M> {
    fn start(worker: usize, workers: usize) -> Result<Self, PoolError> {
        // Unbounded, but bounded by its use: one block at a time sends one job.
        let (jobs, receiver) = unbounded();
        let thread = thread::Builder::new()
            .name(format!("chorus-{worker}"))
            .spawn(move || serve::<M>(&receiver, worker))
            .map_err(|reason| PoolError::Spawn { worker, workers, reason })?;
        Ok(Self { jobs, thread })
    }
}

/// A fixed number of worker threads.
pub struct WorkerPool<M: Machine> {
    workers: usize,
    /// Locked while a block runs: one at a time. The seat of worker `n` is at `n - 1`.
    seats: Mutex<Vec<Seat<M>>>,
}

impl<M: Machine> WorkerPool<M> {
    /// A pool of `workers` workers: the thread that executes a block is one of them, the others are
    /// started here.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if the system gives no thread; those already started end.
    pub fn new(workers: usize) -> Result<Self, PoolError> {
        let mut pool = Self { workers, seats: Mutex::new(Vec::new()) };
        for worker in 1..workers {
            let seat = Seat::start(worker, workers)?;
            pool.seats.get_mut().push(seat);
        }
        Ok(pool)
    }

    /// Number of workers, the calling thread included.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Executes a block, with the calling thread as worker 0, and returns when the block has ended:
    /// [`Run::conclude`] says how. Another worker may hold on to the run a little longer, but not to
    /// any of its transactions unless the block ended early. A run that was made for fewer workers
    /// than the pool has gets so many; none that was made for more gets here.
    pub fn execute(&self, run: &Arc<Run<M>>) {
        let mut seats = self.seats.lock();
        let others = run.workers().saturating_sub(1);
        for (at, seat) in seats.iter_mut().enumerate().take(others) {
            if let Err(job) = seat.jobs.send(Job { run: Arc::downgrade(run) }) {
                self.replace(seat, at + 1, job.0);
            }
        }
        M::with_calling_worker(|state| work_watched(run, 0, state));
    }

    /// Gives the seat of a worker that is gone to a new one.
    fn replace(&self, seat: &mut Seat<M>, worker: usize, job: Job<M>) {
        match Seat::start(worker, self.workers) {
            Ok(new) => {
                tracing::warn!(worker, "a worker that had died was replaced");
                let _ = new.jobs.send(job);
                let _ = std::mem::replace(seat, new).thread.join();
            }
            // The others do without it.
            Err(error) => tracing::error!(%error, "a worker that had died stays away"),
        }
    }
}

/// Works on a block. A panic ends the block and not the thread.
fn work_watched<M: Machine>(run: &Arc<Run<M>>, worker: usize, state: &mut M::Worker) {
    let worked = catch_unwind(AssertUnwindSafe(|| {
        let mut watch = Watch { run, worker, left: false };
        work(run, worker, state);
        watch.left = true;
    }));
    if worked.is_err() {
        tracing::error!(worker, "a worker panicked");
        // Nothing is known of what it kept.
        *state = M::Worker::default();
    }
}

fn serve<M: Machine>(jobs: &Receiver<Job<M>>, worker: usize) {
    let mut state = M::Worker::default();
    while let Ok(job) = jobs.recv() {
        if let Some(run) = job.run.upgrade() {
            work_watched(&run, worker, &mut state);
        }
    }
}

impl<M: Machine> Drop for WorkerPool<M> {
    fn drop(&mut self) {
        let seats = std::mem::take(self.seats.get_mut());
        // A closed channel ends the worker's loop.
        let threads: Vec<_> = seats.into_iter().map(|seat| seat.thread).collect();
        for thread in threads {
            join(thread);
        }
    }
}

/// Waits for a thread's end, unless it is the calling one: an engine may be dropped by code that
/// runs on one of its own threads, which then ends when it gets there.
pub(super) fn join(thread: thread::JoinHandle<()>) {
    if !thread::is_current(thread.thread()) {
        let _ = thread.join();
    }
}
