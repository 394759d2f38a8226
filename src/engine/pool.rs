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
//! # Before and after a block
//!
//! To wake a thread takes 30 to 50 µs, and whoever has a block for the others has to set it up first. So
//! he calls them ([`WorkerPool::call`]) before that, and they are up when the block is there:
//!
//! ```text
//!   caller   call ─── sets up ───────► execute ───── works ──────┤ settles ─► entrust ─► discard ─► returns
//!   worker        ··· wakes ─► looks ─────► works ───────────────┤ assists ─► looks ─► helps ─► frees, sleeps
//! ```
//!
//! A call is a message like a block, promises none, and leaves nothing to take back: a worker that was
//! called looks for the next message for a short while ([`PATIENCE`]) and then sleeps as ever. So does
//! worker 1 when it comes from a block and has assisted the caller ([`Machine::assist`]): what the block leaves
//! behind goes to it to be freed, while it is awake, since to wake it would cost as much as it saves.
//!
//! # Supervision
//!
//! | what happens | what follows |
//! |---|---|
//! | a worker panics outside of any machine's protection | its block ends with an error; what the worker kept is thrown away, the thread goes on |
//! | worker 0 does, on the caller's thread | the same: the caller gets the error, not the panic |
//! | a thread dies all the same | the next block starts it anew, or does without it |
//! | a worker does not come back from a machine | its block ends without it; it skips the blocks that have ended meanwhile, and is entrusted with nothing |
//! | an errand panics | its thread dies, as above; who gave it counts on nobody |

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::affinity::{Affinity, FEW_CORES};
use crate::{
    context::{Machine, Run, work},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
        channel::{Receiver, RecvError, SendError, Sender, TryRecvError, unbounded},
        hint, thread,
        time::{Duration, Instant},
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

/// How long a worker that was called looks for a block before it sleeps. A set-up takes 10 to 100 µs,
/// most of which pass while the worker wakes. A model does not look in vain.
const PATIENCE: Duration = match cfg!(any(chorus_loom, chorus_shuttle)) {
    true => Duration::ZERO,
    false => Duration::from_micros(100),
};
/// The worker that assists the caller after the block. One is enough, and there may be more than cores.
const ASSISTANT: usize = 1;

/// How long it looks for what the block leaves behind when it has done something else.
const LEISURE: Duration = match cfg!(any(chorus_loom, chorus_shuttle)) {
    true => Duration::ZERO,
    false => Duration::from_micros(20),
};

/// A message for one worker.
enum Job<M: Machine> {
    /// A block is about to come, probably.
    Call,
    /// A block. Weak: one that comes late has nothing to do with it.
    Block(Weak<Run<M>>),
    /// Something for the caller of the block that has just ended. More comes at once.
    Errand(Box<dyn FnOnce() + Send>),
    /// What a block has left behind, to be freed.
    Discard(Box<dyn Send>),
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

/// It starts, or works on a block.
const BUSY: u32 = 0;
/// It has left its last block and not slept since.
const AWAKE: u32 = 1;
const ASLEEP: u32 = 2;

/// A worker's thread.
struct Seat<M: Machine> {
    jobs: Sender<Job<M>>,
    /// What it is doing, one of the constants above. A hint, read and written without an order: who has not come back
    /// from a block is given nothing that would lie there until then.
    doing: Arc<AtomicU32>,
    affinity: Arc<Affinity>,
    thread: thread::JoinHandle<()>,
}

impl<M: Machine> Seat<M> {
    fn start(worker: usize, workers: usize) -> Result<Self, PoolError> {
        // Unbounded, but bounded by its use: one block at a time sends a few jobs.
        let (jobs, receiver) = unbounded();
        let doing = Arc::new(AtomicU32::new(BUSY));
        let affinity = Arc::new(Affinity::default());
        let (does, at) = (doing.clone(), affinity.clone());
        let thread = thread::Builder::new()
            .name(format!("chorus-{worker}"))
            .spawn(move || serve::<M>(&receiver, worker, &does, &at))
            .map_err(|reason| PoolError::Spawn { worker, workers, reason })?;
        Ok(Self { jobs, doing, affinity, thread })
    }

    /// Sends it a message for which it has to be awake, and wakes it `apart` from the calling thread.
    fn wake_with(&self, job: Job<M>, apart: bool) -> Result<(), SendError<Job<M>>> {
        if apart && self.doing.load(Ordering::Relaxed) == ASLEEP {
            self.affinity.avoid_mine();
        }
        self.jobs.send(job)
    }
}

/// A fixed number of worker threads.
pub struct WorkerPool<M: Machine> {
    workers: usize,
    /// Whether a worker that sleeps is kept off the core of whoever wakes it.
    apart: bool,
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
        let apart = thread::available_parallelism() <= FEW_CORES;
        let mut pool = Self { workers, apart, seats: Mutex::new(Vec::new()) };
        for worker in 1..workers {
            let seat = Seat::start(worker, workers)?;
            pool.seats.get_mut().push(seat);
        }
        Ok(pool)
    }

    /// The same pool, which leaves it to the operating system where a worker wakes, unless `apart`.
    #[must_use]
    pub fn waking_apart(mut self, apart: bool) -> Self {
        self.apart &= apart;
        self
    }

    /// Number of workers, the calling thread included.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Wakes the other ones of the first `workers` workers, for a block that will probably come soon. They
    /// stay awake for no longer than that should take.
    pub fn call(&self, workers: usize) {
        // While another block runs they are up.
        let Some(seats) = self.seats.try_lock() else { return };
        for seat in seats.iter().take(workers.saturating_sub(1)) {
            // Who is gone is replaced when there is a block.
            let _ = seat.wake_with(Job::Call, self.apart);
        }
    }

    /// Has worker 1 do something, if it is awake. Else nobody does it.
    pub fn entrust(&self, errand: impl FnOnce() + Send + 'static) {
        self.give_to_assistant(|| Job::Errand(Box::new(errand)));
    }

    /// Has worker 1 free what a block has left behind, if it is awake. Else the caller does it.
    pub fn discard(&self, remains: impl Send + 'static) {
        self.give_to_assistant(|| Job::Discard(Box::new(remains)));
    }

    fn give_to_assistant(&self, job: impl FnOnce() -> Job<M>) {
        // Nobody waits for the end of another block.
        let Some(seats) = self.seats.try_lock() else { return };
        if let Some(seat) = seats.get(ASSISTANT - 1)
            && seat.doing.load(Ordering::Relaxed) == AWAKE
        {
            let _ = seat.jobs.send(job());
        }
    }

    /// Executes a block, with the calling thread as worker 0, and returns when the block has ended:
    /// [`Run::conclude`] says how. Another worker may hold on to the run a little longer, but not to
    /// any of its transactions unless the block ended early. A run that was made for fewer workers
    /// than the pool has gets so many; none that was made for more gets here.
    pub fn execute(&self, run: &Arc<Run<M>>) {
        let mut seats = self.seats.lock();
        let others = run.workers().saturating_sub(1);
        for (at, seat) in seats.iter_mut().enumerate().take(others) {
            if let Err(job) = seat.wake_with(Job::Block(Arc::downgrade(run)), self.apart) {
                self.replace(seat, at + 1, job.0);
            }
        }
        let _ = M::with_calling_worker(|state| work_watched(run, 0, state));
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

/// Works on a block. A panic ends the block and not the thread. Returns how long to look for what else there is to do.
fn work_watched<M: Machine>(run: &Arc<Run<M>>, worker: usize, state: &mut M::Worker) -> Duration {
    let worked = catch_unwind(AssertUnwindSafe(|| {
        let mut watch = Watch { run, worker, left: false };
        work(run, worker, state);
        watch.left = true;
        if worker == ASSISTANT { M::assist(run) } else { Duration::ZERO }
    }));
    worked.unwrap_or_else(|_| {
        tracing::error!(worker, "a worker panicked");
        // Nothing is known of what it kept.
        *state = M::Worker::default();
        Duration::ZERO
    })
}

fn serve<M: Machine>(
    jobs: &Receiver<Job<M>>,
    worker: usize,
    doing: &AtomicU32,
    affinity: &Affinity,
) {
    let _entered = affinity.enter();
    let mut state = M::Worker::default();
    let mut patience = Duration::ZERO;
    while let Ok(job) = receive(jobs, patience, doing) {
        affinity.restore();
        patience = match job {
            Job::Call => PATIENCE,
            Job::Block(run) => {
                doing.store(BUSY, Ordering::Relaxed);
                let leisure = match run.upgrade() {
                    Some(run) => work_watched(&run, worker, &mut state),
                    None => Duration::ZERO,
                };
                doing.store(AWAKE, Ordering::Relaxed);
                leisure
            }
            Job::Errand(errand) => {
                errand();
                LEISURE
            }
            Job::Discard(remains) => {
                drop(remains);
                Duration::ZERO
            }
        };
    }
}

/// Receives a message, and looks for it so long before it sleeps.
fn receive<T>(jobs: &Receiver<T>, patience: Duration, doing: &AtomicU32) -> Result<T, RecvError> {
    let begin = Instant::now();
    let received = loop {
        match jobs.try_recv() {
            Ok(job) => break Ok(job),
            Err(TryRecvError::Disconnected) => break Err(RecvError),
            Err(TryRecvError::Empty) if begin.elapsed() < patience => hint::spin_loop(),
            Err(TryRecvError::Empty) => {
                doing.store(ASLEEP, Ordering::Relaxed);
                break jobs.recv();
            }
        }
    };
    doing.store(AWAKE, Ordering::Relaxed);
    received
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
