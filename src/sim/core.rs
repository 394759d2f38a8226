//! A virtual core with its worker.

use super::{
    ledger::{Ledger, Time, nanoseconds},
    replay::{Pause, Replay},
};
use crate::{
    context::{Desk, Run, Stride},
    sync::Arc,
};

/// What a core is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It makes its next step at that time.
    Active(Time),
    /// It looks for work from the first time to the second, then it sleeps.
    Looking(Time, Time),
    /// It sleeps until somebody wakes it.
    Asleep,
    /// It has left.
    Gone,
}

/// A core and the worker on it.
pub(super) struct Core {
    me: usize,
    pub(super) state: State,
    desk: Option<Desk<Replay>>,
    pause: Pause,
    /// It holds the token of the commit cursor, as long as what it has committed takes.
    holds: bool,
    /// Time in which it had something in hand.
    pub(super) busy: Time,
    /// Decides between cores whose times are equal.
    pub(super) rank: u64,
}

impl Core {
    pub(super) fn new(me: usize, ledger: &mut Ledger) -> Self {
        Self {
            me,
            state: State::Active(0),
            desk: Some(Desk::new(me)),
            pause: 0,
            holds: false,
            busy: 0,
            rank: ledger.draw(),
        }
    }

    /// When it acts next, if it does so by itself.
    pub(super) fn next(&self) -> Option<Time> {
        match self.state {
            State::Active(at) | State::Looking(_, at) => Some(at),
            State::Asleep | State::Gone => None,
        }
    }

    /// Makes a step at the time that it is due.
    pub(super) fn step(&mut self, run: &Arc<Run<Replay>>) {
        let Some(desk) = &mut self.desk else { return };
        let now = match self.state {
            State::Active(now) => now,
            State::Looking(_, until) => {
                // Nothing came up all the while.
                if run.scheduler.lie_down(self.me) {
                    self.state = State::Asleep;
                    return;
                }
                until
            }
            State::Asleep | State::Gone => return,
        };
        let costs = &run.machine.costs;
        run.machine.ledger.lock().begin(now);
        let stride = match std::mem::take(&mut self.holds) && run.scheduler.cursor().let_go() {
            true => {
                run.commit_own(self.me);
                Stride::On
            }
            false => desk.step(run, &mut self.pause),
        };
        let (after, committed) = run.machine.ledger.lock().end();
        self.holds = committed && run.scheduler.cursor().hold();
        // To look in vain takes time, if nothing else does, so that time goes on.
        let looked = after + nanoseconds(costs.look).max(1);
        self.state = match stride {
            Stride::Paused => State::Active(after + self.pause),
            Stride::On => State::Active(after),
            Stride::Yield => State::Active(looked),
            Stride::Sleep => State::Looking(looked, looked + nanoseconds(costs.spin)),
            Stride::Leave => {
                self.leave();
                return;
            }
        };
        if let (State::Active(next), true) = (self.state, stride != Stride::Yield) {
            self.busy += next - now;
        }
    }

    /// Goes away with all that it holds.
    pub(super) fn leave(&mut self) {
        if let Some(desk) = self.desk.take() {
            desk.leave(&mut self.pause);
        }
        self.state = State::Gone;
    }

    /// Notices at `now` what has come up for it. `true`: it slept, and somebody has woken it.
    pub(super) fn notice(&mut self, run: &Run<Replay>, now: Time) -> bool {
        match self.state {
            State::Looking(since, _) if run.scheduler.has_work(self.me) => {
                self.state = State::Active(now.max(since));
                false
            }
            State::Asleep if run.scheduler.is_woken(self.me) => {
                let wake = run.machine.ledger.lock().vary(nanoseconds(run.machine.costs.wake));
                self.state = State::Active(now + wake);
                true
            }
            _ => false,
        }
    }

    /// Is taken away for a while.
    pub(super) fn stall(&mut self, until: Time) {
        if let State::Active(at) | State::Looking(_, at) = &mut self.state {
            *at = until.max(*at);
        }
    }

    /// Whoever makes it busy pays for that.
    pub(super) fn pay(&mut self, time: Time) {
        if let State::Active(at) | State::Looking(_, at) = &mut self.state {
            *at += time;
            self.busy += time;
        }
    }
}
