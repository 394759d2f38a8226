//! What a caller may ask of the execution of one block.

use super::{CancelToken, Gate, Outcomes, Timer, TimerError, stream::Feed};
use crate::{
    context::{Control, Halt, StopReason},
    engine::stream::stream,
    observe::timeline::Recording,
    sync::{
        Arc, Weak,
        time::{Duration, Instant},
    },
};

type OnCommit<O> = Box<dyn FnOnce(&O) + Send>;

/// How one block is to be executed: what stops it, what is left of it then, who follows it. `O` is
/// the outcome of a block, `R` that of a transaction. The default asks for nothing.
pub struct ExecuteOptions<O, R> {
    cancel: Option<CancelToken>,
    begin: Option<Instant>,
    deadline: Option<Instant>,
    keep_committed: bool,
    feed: Option<Feed<R>>,
    outcomes: Option<Outcomes<R>>,
    on_commit: Option<OnCommit<O>>,
    pub(crate) recording: Option<Recording>,
}

impl<O, R> std::fmt::Debug for ExecuteOptions<O, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecuteOptions")
            .field("cancel", &self.cancel)
            .field("deadline", &self.deadline)
            .field("keep_committed", &self.keep_committed)
            .finish_non_exhaustive()
    }
}

impl<O, R> Default for ExecuteOptions<O, R> {
    fn default() -> Self {
        Self {
            cancel: None,
            begin: None,
            deadline: None,
            keep_committed: false,
            feed: None,
            outcomes: None,
            on_commit: None,
            recording: None,
        }
    }
}

impl<O, R> ExecuteOptions<O, R> {
    /// Asks for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The block ends when the token is cancelled.
    #[must_use]
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// The block ends at that time, the time it spends in a queue included.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.begin = Some(Instant::now());
        self.deadline = Some(deadline);
        self
    }

    /// The block ends when so much time has passed from now. One that the clock cannot tell is none.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        let now = Instant::now();
        self.begin = Some(now);
        self.deadline = now.checked_add(time);
        self
    }

    /// A block that is stopped leaves what it had committed by then, in the error that says so.
    /// Default: it leaves nothing.
    #[must_use]
    pub fn keep_committed(mut self) -> Self {
        self.keep_committed = true;
        self
    }

    /// The outcomes of the transactions are to be had as they commit, in order
    /// ([`outcomes`](Self::outcomes)). When `buffer` of them wait to be taken, commits wait too;
    /// execution goes on within the window.
    #[must_use]
    pub fn stream(mut self, buffer: u32) -> Self
    where
        R: Clone,
    {
        let (outlet, outcomes) = stream(buffer);
        self.feed = Some(Feed::new(outlet));
        self.outcomes = Some(outcomes);
        self
    }

    /// The stream of outcomes, once, if [`stream`](Self::stream) asked for it. Whoever has it takes
    /// from it or drops it, on another thread or task than the one that waits for the block. What
    /// nobody has taken when the block begins holds nothing up.
    pub fn outcomes(&mut self) -> Option<Outcomes<R>> {
        self.outcomes.take()
    }

    /// Calls `apply` with the block's outcome before the next block of the engine's queue begins, so
    /// that state goes from one to the next. Not called for a block without an outcome: the next
    /// one then runs over what there is.
    #[must_use]
    pub fn on_commit(mut self, apply: impl FnOnce(&O) + Send + 'static) -> Self {
        self.on_commit = Some(Box::new(apply));
        self
    }

    /// Takes effect: from here on the block can be stopped.
    ///
    /// # Errors
    ///
    /// If there is a deadline and no thread to watch it.
    pub(super) fn begin(self, timer: &Timer, submitted: bool) -> Result<Begun<O, R>, TimerError> {
        let stoppable = submitted || self.cancel.is_some() || self.deadline.is_some();
        let control = stoppable.then(|| Arc::new(Control::new()));
        let mut alarm = None;
        if let Some(control) = &control {
            if let Some(token) = &self.cancel {
                token.covers(control);
            }
            if let Some((deadline, begin)) = self.deadline.zip(self.begin) {
                let allowed = deadline.saturating_duration_since(begin);
                let reason = StopReason::DeadlineExceeded { allowed };
                let weak = Arc::downgrade(control);
                let expire = move || {
                    if let Some(control) = weak.upgrade() {
                        control.stop(reason);
                    }
                };
                if deadline <= Instant::now() {
                    expire();
                } else {
                    alarm = Some(timer.at(deadline, expire)?);
                }
            }
        }
        let begun = Begun {
            conduct: Conduct {
                control,
                keep_committed: self.keep_committed,
                feed: self.feed,
                recording: self.recording,
            },
            outcomes: self.outcomes,
            on_commit: self.on_commit,
            _alarm: alarm,
        };
        Ok(begun)
    }
}

/// Options in effect.
pub(super) struct Begun<O, R> {
    pub(super) conduct: Conduct<R>,
    pub(super) outcomes: Option<Outcomes<R>>,
    pub(super) on_commit: Option<OnCommit<O>>,
    _alarm: Option<super::Alarm>,
}

/// What an execution has to heed.
#[derive(Debug)]
pub(crate) struct Conduct<R> {
    /// What stops it.
    pub(crate) control: Option<Arc<Control>>,
    /// Whether a stopped block leaves what it had committed.
    pub(crate) keep_committed: bool,
    /// Who wants the outcomes as they commit.
    pub(crate) feed: Option<Feed<R>>,
    /// Where its timeline goes.
    #[cfg_attr(
        any(not(feature = "evm"), chorus_loom, chorus_shuttle),
        expect(dead_code, reason = "only blocks of Ethereum transactions are recorded so far")
    )]
    pub(crate) recording: Option<Recording>,
}

impl<R> Default for Conduct<R> {
    fn default() -> Self {
        Self { control: None, keep_committed: false, feed: None, recording: None }
    }
}

impl<R> Conduct<R> {
    /// Turns to a target: stops reach it, and so do the consumer's permits, the first of which is
    /// given to `limit`.
    pub(crate) fn attach<T: Halt + Gate + 'static>(
        &self,
        target: &Arc<T>,
        limit: impl FnOnce(u32),
    ) {
        if let Some(feed) = &self.feed {
            let gate: Weak<dyn Gate> = Arc::downgrade(target) as _;
            feed.outlet().attach(gate, limit);
        }
        if let Some(control) = &self.control {
            control.attach(Arc::downgrade(target) as _);
        }
    }

    /// Why the block was stopped before it has begun, if it was.
    pub(crate) fn stopped(&self) -> Option<StopReason> {
        self.control.as_ref().and_then(|control| control.reason())
    }
}

impl<R> Drop for Conduct<R> {
    /// The block has ended, one way or another, and so does the stream.
    fn drop(&mut self) {
        if let Some(feed) = &self.feed {
            feed.outlet().end();
        }
    }
}
