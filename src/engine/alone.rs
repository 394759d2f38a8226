//! A block that one thread executes, transaction after transaction: what stops it, and what its
//! thread sleeps on.

use std::task::Wake;

use super::Gate;
use crate::{
    context::{Halt, StopReason},
    sync::{Arc, Condvar, Mutex},
};

/// What the thread of a direct block listens to. It sleeps where a closure waits for something
/// outside, and where the consumer of its outcomes is behind.
#[derive(Debug)]
pub(crate) struct Alone {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    rung: bool,
    stopped: Option<StopReason>,
    commit_limit: u32,
}

impl Alone {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { rung: false, stopped: None, commit_limit: u32::MAX };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(crate) fn limit_commits(&self, commits: u32) {
        self.state.lock().commit_limit = commits;
    }

    /// Why the block was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<StopReason> {
        self.state.lock().stopped
    }

    /// Sleeps until woken or stopped.
    pub(crate) fn wait(&self) {
        let mut state = self.state.lock();
        while !state.rung && state.stopped.is_none() {
            self.changed.wait(&mut state);
        }
        state.rung = false;
    }

    /// Sleeps until one more than `commits` transactions may commit, or the block is stopped.
    ///
    /// # Errors
    ///
    /// Why it was stopped.
    pub(crate) fn wait_to_commit(&self, commits: usize) -> Result<(), StopReason> {
        let mut state = self.state.lock();
        loop {
            if let Some(reason) = state.stopped {
                return Err(reason);
            }
            if commits < state.commit_limit as usize {
                return Ok(());
            }
            self.changed.wait(&mut state);
        }
    }
}

impl Halt for Alone {
    fn halt(&self, reason: StopReason) {
        self.state.lock().stopped = Some(reason);
        self.changed.notify_all();
    }
}

impl Gate for Alone {
    fn allow(&self, commits: u32) {
        let mut state = self.state.lock();
        state.commit_limit = state.commit_limit.max(commits);
        self.changed.notify_all();
    }
}

impl Wake for Alone {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.state.lock().rung = true;
        self.changed.notify_all();
    }
}
