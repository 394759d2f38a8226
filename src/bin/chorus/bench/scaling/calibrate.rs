//! What the engine costs on one block, from runs of it.
//!
//! | cost | from |
//! |---|---|
//! | time of each transaction | timelines of one worker: the shortest of its runs |
//! | commit | timelines of one worker: the median commit |
//! | start | timelines of one worker: the median time between two transactions in which none is committed |
//! | contention | timelines of two workers: how many times longer their transactions run, in the median |
//! | publish, commit later | timelines of two workers: medians; the commit at once where there are none |
//! | look, spin, wake, notify | `idle` |
//!
//! What is from one worker is then lengthened until one virtual core takes as long as one worker did,
//! because shortest and median times leave out what is seldom, and what one transaction leaves to the
//! next in the caches.
//!
//! Timelines cost time themselves; what they say is scaled by how much longer a run with one takes.
//! Of whole runs the shortest counts, and of those on one thread only the share in which they had a
//! core: what else a machine does can only make them longer.

use std::{collections::HashMap, sync::Arc};

use chorus::{
    evm::{BlockError, Engine, ExecuteOptions, StateStore, workload::scenario::Contention},
    observe::timeline::{Incarnation, Recording, Timeline},
    sim::{Block, Costs, Settings, simulate},
    sync::time::Duration,
};

use super::{
    super::measure::{execute, one_by_one, spend},
    idle::median,
};
use crate::check::Answer;

/// Runs with a timeline, per engine.
const TIMELINES: usize = 3;
/// More than that is not contention but another program.
const MOST_CONTENTION: f64 = 2.0;
/// The most by which times and costs are fitted to a whole run.
const MOST_LEFT_OUT: f64 = 2.0;
/// The phase of a block in which its transactions run.
const TRANSACTIONS: usize = 1;

/// Engines that exist.
pub(super) struct Engines {
    /// With one worker and with two.
    pub(super) one: Engine,
    pub(super) two: Engine,
    /// With other numbers of workers.
    pub(super) more: Vec<(usize, Engine)>,
}

/// What was measured on a block. All times are those of its transactions, without what comes before and
/// after them.
pub(super) struct Calibration {
    /// One after another.
    pub(super) sequential: Duration,
    /// In parallel, on so many threads.
    pub(super) parallel: Vec<(usize, Duration)>,
    /// What the engine costs.
    pub(super) costs: Costs,
    /// How many times longer transactions run beside those of another worker.
    pub(super) contention: f64,
}

impl Calibration {
    /// Measures, and gives the block the times of the engine.
    pub(super) fn new(
        work: &Contention,
        block: &mut Block,
        engines: &Engines,
        idle: Costs,
        repeat: u32,
    ) -> Result<Self, BlockError> {
        let (one, two) = ((1, &engines.one), (2, &engines.two));
        let real: Vec<_> =
            [one, two].into_iter().chain(engines.more.iter().map(|it| (it.0, &it.1))).collect();
        let mut sequential = Vec::new();
        let mut parallel = vec![Vec::new(); real.len()];
        for round in 0..=repeat {
            let time = timed(true, || one_by_one(work))?;
            let mut times = Vec::new();
            for (threads, engine) in &real {
                times.push(timed(*threads == 1, || execute(work, engine))?);
            }
            // The first round gets everything going.
            if round > 0 {
                sequential.push(time);
                parallel.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
            }
        }
        let parallel: Vec<_> =
            real.iter().zip(parallel).map(|((threads, _), all)| (*threads, least(all))).collect();
        let alone = Traces::record(work, &engines.one)?;
        let together = Traces::record(work, &engines.two)?;
        let scale = alone.scale(parallel[0].1);
        let times = alone.times(block, scale);
        block.set_times(&times);
        let commit = alone.commits(false).unwrap_or_default().mul_f64(scale);
        let start = alone.gaps().mul_f64(scale);
        let contention = alone.contention(&together, block);
        let mut costs = Costs {
            start,
            commit,
            publish: together.publications().map_or(commit, |time| time.mul_f64(scale)),
            commit_later: together.commits(true).map_or(commit, |time| time.mul_f64(scale)),
            ..idle
        };
        fit(block, &mut costs, parallel[0].1);
        Ok(Self { sequential: least(sequential), parallel, costs, contention })
    }

    /// How long the block really took on so many threads.
    pub(super) fn real(&self, threads: usize) -> Option<Duration> {
        self.parallel.iter().find(|(other, _)| *other == threads).map(|(_, time)| *time)
    }
}

/// Lengthens times and costs until the block takes one virtual core as long as it took one worker.
fn fit(block: &mut Block, costs: &mut Costs, measured: Duration) {
    let settings = Settings { costs: *costs, ..Settings::new(1) };
    // What cannot be simulated will be told to whoever wants it simulated.
    let Ok(outcome) = simulate(&Arc::new(block.clone()), &settings) else { return };
    if outcome.time.is_zero() || measured.is_zero() {
        return;
    }
    let factor = measured.div_duration_f64(outcome.time).clamp(1.0 / MOST_LEFT_OUT, MOST_LEFT_OUT);
    block.set_times(&block.times().iter().map(|time| time.mul_f64(factor)).collect::<Vec<_>>());
    // What only several workers pay is measured where they pay it.
    for cost in [&mut costs.start, &mut costs.commit] {
        *cost = cost.mul_f64(factor);
    }
}

/// Timelines of one engine.
struct Traces {
    timelines: Vec<Timeline>,
    /// How long a run with a timeline takes; of no meaning but for one worker.
    time: Duration,
}

impl Traces {
    fn record(work: &Contention, engine: &Engine) -> Result<Self, BlockError> {
        let store: Arc<dyn StateStore> = work.store.clone();
        let (mut timelines, mut times) = (Vec::new(), Vec::new());
        for _ in 0..TIMELINES {
            let recording = Recording::new();
            let options = ExecuteOptions::new().trace(&recording);
            times.push(timed(true, || engine.execute_with(&work.block, &store, options))?);
            timelines.extend(recording.take());
        }
        Ok(Self { timelines, time: least(times) })
    }

    /// By how much the times of a timeline are to be shortened.
    fn scale(&self, without: Duration) -> f64 {
        (without.as_secs_f64() / self.time.as_secs_f64().max(1e-9)).min(1.0)
    }

    /// How many times longer transactions run in other timelines: the median.
    fn contention(&self, other: &Self, block: &Block) -> f64 {
        let pairs = self.times(block, 1.0).into_iter().zip(other.times(block, 1.0));
        let ratio = |(alone, beside): (Duration, Duration)| beside.div_duration_f64(alone);
        let mut ratios: Vec<_> = pairs.filter(|(alone, _)| !alone.is_zero()).map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(1.0).clamp(1.0, MOST_CONTENTION)
    }

    /// How long each transaction ran at the least; one that is not in a timeline, in proportion to what
    /// was recorded of it.
    fn times(&self, block: &Block, scale: f64) -> Vec<Duration> {
        let mut known = vec![None; block.transactions.len()];
        for incarnation in self.timelines.iter().flat_map(|timeline| &timeline.incarnations) {
            if let Some(known) = known.get_mut(incarnation.tx as usize) {
                let ran = Duration::from_nanos(incarnation.ran()).mul_f64(scale);
                *known = Some(known.map_or(ran, |before: Duration| before.min(ran)));
            }
        }
        let pairs = || known.iter().zip(&block.transactions);
        let both = || pairs().filter_map(|(known, recorded)| Some(((*known)?, recorded.work)));
        let all = both().map(|(known, _)| known).sum::<Duration>().as_secs_f64();
        let recorded = both().map(|(_, recorded)| recorded).sum::<Duration>().as_secs_f64();
        let factor = if recorded > 0.0 { all / recorded } else { 1.0 };
        pairs().map(|(known, it)| known.unwrap_or_else(|| it.work.mul_f64(factor))).collect()
    }

    /// How long a commit takes, of transactions that had been published before or that had not. `None`:
    /// there were none.
    fn commits(&self, published: bool) -> Option<Duration> {
        let mut times = Vec::new();
        for timeline in &self.timelines {
            let last = last_incarnations(timeline);
            for commit in &timeline.commits {
                let was = last.get(&commit.tx).and_then(|incarnation| incarnation.published);
                if was.is_some_and(|at| at < commit.span.end) == published {
                    times.push(Duration::from_nanos(commit.span.length()));
                }
            }
        }
        (!times.is_empty()).then(|| median(times))
    }

    /// How long it takes to publish, of transactions that did before their commit.
    fn publications(&self) -> Option<Duration> {
        let mut times = Vec::new();
        for timeline in &self.timelines {
            let ends: HashMap<_, _> =
                timeline.commits.iter().map(|commit| (commit.tx, commit.span.end)).collect();
            for incarnation in &timeline.incarnations {
                if let Some(at) = incarnation.published
                    && ends.get(&incarnation.tx).is_none_or(|end| at != *end)
                {
                    times.push(Duration::from_nanos(at.saturating_sub(incarnation.span.end)));
                }
            }
        }
        (!times.is_empty()).then(|| median(times))
    }

    /// How long it takes one worker from the end of a transaction to the start of the next, the commit
    /// between them aside.
    fn gaps(&self) -> Duration {
        let mut times = Vec::new();
        for timeline in &self.timelines {
            let commits: HashMap<_, _> =
                timeline.commits.iter().map(|commit| (commit.tx, commit.span.length())).collect();
            for pair in timeline.incarnations.windows(2) {
                let gap = pair[1].span.begin.saturating_sub(pair[0].span.end);
                let commit = commits.get(&pair[0].tx).copied().unwrap_or_default();
                times.push(Duration::from_nanos(gap.saturating_sub(commit)));
            }
        }
        median(times)
    }
}

/// The incarnation of each transaction that was committed.
fn last_incarnations(timeline: &Timeline) -> HashMap<u32, &Incarnation> {
    timeline.incarnations.iter().map(|incarnation| (incarnation.tx, incarnation)).collect()
}

/// How long the transactions of a run take. Where one thread does everything, without the time in which
/// the system had it off its core.
fn timed(alone: bool, run: impl FnOnce() -> Answer) -> Result<Duration, BlockError> {
    let (answer, spent) = spend(Duration::ZERO, run);
    let time = answer?.statistics.phases[TRANSACTIONS];
    let processor = spent.processor.filter(|_| alone).unwrap_or(spent.time);
    let share = processor.as_secs_f64() / spent.time.as_secs_f64().max(1e-9);
    Ok(time.mul_f64(share.min(1.0)))
}

/// The shortest; zero of none.
fn least(times: Vec<Duration>) -> Duration {
    times.into_iter().min().unwrap_or_default()
}
