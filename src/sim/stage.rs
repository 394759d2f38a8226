//! The course of virtual time: what happens next, happens.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    Block, Fault, Location, Outcome, Settings, SimError,
    core::{Core, State},
    ledger::{Ledger, Time, nanoseconds},
    replay::Replay,
};
use crate::{
    context::{Conclusion, Run},
    sync::{Arc, time::Duration},
};

/// Steps per transaction and core after which a block is taken to go on for ever.
const PATIENCE: u64 = 1_000;

/// What happens by itself at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// The store answers.
    Answer(Location),
    /// A core's worker dies.
    Death(usize),
    /// A core is taken away until then.
    Stall(usize, Time),
}

/// Everything that is going on.
struct Stage {
    run: Arc<Run<Replay>>,
    cores: Vec<Core>,
    happenings: BinaryHeap<Reverse<(Time, Happening)>>,
}

/// Executes the block on virtual cores.
///
/// # Errors
///
/// [`SimError`] if the settings or the block make no sense, if a fault ends the block, or if the
/// scheduler leaves work undone.
pub fn simulate(block: &Arc<Block>, settings: &Settings) -> Result<Outcome, SimError> {
    if settings.cores == 0 {
        return Err(SimError::NoCores);
    }
    block.check()?;
    let mut ledger = Ledger::new(settings.seed, settings.jitter);
    let cores = (0..settings.cores).map(|me| Core::new(me, &mut ledger)).collect();
    let replay = Replay::new(block.clone(), settings.costs, ledger, &settings.faults);
    let run = Arc::new(Run::new(replay, settings.cores, settings.window));
    let happenings = settings.faults.iter().filter_map(happening).map(Reverse).collect();
    let mut stage = Stage { run, cores, happenings };
    let steps = stage.play()?;
    stage.outcome(steps)
}

fn happening(fault: &Fault) -> Option<(Time, Happening)> {
    match *fault {
        Fault::Panic { .. } => None,
        Fault::Death { core, at } => Some((nanoseconds(at), Happening::Death(core))),
        Fault::Stall { core, at, length } => {
            let until = nanoseconds(at) + nanoseconds(length);
            Some((nanoseconds(at), Happening::Stall(core, until)))
        }
    }
}

impl Stage {
    /// Plays the block to its end; says in how many steps.
    fn play(&mut self) -> Result<u64, SimError> {
        let work = u64::from(self.run.scheduler.len()) + 1;
        let most = work.saturating_mul(self.cores.len() as u64).saturating_mul(PATIENCE);
        for steps in 0..most {
            let next = self.next_core();
            let happening = self.happenings.peek().map(|Reverse((time, _))| *time);
            match (next, happening) {
                (Some((time, at)), happening) if happening.is_none_or(|other| time < other) => {
                    self.step(time, at);
                }
                _ if self.run.scheduler.is_stopped() => return Ok(steps),
                (_, Some(_)) => self.happen(),
                _ => break,
            }
        }
        Err(SimError::Stuck { committed: self.run.scheduler.cursor().frontier().0 })
    }

    /// The core that acts first.
    fn next_core(&self) -> Option<(Time, usize)> {
        let due = self.cores.iter().enumerate();
        let due = due.filter_map(|(at, core)| Some((core.next()?, core.rank, at)));
        due.min().map(|(time, _, at)| (time, at))
    }

    fn step(&mut self, now: Time, at: usize) {
        self.cores[at].step(&self.run);
        let woken = self.notice(now);
        self.cores[at].pay(woken * nanoseconds(self.run.machine.costs.notify));
        let begun = self.run.machine.take_begun();
        let answer = |(time, location)| Reverse((time, Happening::Answer(location)));
        self.happenings.extend(begun.into_iter().map(answer));
    }

    /// Every core notices what has come up for it; says how many were woken.
    fn notice(&mut self, now: Time) -> u64 {
        let run = &self.run;
        self.cores.iter_mut().map(|core| u64::from(core.notice(run, now))).sum()
    }

    fn happen(&mut self) {
        let Some(Reverse((now, happening))) = self.happenings.pop() else { return };
        match happening {
            Happening::Answer(location) => {
                for tx in self.run.machine.answer(location) {
                    self.run.scheduler.wake(tx);
                }
            }
            Happening::Death(core) => {
                if let Some(dead) = self.cores.get_mut(core).filter(|it| it.state != State::Gone) {
                    dead.leave();
                    self.run.fail(SimError::CoreDied { core });
                }
            }
            Happening::Stall(core, until) => {
                if let Some(core) = self.cores.get_mut(core) {
                    core.stall(until);
                }
            }
        }
        self.notice(now);
    }

    fn outcome(self, steps: u64) -> Result<Outcome, SimError> {
        match self.run.conclude() {
            Conclusion::Complete => {}
            Conclusion::Failed(error) => return Err(error),
            Conclusion::Stopped { .. } | Conclusion::HandedOver { .. } => {
                let committed = self.run.scheduler.cursor().frontier().0;
                return Err(SimError::Stuck { committed });
            }
        }
        let (totals, ledger) = (self.run.totals(), self.run.machine.ledger.lock());
        Ok(Outcome {
            time: Duration::from_nanos(ledger.committed()),
            busy: self.cores.iter().map(|core| Duration::from_nanos(core.busy)).collect(),
            wasted: Duration::from_nanos(totals.wasted),
            committing: Duration::from_nanos(ledger.committing()),
            incarnations: totals.incarnations,
            suspensions: totals.suspensions,
            steps,
            state: self.run.machine.state(),
        })
    }
}
