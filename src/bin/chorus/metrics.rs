//! `--metrics`: what the engine did over all blocks, and shared memory's metrics, as Prometheus text.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use chorus::observe::{Family, FamilyKind, Measure, MetricsSnapshot, to_prometheus};

use crate::report::Report;

/// The numbers of the reported runs: one run per block, the one whose numbers its line shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    parallel_blocks: u64,
    direct_blocks: u64,
    transactions: u64,
    gas_used: u64,
    incarnations: u64,
    suspensions: u64,
    wasted_gas: u64,
    threads: usize,
}

impl Totals {
    /// Nothing yet, on so many workers.
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads, ..Self::default() }
    }

    /// Adds a block.
    pub(crate) fn count(&mut self, report: &Report) {
        match report.path {
            "parallel" => self.parallel_blocks += 1,
            _ => self.direct_blocks += 1,
        }
        self.transactions += report.txs as u64;
        self.gas_used += report.gas_used;
        self.incarnations += report.incarnations;
        self.suspensions += report.suspensions;
        self.wasted_gas += report.wasted_gas;
    }

    fn families(&self) -> Vec<Family> {
        let blocks = Family::new(
            "chorus_engine_blocks_total",
            FamilyKind::Counter,
            Measure::Count,
            "Blocks executed, by the way they took through the engine",
        )
        .with(&[("path", "parallel")], self.parallel_blocks)
        .with(&[("path", "direct")], self.direct_blocks);
        vec![
            blocks,
            Family::counter(
                "chorus_engine_transactions_total",
                "Transactions in these blocks",
                self.transactions,
            ),
            Family::counter(
                "chorus_engine_gas_total",
                "Gas used by their executed transactions",
                self.gas_used,
            ),
            Family::counter(
                "chorus_engine_incarnations_total",
                "Runs of transactions that were started",
                self.incarnations,
            ),
            Family::counter(
                "chorus_engine_suspensions_total",
                "Times a transaction had to wait",
                self.suspensions,
            ),
            Family::counter(
                "chorus_engine_wasted_gas_total",
                "Gas of runs that were thrown away",
                self.wasted_gas,
            ),
            Family::gauge("chorus_engine_threads", "Worker threads", self.threads as u64),
        ]
    }
}

/// The metrics cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct MetricsError {
    /// Where to.
    path: PathBuf,
    /// Why not.
    error: io::Error,
}

/// Where the metrics go.
#[derive(Debug)]
pub(crate) struct Destination {
    path: PathBuf,
    /// `None` is standard output.
    file: Option<File>,
}

impl Destination {
    /// Opens the file, `-` being standard output. What is in it stays there until the end: a run that
    /// fails leaves the metrics of the one before, and a path that cannot be written is found out
    /// before anything runs.
    pub(crate) fn open(path: &Path) -> Result<Self, MetricsError> {
        let open = || File::options().write(true).create(true).truncate(false).open(path);
        let file = (path != Path::new("-")).then(open).transpose();
        let file = file.map_err(|error| MetricsError { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Replaces what was there.
    pub(crate) fn write(
        self,
        engine: &Totals,
        regions: &MetricsSnapshot,
    ) -> Result<(), MetricsError> {
        let text = to_prometheus(&engine.families()) + &regions.to_prometheus();
        let written = match self.file {
            Some(file) => replace(file, &text),
            None => io::stdout().lock().write_all(text.as_bytes()),
        };
        written.map_err(|error| MetricsError { path: self.path, error })
    }
}

fn replace(mut file: File, text: &str) -> io::Result<()> {
    // A pipe or a device has no length.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}
