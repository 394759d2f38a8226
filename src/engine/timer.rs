//! Calls at points in time: deadlines, and whatever else must not wait for ever.
//!
//! One thread per engine, which starts with the first call that is asked for and sleeps until the
//! next one is due. Calls are short and do not block: they stop a block, or wake somebody.

use std::{
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::pool::join;
use crate::sync::{Arc, Condvar, Mutex, RandomState, thread, time::Instant};

/// Says when it wants to be called again, if it does.
type Call = Box<dyn FnMut() -> Option<Instant> + Send>;

/// Why nothing can be called at a time.
#[derive(Debug, thiserror::Error)]
#[error("starting the timer's thread: {0}")]
pub struct TimerError(#[from] std::io::Error);

/// Calls what it is given when its time has come.
pub struct Timer {
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
    /// By time, and by number where times are equal.
    calls: BTreeMap<(Instant, u64), Call>,
    /// When each call is due that nobody has taken back, the one that is being made included.
    due: HashMap<u64, Instant, RandomState>,
    next: u64,
    closed: bool,
}

/// A call that is due some time. Dropping this takes it back; if it is being made, it is not made
/// again.
pub struct Alarm {
    shared: Arc<Shared>,
    number: u64,
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").field("calls", &self.shared.state.lock().calls.len()).finish()
    }
}

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alarm").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self { shared: Arc::default(), thread: Mutex::new(None) }
    }
}

impl Timer {
    /// A timer without a thread as yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `call` at that time, on the timer's thread; at once, if it is over. A panic of the call
    /// ends there.
    ///
    /// # Errors
    ///
    /// [`TimerError`] if the system gives no thread.
    pub fn at(
        &self,
        time: Instant,
        call: impl FnOnce() + Send + 'static,
    ) -> Result<Alarm, TimerError> {
        let mut call = Some(call);
        self.repeat(time, move || {
            if let Some(call) = call.take() {
                call();
            }
            None
        })
    }

    /// Calls `call` at that time, and then whenever it says, until it says `None`.
    ///
    /// # Errors
    ///
    /// See [`Timer::at`].
    pub fn repeat(
        &self,
        time: Instant,
        call: impl FnMut() -> Option<Instant> + Send + 'static,
    ) -> Result<Alarm, TimerError> {
        self.start()?;
        let mut state = self.shared.state.lock();
        let number = state.next;
        state.next += 1;
        state.due.insert(number, time);
        state.calls.insert((time, number), Box::new(call));
        if state.calls.first_key_value().is_some_and(|(first, _)| *first == (time, number)) {
            self.shared.changed.notify_one();
        }
        Ok(Alarm { shared: self.shared.clone(), number })
    }

    fn start(&self) -> Result<(), TimerError> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = self.shared.clone();
            let builder = thread::Builder::new().name("chorus-timer".into());
            *thread = Some(builder.spawn(move || shared.run())?);
        }
        Ok(())
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let Some((&(time, number), _)) = state.calls.first_key_value() else {
                self.changed.wait(&mut state);
                continue;
            };
            if Instant::now() < time {
                let _ = self.changed.wait_until(&mut state, time);
                continue;
            }
            let Some((_, mut call)) = state.calls.pop_first() else { continue };
            drop(state);
            let again = catch_unwind(AssertUnwindSafe(&mut call)).unwrap_or_else(|_| {
                tracing::error!("a timed call panicked");
                None
            });
            state = self.state.lock();
            let wanted = state.due.contains_key(&number);
            if let Some(again) = again.filter(|_| wanted) {
                state.due.insert(number, again);
                state.calls.insert((again, number), call);
                continue;
            }
            state.due.remove(&number);
            // It may hold anything.
            drop(state);
            drop(call);
            state = self.state.lock();
        }
        let rest = std::mem::take(&mut state.calls);
        drop(state);
        drop(rest);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // Dropped outside of the lock: it may hold anything.
        let _call = {
            let mut state = self.shared.state.lock();
            let due = state.due.remove(&self.number);
            due.and_then(|time| state.calls.remove(&(time, self.number)))
        };
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.get_mut().take() {
            join(thread);
        }
    }
}
