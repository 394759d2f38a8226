//! Outcomes as they commit, one by one and in order.
//!
//! ```text
//!   commit step ── push ──► Outlet: [outcome, outcome, …] ── poll ──► Outcomes (the consumer)
//!        ▲                                                               │ took one
//!        └──── limit := taken + capacity, a worker woken ◄── Gate ◄──────┘
//! ```
//!
//! Backpressure is a credit: transactions below the limit may commit, and every outcome that the
//! consumer takes raises it by one. So at most `capacity` outcomes lie in the outlet, commits stall when it
//! is full, and execution goes on above the stalled cursor as far as the block's window reaches.
//!
//! Invariants
//!
//! 1. An outcome is pushed by the commit of its transaction, so the stream is the committed prefix.
//! 2. Whoever raises the limit wakes a worker after it ([`Gate::allow`]), and a worker that is about
//!    to sleep looks at the limit after it said so: no stall outlives its reason.
//! 3. A dropped consumer lifts the limit for good. A block that ends, however, ends the stream.
//!
//! `loom-tests/engine_stream.rs` explores this.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Wake, Waker},
};

use crate::{
    context::{Machine, Run},
    sync::{Arc, Condvar, Mutex, Weak, weakened},
};

/// Whose commits wait for the consumer.
pub trait Gate: Send + Sync {
    /// Lets the block's first `commits` transactions commit. Not called with less than before.
    fn allow(&self, commits: u32);
}

impl<M: Machine> Gate for Run<M> {
    fn allow(&self, commits: u32) {
        self.scheduler.allow_commits(commits);
    }
}

/// The engine's end of a stream.
pub struct Outlet<R> {
    state: Mutex<State<R>>,
}

struct State<R> {
    waiting: VecDeque<R>,
    capacity: u32,
    taken: u32,
    gate: Option<Weak<dyn Gate>>,
    waker: Option<Waker>,
    ended: bool,
    abandoned: bool,
}

impl<R> State<R> {
    fn limit(&self) -> u32 {
        if self.abandoned { u32::MAX } else { self.taken.saturating_add(self.capacity) }
    }
}

impl<R> std::fmt::Debug for Outlet<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("waiting", &self.state.lock().waiting.len()).finish()
    }
}

/// A stream of at most `capacity` outcomes that wait to be taken.
#[must_use]
pub fn stream<R>(capacity: u32) -> (Arc<Outlet<R>>, Outcomes<R>) {
    let capacity = capacity.max(1);
    let outlet = Arc::new(Outlet {
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            capacity,
            taken: 0,
            gate: None,
            waker: None,
            ended: false,
            abandoned: false,
        }),
    });
    let outcomes = Outcomes { outlet: outlet.clone() };
    (outlet, outcomes)
}

impl<R> Outlet<R> {
    /// Connects the commits that wait for the consumer: `limit` is told how many are allowed to
    /// begin with, before anybody can allow more.
    pub fn attach(&self, gate: Weak<dyn Gate>, limit: impl FnOnce(u32)) {
        let mut state = self.state.lock();
        limit(state.limit());
        state.gate = Some(gate);
    }

    /// Whether nobody will take anything any more.
    pub fn is_abandoned(&self) -> bool {
        self.state.lock().abandoned
    }

    /// Adds the outcome that was just committed. There is room for it, by the limit.
    pub fn push(&self, outcome: R) {
        let waker = {
            let mut state = self.state.lock();
            if state.abandoned {
                return;
            }
            debug_assert!(state.waiting.len() < state.capacity as usize, "commits obey the limit");
            state.waiting.push_back(outcome);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the stream after what was pushed.
    pub fn end(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.ended = true;
            state.gate = None;
            state.waker.take()
        };
        if let Some(waker) = waker.filter(|_| !weakened("stream.end-wakes")) {
            waker.wake();
        }
    }
}

/// The outcomes of a block as they commit, in block order. Ends when the block has ended; the block's
/// own result says how. Dropping it lets the block go on without.
///
/// It is a [`Stream`](futures_core::Stream) that needs no particular runtime, and an iterator of
/// its own for threads that may block ([`blocking`](Self::blocking)).
#[derive(Debug)]
pub struct Outcomes<R> {
    outlet: Arc<Outlet<R>>,
}

impl<R> Outcomes<R> {
    /// An iterator that blocks the calling thread until the next outcome is there. Not on the
    /// thread that executes the block: it would wait for itself.
    #[must_use]
    pub fn blocking(self) -> BlockingOutcomes<R> {
        BlockingOutcomes { outcomes: self, alarm: Arc::default() }
    }

    /// The next outcome if it is there; else `waker` is woken when it is.
    fn poll_take(&self, waker: &Waker) -> Poll<Option<R>> {
        let (outcome, gate, limit) = {
            let mut state = self.outlet.state.lock();
            let Some(outcome) = state.waiting.pop_front() else {
                if state.ended {
                    return Poll::Ready(None);
                }
                if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
                    state.waker = Some(waker.clone());
                }
                return Poll::Pending;
            };
            state.taken += 1;
            (outcome, state.gate.clone(), state.limit())
        };
        allow(gate, limit);
        Poll::Ready(Some(outcome))
    }
}

fn allow(gate: Option<Weak<dyn Gate>>, limit: u32) {
    if let Some(gate) = gate.and_then(|gate| gate.upgrade()) {
        gate.allow(limit);
    }
}

impl<R> futures_core::Stream for Outcomes<R> {
    type Item = R;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        self.poll_take(context.waker())
    }
}

impl<R> Drop for Outcomes<R> {
    fn drop(&mut self) {
        let (gate, limit, _waiting) = {
            let mut state = self.outlet.state.lock();
            state.abandoned = true;
            state.waker = None;
            (state.gate.take(), state.limit(), std::mem::take(&mut state.waiting))
        };
        if !weakened("stream.drop-allows") {
            allow(gate, limit);
        }
    }
}

/// See [`Outcomes::blocking`].
#[derive(Debug)]
pub struct BlockingOutcomes<R> {
    outcomes: Outcomes<R>,
    alarm: Arc<Bell>,
}

impl<R> Iterator for BlockingOutcomes<R> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        let waker = Waker::from(self.alarm.clone());
        loop {
            match self.outcomes.poll_take(&waker) {
                Poll::Ready(next) => return next,
                Poll::Pending => self.alarm.wait(),
            }
        }
    }
}

/// What a blocking consumer sleeps on.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !*rung {
            self.changed.wait(&mut rung);
        }
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }
}

/// A machine's end of a stream: it keeps the outcome and gives a copy away.
#[derive(Debug)]
pub(crate) struct Feed<R> {
    outlet: Arc<Outlet<R>>,
    copy: fn(&R) -> R,
}

impl<R> Clone for Feed<R> {
    fn clone(&self) -> Self {
        Self { outlet: self.outlet.clone(), copy: self.copy }
    }
}

impl<R: Clone> Feed<R> {
    pub(crate) fn new(outlet: Arc<Outlet<R>>) -> Self {
        Self { outlet, copy: R::clone }
    }
}

impl<R> Feed<R> {
    pub(crate) fn push(&self, outcome: &R) {
        if !self.outlet.is_abandoned() {
            self.outlet.push((self.copy)(outcome));
        }
    }

    pub(crate) fn outlet(&self) -> &Outlet<R> {
        &self.outlet
    }
}
