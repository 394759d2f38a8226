//! Worker threads that outlive blocks.
//!
//! Threads start with the pool and sleep between blocks. What a machine keeps per worker (coroutines
//! with their EVMs) stays with the thread.
//!
//! The thread that asks for a block works on it too. That saves its wake-up, and it leaves a core
//! free for the worker that it wakes: with the caller merely waiting, the operating system put two
//! woken workers on one core and took up to 3 ms to move one of them (measured on two cores, where
//! whole blocks take that long).

use crate::{
    context::{Machine, Run, work},
    sync::{
        Arc, Mutex,
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

/// A fixed number of worker threads.
pub struct WorkerPool<M: Machine> {
    senders: Vec<Sender<Job<M>>>,
    threads: Vec<thread::JoinHandle<()>>,
    /// One block at a time.
    turn: Mutex<()>,
}

impl<M: Machine> WorkerPool<M> {
    /// A pool of `workers` workers: the thread that executes a block is one of them, the others are
    /// started here.
    ///
    /// # Errors
    ///
    /// [`PoolError`] if the system gives no thread; those already started end.
    pub fn new(workers: usize) -> Result<Self, PoolError> {
        let mut pool = Self { senders: Vec::new(), threads: Vec::new(), turn: Mutex::new(()) };
        for worker in 1..workers {
            // Unbounded, but bounded by its use: one block at a time sends one job.
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

    /// Number of workers, the calling thread included.
    pub fn workers(&self) -> usize {
        self.senders.len() + 1
    }

    /// Executes a block, with the calling thread as worker 0, and returns when the block has ended.
    /// Another worker may hold on to the run a little longer, but not to any of its transactions
    /// unless the block ended early. The run must have been made for as many workers as the
    /// pool has.
    pub fn execute(&self, run: &Arc<Run<M>>) {
        let _turn = self.turn.lock();
        for (at, sender) in self.senders.iter().enumerate() {
            // A worker that is gone has ended its block with an error; the others do without it.
            let _ = sender.send(Job { run: run.clone(), worker: at + 1 });
        }
        M::with_calling_worker(|state| work_watched(run, 0, state));
    }
}

fn work_watched<M: Machine>(run: &Arc<Run<M>>, worker: usize, state: &mut M::Worker) {
    let mut watch = Watch { run, worker, left: false };
    work(run, worker, state);
    watch.left = true;
}

fn serve<M: Machine>(jobs: &Receiver<Job<M>>) {
    let mut state = M::Worker::default();
    while let Ok(Job { run, worker }) = jobs.recv() {
        work_watched(&run, worker, &mut state);
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
