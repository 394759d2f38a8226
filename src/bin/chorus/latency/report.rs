//! What `chorus bench latency` prints.

use std::io::{self, Write};

use chorus::{evm::limit::Profile, sync::time::Duration};
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, Table as Grid,
    modifiers::UTF8_ROUND_CORNERS, presets::UTF8_FULL_CONDENSED,
};
use serde::Serialize;

use super::measure::Measured;
use crate::{
    executor::Work,
    table::{LONG_TXS, LONG_US, duration, means, thousands},
};

/// A block at a latency: the object of `--json`. Times are in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) block: String,
    pub(super) txs: usize,
    /// Locations that the block reads.
    pub(super) cold_reads: u32,
    /// What a cold read was to take.
    pub(super) latency_us: u64,
    /// What it took on average, and in 99 of 100 cases.
    pub(super) achieved_mean_us: f64,
    pub(super) achieved_p99_us: f64,
    pub(super) sequential_us: f64,
    /// False: worked out from the time at zero latency, for a run that would take too long.
    pub(super) sequential_measured: bool,
    pub(super) parallel_us: f64,
    pub(super) ratio: f64,
    /// The ratio that no engine passes whose transactions wait for their reads one after another.
    pub(super) limit: f64,
    /// Median time, as a multiple of this engine's own at zero latency, measured in turns.
    pub(super) of_zero_latency: f64,
    pub(super) sequential_us_at_zero: f64,
    pub(super) suspensions: u64,
    pub(super) incarnations: u64,
    pub(super) reads: u64,
    pub(super) most_reads_in_flight: usize,
    pub(super) scouts: u64,
    pub(super) equals_sequential: bool,
}

impl Row {
    pub(super) fn new(
        name: &str,
        work: &Work,
        profile: &Profile,
        measured: &Measured,
        at_zero: &Measured,
        limit: f64,
    ) -> Self {
        let statistics = &measured.statistics;
        Self {
            block: name.to_owned(),
            txs: work.block.transactions.len(),
            cold_reads: profile.cold_reads(),
            latency_us: measured.latency.as_micros() as u64,
            achieved_mean_us: microseconds(measured.achieved.mean),
            achieved_p99_us: microseconds(measured.achieved.p99),
            sequential_us: microseconds(measured.sequential),
            sequential_measured: measured.ran,
            parallel_us: microseconds(measured.parallel),
            ratio: hundredths(measured.ratio),
            limit: hundredths(limit),
            of_zero_latency: hundredths(measured.of_zero),
            sequential_us_at_zero: microseconds(at_zero.sequential),
            suspensions: statistics.suspensions,
            incarnations: statistics.incarnations,
            reads: statistics.reads.started,
            most_reads_in_flight: statistics.reads.most_in_flight,
            scouts: statistics.scouts,
            equals_sequential: measured.equal,
        }
    }
}

fn microseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

const HEADINGS: [&str; 12] = [
    "block",
    "txs",
    "cold reads",
    "latency",
    "achieved",
    "sequential",
    "parallel",
    "ratio",
    "limit",
    "× own at 0",
    "waits",
    "scouts",
];

/// Writes the table and, for each latency, the mean over the blocks that are long enough.
pub(super) fn table(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED)
        .apply_modifier(UTF8_ROUND_CORNERS)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for row in rows {
        grid.add_row(cells(row));
    }
    for column in 1..HEADINGS.len() {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{grid}")?;
    let mut latencies: Vec<u64> = rows.iter().map(|row| row.latency_us).collect();
    latencies.sort_unstable();
    latencies.dedup();
    for latency in latencies {
        let long = |row: &&Row| {
            row.latency_us == latency && row.txs >= LONG_TXS && row.sequential_us_at_zero >= LONG_US
        };
        let long: Vec<&Row> = rows.iter().filter(long).collect();
        if long.len() > 1 {
            let ratios: Vec<f64> = long.iter().map(|row| row.ratio).collect();
            let limits: Vec<f64> = long.iter().map(|row| row.limit).collect();
            writeln!(
                out,
                "At {latency} µs, blocks of {LONG_TXS} transactions and {LONG_US} µs or more: {}; \
                 of the limits {}.",
                means(&ratios),
                means(&limits),
            )?;
        }
    }
    if rows.iter().any(|row| !row.sequential_measured) {
        writeln!(out, "* worked out: the time at zero latency and the latencies of all reads.")?;
    }
    let wrong = rows.iter().filter(|row| !row.equals_sequential).count();
    match wrong {
        0 => writeln!(out, "Every run equals the sequential one."),
        _ => writeln!(out, "{wrong} rows do NOT equal the sequential run."),
    }
}

fn cells(row: &Row) -> Vec<Cell> {
    let star = if row.sequential_measured { "" } else { "*" };
    let achieved = match row.latency_us {
        0 => "–".to_owned(),
        _ => format!("{:.1} µs, p99 {:.0}", row.achieved_mean_us, row.achieved_p99_us),
    };
    let ratio = Cell::new(format!("{:.2}", row.ratio));
    vec![
        Cell::new(&row.block),
        Cell::new(thousands(row.txs as u64)),
        Cell::new(thousands(row.cold_reads.into())),
        Cell::new(format!("{} µs", row.latency_us)),
        Cell::new(achieved),
        Cell::new(format!("{}{star}", duration(row.sequential_us))),
        Cell::new(duration(row.parallel_us)),
        if row.equals_sequential { ratio } else { ratio.fg(Color::Red) },
        Cell::new(format!("{:.2}", row.limit)),
        Cell::new(format!("{:.2}", row.of_zero_latency)),
        Cell::new(thousands(row.suspensions)),
        Cell::new(thousands(row.scouts)),
    ]
}
