//! The accounts of virtual time while a core makes a step.

use super::{Costs, block::scatter};
use crate::sync::time::Duration;

/// Virtual time in nanoseconds since the block began.
pub(super) type Time = u64;

/// What the step under way has taken, and what all steps have.
#[derive(Debug)]
pub(super) struct Ledger {
    /// When the step began.
    begun: Time,
    /// The clock of the core whose step it is.
    now: Time,
    /// When the last commit so far has ended.
    committed: Time,
    /// Time that commits have taken.
    committing: Time,
    chance: u64,
    jitter: f64,
}

/// A cost as a time.
pub(super) fn nanoseconds(duration: Duration) -> Time {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

impl Ledger {
    pub(super) fn new(seed: u64, jitter: f64) -> Self {
        let chance = scatter(seed);
        Self {
            begun: 0,
            now: 0,
            committed: 0,
            committing: 0,
            chance,
            jitter: jitter.clamp(0.0, 1.0),
        }
    }

    /// A number that follows from the seed and from how many were drawn before.
    pub(super) fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(1);
        scatter(self.chance)
    }

    /// A time as it turns out to be.
    pub(super) fn vary(&mut self, time: Time) -> Time {
        if self.jitter == 0.0 || time == 0 {
            return time;
        }
        let share = self.draw() as f64 / u64::MAX as f64;
        (time as f64 * (1.0 + self.jitter * (2.0 * share - 1.0))) as Time
    }

    /// A core begins a step.
    pub(super) fn begin(&mut self, now: Time) {
        (self.begun, self.now) = (now, now);
    }

    /// The clock of the core whose step it is.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// The step ends: the clock of its core, and whether it has committed anything in a time that others
    /// notice.
    pub(super) fn end(&self) -> (Time, bool) {
        (self.now, self.committed > self.begun)
    }

    /// The step takes that much longer.
    pub(super) fn charge(&mut self, cost: Duration) {
        let cost = self.vary(nanoseconds(cost));
        self.now += cost;
    }

    /// The step commits.
    pub(super) fn commit(&mut self, costs: &Costs, published: bool) {
        let begin = self.now;
        self.charge(if published { costs.commit_later } else { costs.commit });
        self.committing += self.now - begin;
        self.committed = self.now;
    }

    /// When the last commit has ended.
    pub(super) fn committed(&self) -> Time {
        self.committed
    }

    /// Time that commits have taken.
    pub(super) fn committing(&self) -> Time {
        self.committing
    }
}
