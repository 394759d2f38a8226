//! What is printed of a block.

use std::fmt;

use alloy_primitives::{B256, Bloom};
use chorus::{
    evm::{Block, BlockError, BlockOutcome, SpecId},
    sync::time::Duration,
};
use serde::Serialize;

use crate::check::HeaderChecks;

/// One block. What it lacks (a receipts root before Byzantium, everything after an error) is null.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    number: u64,
    hash: Option<B256>,
    spec: &'static str,
    txs: usize,
    gas_used: Option<u64>,
    receipts_root: Option<B256>,
    logs_bloom: Option<Bloom>,
    header: Option<HeaderChecks>,
    error: Option<String>,
    pub(super) matched: bool,
    execution_us: u64,
    path: Option<&'static str>,
}

impl Line {
    pub(super) fn new(
        block: &Block,
        outcome: &Result<BlockOutcome, BlockError>,
        took: Duration,
    ) -> Self {
        let header = outcome
            .as_ref()
            .ok()
            .map(|outcome| HeaderChecks::new(&block.claims, block.spec, outcome));
        let outcome = outcome.as_ref();
        let byzantium = block.spec.is_enabled_in(SpecId::BYZANTIUM);
        Self {
            number: block.env.number.saturating_to(),
            hash: block.claims.hash,
            spec: block.spec.into(),
            txs: block.transactions.len(),
            gas_used: outcome.map(|outcome| outcome.gas_used).ok(),
            receipts_root: outcome.ok().filter(|_| byzantium).map(BlockOutcome::receipts_root),
            logs_bloom: outcome.ok().map(BlockOutcome::logs_bloom),
            header,
            error: outcome.err().map(ToString::to_string),
            matched: header.is_some_and(|header| header.matched()),
            execution_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            path: outcome.ok().map(|outcome| match outcome.statistics.parallel {
                true => "parallel",
                false => "direct",
            }),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, spec, txs, .. } = self;
        let gas = self.gas_used.map_or("–".to_owned(), |gas| gas.to_string());
        let time = self.execution_us as f64 / 1e3;
        write!(f, "{number:>9}  {spec:<16} {txs:>5} txs {gas:>11} gas {time:>9.1} ms  ")?;
        match (&self.error, &self.header) {
            (Some(error), _) => f.write_str(error),
            (None, Some(header)) if !header.matched() => write!(f, "NOT {}", header.wrong()),
            (None, Some(header)) if header.anything() => f.write_str("ok"),
            _ => f.write_str("nothing to check against"),
        }
    }
}
