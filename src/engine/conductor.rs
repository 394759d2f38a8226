//! The queue of submitted blocks, and the thread that executes them one after another.
//!
//! ```text
//!   submit ─► Turn ─► [Turn, Turn, …] ─► conductor thread: worker 0 of every submitted block
//!              │
//!              └── its Control stops it here, too: a turn that is stopped in the queue ends there
//! ```
//!
//! The thread starts with the first block that is submitted. A block begins when the one before it
//! has ended, its `on_commit` included.
//!
//! Shutdown, in this order: (1) nothing more is accepted; (2) the block that runs is cancelled; (3) those
//! that wait are cancelled, in the order in which they came, and none of them begins any more; (4) the
//! thread ends, and is waited for. Every block gets its end before (4) is done. `loom-tests/engine_conductor.rs` explores this.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::pool::join;
use crate::{
    context::{Control, Halt, StopReason},
    sync::{Arc, Condvar, Mutex, thread, weakened},
};

type Work = Box<dyn FnOnce(Option<StopReason>) + Send>;

/// A block's place in the queue.
pub struct Turn {
    control: Arc<Control>,
    /// What is left to do, by whoever comes first: the conductor, or a stop.
    work: Mutex<Option<Work>>,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("control", &self.control).finish_non_exhaustive()
    }
}

impl Turn {
    /// A turn that `control` stops. `work` is called once: with `None`, on the conductor's thread,
    /// when it is the block's turn, or with the reason why it never will be.
    #[must_use]
    pub fn new(
        control: Arc<Control>,
        work: impl FnOnce(Option<StopReason>) + Send + 'static,
    ) -> Arc<Self> {
        let turn = Arc::new(Self { control, work: Mutex::new(Some(Box::new(work))) });
        turn.control.attach(Arc::downgrade(&turn) as _);
        turn
    }

    fn end(&self, stopped: Option<StopReason>) {
        let work = self.work.lock().take();
        if let Some(work) = work
            && catch_unwind(AssertUnwindSafe(|| work(stopped))).is_err()
        {
            tracing::error!("a submitted block panicked");
        }
    }
}

impl Halt for Turn {
    fn halt(&self, reason: StopReason) {
        self.end(Some(reason));
    }
}

/// Executes submitted blocks in the order in which they came.
pub struct Conductor {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Turn>>,
    running: Option<Arc<Turn>>,
    closed: bool,
}

impl std::fmt::Debug for Conductor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("Conductor")
            .field("waiting", &state.waiting.len())
            .field("running", &state.running.is_some())
            .finish()
    }
}

impl Default for Conductor {
    fn default() -> Self {
        Self { shared: Arc::default(), thread: Mutex::new(None) }
    }
}

impl Conductor {
    /// A conductor without a thread as yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a block at the end of the queue. `true`: there are others before it.
    ///
    /// # Errors
    ///
    /// If the system gives no thread; the turn is not taken then.
    pub fn enqueue(&self, turn: Arc<Turn>) -> std::io::Result<bool> {
        {
            let mut thread = self.thread.lock();
            if thread.is_none() {
                let shared = self.shared.clone();
                let builder = thread::Builder::new().name("chorus-0".into());
                *thread = Some(builder.spawn(move || shared.conduct())?);
            }
        }
        let mut state = self.shared.state.lock();
        let waits = state.running.is_some() || !state.waiting.is_empty();
        state.waiting.push_back(turn);
        if !weakened("conductor.enqueue-wakes") {
            self.shared.changed.notify_one();
        }
        Ok(waits)
    }
}

impl Shared {
    fn conduct(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(turn) = state.waiting.pop_front() {
                state.running = Some(turn.clone());
                drop(state);
                turn.end(None);
                state = self.state.lock();
                let ended = state.running.take();
                drop((turn, ended));
            } else if state.closed {
                return;
            } else {
                self.changed.wait(&mut state);
            }
        }
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let running = state.running.clone();
        // Taken out, so that the thread begins none of them.
        let waiting = match weakened("conductor.close-takes") {
            true => state.waiting.clone(),
            false => std::mem::take(&mut state.waiting),
        };
        drop(state);
        self.changed.notify_one();
        let running = running.filter(|_| !weakened("conductor.close-cancels"));
        for turn in running.iter().chain(&waiting) {
            turn.control.stop(StopReason::Cancelled);
        }
    }
}

impl Drop for Conductor {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.get_mut().take() {
            join(thread);
        }
    }
}
