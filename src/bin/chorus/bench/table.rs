//! The table that a person reads.

use std::io::{self, Write};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, Table as Grid,
    modifiers::UTF8_ROUND_CORNERS, presets::UTF8_FULL_CONDENSED,
};

use super::row::Row;
use crate::table::{duration, means, thousands};

pub(super) const HEADINGS: [&str; 16] = [
    "scenario",
    "txs",
    "threads",
    "sequential",
    "parallel",
    "ratio [95 %]",
    "warm",
    "limit",
    "of limit",
    "machine",
    "incarnations",
    "suspensions",
    "wasted gas",
    "CPU seq → par",
    "peak seq → par",
    "path",
];

/// Writes the table and a summary under it.
pub(super) fn print(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED)
        .apply_modifier(UTF8_ROUND_CORNERS)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for row in rows {
        let mut cells = cells(row).map(Cell::new);
        if !row.equals_sequential {
            cells[5] = Cell::new("NOT EQUAL").fg(Color::Red);
        }
        grid.add_row(cells);
    }
    for column in 1..HEADINGS.len() - 1 {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{grid}")?;
    let ratios: Vec<f64> =
        rows.iter().filter(|row| row.equals_sequential).map(|row| row.ratio).collect();
    if ratios.len() > 1 {
        writeln!(out, "Ratio to sequential: {}.", means(&ratios))?;
    }
    let machine: Vec<f64> = rows.iter().filter_map(|row| row.machine).collect();
    if machine.len() > 1 {
        let side_by_side = "The machine's own, copies of the baseline side by side";
        writeln!(out, "{side_by_side}: {}.", means(&machine))?;
    }
    if let Some(row) = rows.first().filter(|row| row.pause_ms > 0) {
        writeln!(out, "{} ms of sleep before each run.", row.pause_ms)?;
    }
    match rows.iter().filter(|row| !row.equals_sequential).count() {
        0 => writeln!(out, "Every run equals the sequential one."),
        wrong => writeln!(out, "{wrong} rows do NOT equal the sequential run."),
    }
}

/// A row as text, in the order of the headings.
pub(super) fn cells(row: &Row) -> [String; 16] {
    let arrow = |one: Option<String>, other: Option<String>| match one.zip(other) {
        Some((one, other)) => format!("{one} → {other}"),
        None => "–".to_owned(),
    };
    [
        row.scenario.clone(),
        thousands(row.txs as u64),
        row.threads.to_string(),
        duration(row.sequential_us),
        duration(row.parallel_us),
        format!("{:.2} [{:.2}, {:.2}]", row.ratio, row.ratio_low, row.ratio_high),
        row.warm_ratio.map_or_else(|| "–".to_owned(), |warm| format!("{warm:.2}")),
        format!("{:.2}", row.limit),
        format!("{:.0} %", row.ratio_to_limit * 100.0),
        row.machine.map_or_else(|| "–".to_owned(), |machine| format!("{machine:.2}")),
        thousands(row.incarnations),
        thousands(row.suspensions),
        format!("{:.1} %", row.wasted_share * 100.0),
        arrow(row.sequential_cpu_us.map(duration), row.parallel_cpu_us.map(duration)),
        arrow(row.sequential_peak_bytes.map(bytes), row.parallel_peak_bytes.map(bytes)),
        path(row),
    ]
}

/// Which way the block took, and how many transactions another one.
fn path(row: &Row) -> String {
    match row.direct_txs {
        0 => row.path.to_owned(),
        all if all == row.txs as u64 => row.path.to_owned(),
        some => format!("{}, {} direct", row.path, thousands(some)),
    }
}

fn bytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
