//! One block's line: the fields of `--json`, which the table shows too.

use alloy_primitives::{B256, Bloom};
use chorus::evm::{Block, BlockOutcome, SpecId, Statistics};
use serde::Serialize;

use crate::{
    check::HeaderChecks,
    measure::{Measurement, Times},
};

/// The object of one block. Values that a block lacks (times after a mismatch, a receipts root
/// before Byzantium) are null.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) number: u64,
    pub(crate) spec: &'static str,
    pub(crate) txs: usize,
    pub(crate) gas_used: u64,
    pub(crate) receipts_root: Option<B256>,
    pub(crate) logs_bloom: Bloom,
    pub(crate) state_diff_hash: B256,
    pub(crate) header: HeaderChecks,
    pub(crate) equals_sequential: bool,
    pub(crate) threads: usize,
    pub(crate) sequential_us: Option<f64>,
    pub(crate) parallel_us: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) limit: Option<f64>,
    pub(crate) incarnations: u64,
    pub(crate) suspensions: u64,
    pub(crate) wasted_gas: u64,
    pub(crate) path: &'static str,
}

impl Report {
    /// The report of `outcome`, which the engine produced for `block`.
    pub(crate) fn new(
        block: &Block,
        outcome: &BlockOutcome,
        measurement: &Measurement,
        threads: usize,
        limit: Option<f64>,
    ) -> Self {
        let times: Option<&Times> = measurement.times.as_ref();
        let statistics: &Statistics = times.map_or(&outcome.statistics, |times| &times.statistics);
        let byzantium = block.spec.is_enabled_in(SpecId::BYZANTIUM);
        Self {
            number: block.env.number.saturating_to(),
            spec: block.spec.into(),
            txs: block.transactions.len(),
            gas_used: outcome.gas_used,
            receipts_root: byzantium.then(|| outcome.receipts_root()),
            logs_bloom: outcome.logs_bloom(),
            state_diff_hash: outcome.diff.hash(),
            header: HeaderChecks::new(&block.claims, block.spec, outcome),
            equals_sequential: measurement.difference.is_none(),
            threads,
            sequential_us: times.map(|times| rounded(times.sequential_us, 10.0)),
            parallel_us: times.map(|times| rounded(times.parallel_us, 10.0)),
            ratio: times.map(|times| rounded(times.ratio, 1e4)),
            limit: limit.map(|limit| rounded(limit, 1e4)),
            incarnations: statistics.incarnations,
            suspensions: statistics.suspensions,
            wasted_gas: statistics.wasted_gas,
            path: if statistics.parallel { "parallel" } else { "direct" },
        }
    }

    /// Whether everything that could be checked matched.
    pub(crate) fn matched(&self) -> bool {
        self.equals_sequential && self.header.matched()
    }
}

/// Enough digits to compare, few enough to read.
fn rounded(value: f64, unit: f64) -> f64 {
    (value * unit).round() / unit
}
