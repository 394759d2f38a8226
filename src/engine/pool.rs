//! Worker threads that outlive blocks.
//!
//! Threads start with the pool and sleep between blocks; a block wakes as many as it can use. What
//! a machine keeps per worker (coroutines with their EVMs) stays with the thread.

use crate::{
    context::{Machine, Run, work},
    sync::{
        Arc, Condvar, Mutex,
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

/// A block for one worker.
struct Job<M: Machine> {
    run: Arc<Run<M>>,
    worker: usize,
    done: Arc<Done>,
}

/// Counts the workers that still have a block in hand.
struct Done {
    left: Mutex<usize>,
    changed: Condvar,
}

/// Reports a worker as done however it leaves the block.
struct Report(Arc<Done>);

impl Drop for Report {
    fn drop(&mut self) {
        let mut left = self.0.left.lock();
        *left -= 1;
        if *left == 0 {
            self.0.changed.notify_all();
        }
    }
}

/// A fixed number of worker threads.
pub struct WorkerPool<M: Machine> {
    senders: Vec<Sender<Job<M>>>,
    threads: Vec<thread::JoinHandle<()>>,
    /// One block at a time.
    turn: Mutex<()>,
}

impl<M: Machine> WorkerPool<M> {
    /// Starts `workers` threads.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if the system gives no thread; those already started end.
    pub fn new(workers: usize) -> Result<Self, PoolError> {
        let mut pool = Self { senders: Vec::new(), threads: Vec::new(), turn: Mutex::new(()) };
        for worker in 0..workers {
            // Unbounded, but holds at most one job: the turn lock admits one block at a time.
            let (sender, receiver) = unbounded();
            let thread = thread::Builder::new()
                .name(format!("chorus-{worker}"))
                .spawn(move || serve::<M>(&receiver))
                .map_err(|reason| PoolError::Spawn { worker, workers, reason })?;
            pool.senders.push(sender);
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.senders.len()
    }

    /// Executes a block and returns when every worker has let go of it. The run must have been made
    /// for as many workers as the pool has.
    pub fn execute(&self, run: &Arc<Run<M>>) {
        let _turn = self.turn.lock();
        let done =
            Arc::new(Done { left: Mutex::new(self.senders.len()), changed: Condvar::new() });
        for (worker, sender) in self.senders.iter().enumerate() {
            let report = Report(done.clone());
            let job = Job { run: run.clone(), worker, done: done.clone() };
            if sender.send(job).is_ok() {
                // The worker reports.
                std::mem::forget(report);
            }
        }
        let mut left = done.left.lock();
        while *left > 0 {
            done.changed.wait(&mut left);
        }
    }
}

fn serve<M: Machine>(jobs: &Receiver<Job<M>>) {
    let mut state = M::Worker::default();
    while let Ok(Job { run, worker, done }) = jobs.recv() {
        let report = Report(done);
        work(&run, worker, &mut state);
        drop(run);
        drop(report);
    }
}

impl<M: Machine> Drop for WorkerPool<M> {
    fn drop(&mut self) {
        // A closed channel ends the worker's loop.
        self.senders.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
