//! What is said about one block on so many cores.

use chorus::{
    evm::limit::Profile,
    sim::{Block, Costs, Outcome, Settings},
    sync::time::Duration,
};
use serde::Serialize;

use super::calibrate::Calibration;

/// The object of `--json`. Times are in microseconds, costs in nanoseconds.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) txs: usize,
    pub(super) cores: usize,
    pub(super) seed: u64,
    pub(super) window: u32,
    /// The transactions one after another, measured, and their reads.
    pub(super) sequential_us: f64,
    /// The transactions on virtual cores.
    pub(super) simulated_us: f64,
    /// The first divided by the second.
    pub(super) speed_up: f64,
    /// What the engine really reaches on so many threads, where the machine has them.
    pub(super) measured_speed_up: Option<f64>,
    /// `min(cores, work ÷ longest chain)`, accounts and slots taken for one value each.
    pub(super) bound: f64,
    pub(super) share_of_bound: f64,
    /// The same bound with chains as the engine sees them: balances merged, nonces predicted.
    pub(super) engine_bound: f64,
    /// How many times longer transactions run beside those of another worker: so they do on all numbers of
    /// cores but one.
    pub(super) contention: f64,
    /// Time of the engine with one worker, measured, in relation to one after another.
    pub(super) overhead: f64,
    pub(super) incarnations: u64,
    pub(super) suspensions: u64,
    /// Of the time of all cores: thrown away.
    pub(super) wasted: f64,
    /// Of the time of all cores: nothing to do.
    pub(super) idle: f64,
    /// Of the block's time: the commits, of which one is made at a time.
    pub(super) committing: f64,
    /// The simulation's final state is the sequential one.
    pub(super) equals_sequential: bool,
    pub(super) costs: CostsRow,
}

/// What the engine costs, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CostsRow {
    start: u64,
    publish: u64,
    commit: u64,
    commit_later: u64,
    look: u64,
    spin: u64,
    wake: u64,
    notify: u64,
    read: u64,
}

impl From<&Costs> for CostsRow {
    fn from(costs: &Costs) -> Self {
        let ns = |time: Duration| time.as_nanos() as u64;
        Self {
            start: ns(costs.start),
            publish: ns(costs.publish),
            commit: ns(costs.commit),
            commit_later: ns(costs.commit_later),
            look: ns(costs.look),
            spin: ns(costs.spin),
            wake: ns(costs.wake),
            notify: ns(costs.notify),
            read: ns(costs.read),
        }
    }
}

/// What bounds the block.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// The block as it is simulated.
    pub(super) block: &'a Block,
    /// The block with accounts as values, and the same times.
    pub(super) values: &'a Block,
    /// What it reads that is cold.
    pub(super) profile: &'a Profile,
}

impl Bounds<'_> {
    fn on(&self, cores: usize, read: Duration) -> f64 {
        match read.is_zero() {
            true => self.values.bound(cores),
            false => self.profile.limit_at(cores, read),
        }
    }
}

impl Row {
    pub(super) fn new(
        name: &str,
        bounds: Bounds<'_>,
        calibration: &Calibration,
        settings: &Settings,
        outcome: &Outcome,
        equal: bool,
    ) -> Self {
        let cores = settings.cores;
        let read = settings.costs.read;
        let sequential = calibration.sequential + read * bounds.profile.cold_reads();
        let ratio = |time: Duration| sequential.as_secs_f64() / time.as_secs_f64().max(1e-12);
        let bound = bounds.on(cores, read);
        let speed_up = ratio(outcome.time);
        let measured = calibration.sequential.as_secs_f64();
        let real = calibration.real(cores).filter(|_| read.is_zero());
        let all = (outcome.time * cores as u32).as_secs_f64().max(1e-12);
        let share = |time: Duration| thousandths(time.as_secs_f64() / all);
        let busy: Duration = outcome.busy.iter().sum();
        Self {
            scenario: name.to_owned(),
            txs: bounds.block.transactions.len(),
            cores,
            seed: settings.seed,
            window: settings.window,
            sequential_us: microseconds(sequential),
            simulated_us: microseconds(outcome.time),
            speed_up: thousandths(speed_up),
            measured_speed_up: real.map(|time| thousandths(measured / time.as_secs_f64())),
            bound: thousandths(bound),
            share_of_bound: thousandths(speed_up / bound),
            engine_bound: thousandths(bounds.block.bound(cores)),
            contention: thousandths(calibration.contention),
            overhead: thousandths(calibration.parallel[0].1.as_secs_f64() / measured.max(1e-12)),
            incarnations: outcome.incarnations,
            suspensions: outcome.suspensions,
            wasted: share(outcome.wasted),
            idle: thousandths((1.0 - busy.as_secs_f64() / all).max(0.0)),
            committing: thousandths(
                outcome.committing.as_secs_f64() / outcome.time.as_secs_f64().max(1e-12),
            ),
            equals_sequential: equal,
            costs: (&settings.costs).into(),
        }
    }
}

fn microseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

fn thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
