//! What is said about one case on so many threads: the object of `--json`.

use std::collections::BTreeMap;

use chorus::evm::{BlockOutcome, Statistics, workload::scenario::Contention};
use serde::Serialize;

use super::{
    cases::Case,
    estimate::{Estimate, median},
    measure::{Measured, Pair, Spent},
};

/// A case on so many threads. Times are in microseconds, medians over the runs; what the system does
/// not say is null.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) parameters: BTreeMap<&'static str, f64>,
    pub(super) seed: Option<u64>,
    pub(super) txs: usize,
    pub(super) gas_used: u64,
    pub(super) threads: usize,
    pub(super) repeat: usize,
    /// Milliseconds of sleep before each run.
    pub(super) pause_ms: u32,
    pub(super) path: &'static str,
    /// Transactions that were executed one by one.
    pub(super) direct_txs: u64,
    pub(super) equals_sequential: bool,
    pub(super) sequential_us: f64,
    pub(super) parallel_us: f64,
    /// Median of the pairs' ratios, and the interval that holds it with 95 % confidence.
    pub(super) ratio: f64,
    pub(super) ratio_low: f64,
    pub(super) ratio_high: f64,
    /// The same with what the engine had learned from the runs before; null unless asked for.
    pub(super) warm_ratio: Option<f64>,
    pub(super) warm_ratio_low: Option<f64>,
    pub(super) warm_ratio_high: Option<f64>,
    pub(super) warm_path: Option<&'static str>,
    /// The best ratio that the block's dependencies allow.
    pub(super) limit: f64,
    pub(super) ratio_to_limit: f64,
    /// How many times faster the machine was on as many copies of the baseline side by side as there are
    /// threads (cores, if they are fewer) than on one after another; null for one.
    pub(super) machine: Option<f64>,
    pub(super) ratio_to_machine: Option<f64>,
    pub(super) incarnations: u64,
    pub(super) suspensions: u64,
    pub(super) wasted_gas: u64,
    /// Gas thrown away by gas of the block.
    pub(super) wasted_share: f64,
    pub(super) sequential_cpu_us: Option<f64>,
    pub(super) parallel_cpu_us: Option<f64>,
    pub(super) sequential_peak_bytes: Option<u64>,
    pub(super) parallel_peak_bytes: Option<u64>,
}

impl Row {
    pub(super) fn new(
        case: &Case,
        work: &Contention,
        outcome: &BlockOutcome,
        measured: &Measured,
        limit: f64,
        peaks: [Option<u64>; 2],
        pause_ms: u32,
    ) -> Self {
        let pairs = &measured.pairs;
        let ratio = Estimate::of(&pairs.iter().map(Pair::ratio).collect::<Vec<_>>());
        let statistics = middle(pairs);
        let warm = (!measured.warm.is_empty())
            .then(|| Estimate::of(&measured.warm.iter().map(Pair::ratio).collect::<Vec<_>>()));
        let warm_ratio = |part: fn(Estimate) -> f64| warm.map(|warm| rounded(part(warm), 1e4));
        let path = |parallel| if parallel { "parallel" } else { "direct" };
        let paired = |of: fn(&Pair) -> Option<f64>| {
            pairs
                .iter()
                .map(of)
                .collect::<Option<Vec<_>>>()
                .filter(|all| !all.is_empty())
                .map(median)
        };
        let machine = paired(Pair::machine);
        let to_machine = paired(|pair| Some(pair.ratio() / pair.machine()?.max(1e-9)));
        let (parameters, seed) = match case {
            Case::Scenario { settings, seed, .. } => (settings.iter().collect(), Some(*seed)),
            Case::Directory(_) => (BTreeMap::new(), None),
        };
        let time = |side: fn(&Pair) -> Spent| {
            median(pairs.iter().map(|pair| side(pair).time.as_secs_f64() * 1e6).collect())
        };
        let processor = |side: fn(&Pair) -> Spent| {
            let times: Option<Vec<_>> =
                pairs.iter().map(|pair| Some(side(pair).processor?.as_secs_f64() * 1e6)).collect();
            times.map(|times| rounded(median(times), 10.0))
        };
        Self {
            scenario: case.name(),
            parameters,
            seed,
            txs: work.block.transactions.len(),
            gas_used: outcome.gas_used,
            threads: measured.threads,
            repeat: pairs.len(),
            pause_ms,
            path: path(statistics.parallel),
            direct_txs: statistics.direct,
            equals_sequential: measured.difference.is_none(),
            sequential_us: rounded(time(|pair| pair.sequential), 10.0),
            parallel_us: rounded(time(|pair| pair.parallel), 10.0),
            ratio: rounded(ratio.median, 1e4),
            ratio_low: rounded(ratio.low, 1e4),
            ratio_high: rounded(ratio.high, 1e4),
            warm_ratio: warm_ratio(|warm| warm.median),
            warm_ratio_low: warm_ratio(|warm| warm.low),
            warm_ratio_high: warm_ratio(|warm| warm.high),
            warm_path: warm.map(|_| path(middle(&measured.warm).parallel)),
            limit: rounded(limit, 1e4),
            ratio_to_limit: rounded(ratio.median / limit.max(1e-9), 1e4),
            machine: machine.map(|machine| rounded(machine, 1e4)),
            ratio_to_machine: to_machine.map(|ratio| rounded(ratio, 1e4)),
            incarnations: statistics.incarnations,
            suspensions: statistics.suspensions,
            wasted_gas: statistics.wasted_gas,
            wasted_share: rounded(
                statistics.wasted_gas as f64 / outcome.gas_used.max(1) as f64,
                1e6,
            ),
            sequential_cpu_us: processor(|pair| pair.sequential),
            parallel_cpu_us: processor(|pair| pair.parallel),
            sequential_peak_bytes: peaks[0],
            parallel_peak_bytes: peaks[1],
        }
    }

    /// Microseconds per transaction, of the baseline and of the engine.
    pub(super) fn cost(&self) -> [f64; 2] {
        [self.sequential_us, self.parallel_us].map(|time| time / self.txs.max(1) as f64)
    }
}

/// How the run of the median ratio went.
fn middle(pairs: &[Pair]) -> Statistics {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    sorted.get(sorted.len() / 2).map(|pair| pair.statistics.clone()).unwrap_or_default()
}

/// Enough digits to compare, few enough to read.
fn rounded(value: f64, unit: f64) -> f64 {
    (value * unit).round() / unit
}
