//! The table that a person reads.

use std::io::{self, Write};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, Table as Grid,
    modifiers::UTF8_ROUND_CORNERS, presets::UTF8_FULL_CONDENSED,
};

use super::row::Row;
use crate::table::{LONG_TXS, LONG_US, thousands};

const HEADINGS: [&str; 13] = [
    "scenario",
    "txs",
    "cores",
    "window",
    "speed-up",
    "measured",
    "bound",
    "of bound",
    "incarnations",
    "suspensions",
    "wasted",
    "idle",
    "committing",
];

/// What the target says of a block on four cores and more.
const TARGET: f64 = 0.9;

/// Writes the table, and for each number of cores how the long blocks did.
pub(super) fn print(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED)
        .apply_modifier(UTF8_ROUND_CORNERS)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for row in rows {
        let mut cells = cells(row).map(Cell::new);
        if !row.equals_sequential {
            cells[3] = Cell::new("NOT EQUAL").fg(Color::Red);
        }
        grid.add_row(cells);
    }
    for column in 1..HEADINGS.len() {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{grid}")?;
    let mut kinds: Vec<_> = rows.iter().map(|row| (row.window, row.cores)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for (window, cores) in kinds {
        let long = |row: &&Row| {
            (row.window, row.cores) == (window, cores)
                && row.txs >= LONG_TXS
                && row.sequential_us >= LONG_US
        };
        let long: Vec<&Row> = rows.iter().filter(long).collect();
        if long.len() > 1 {
            let noun = if cores == 1 { "core" } else { "cores" };
            let mean = |value: fn(&Row) -> f64| {
                let logarithms = long.iter().map(|row| value(row).max(1e-9).ln());
                (logarithms.sum::<f64>() / long.len() as f64).exp()
            };
            writeln!(
                out,
                "On {cores} {noun}, window {window}, {} blocks of {LONG_TXS} transactions and {LONG_US} µs or more: \
                 geometric means {:.2} of {:.2}, {:.0} %; {} reach {:.0} %.",
                long.len(),
                mean(|row| row.speed_up),
                mean(|row| row.bound),
                100.0 * mean(|row| row.share_of_bound),
                long.iter().filter(|row| row.share_of_bound >= TARGET).count(),
                100.0 * TARGET,
            )?;
        }
    }
    match rows.iter().filter(|row| !row.equals_sequential).count() {
        0 => writeln!(out, "Every simulation ends in the sequential state."),
        wrong => writeln!(out, "{wrong} simulations do NOT end in the sequential state."),
    }
}

fn cells(row: &Row) -> [String; 13] {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    [
        row.scenario.clone(),
        thousands(row.txs as u64),
        row.cores.to_string(),
        thousands(row.window.into()),
        format!("{:.2}", row.speed_up),
        row.measured_speed_up.map_or("–".to_owned(), |measured| format!("{measured:.2}")),
        format!("{:.2}", row.bound),
        percent(row.share_of_bound),
        thousands(row.incarnations),
        thousands(row.suspensions),
        percent(row.wasted),
        percent(row.idle),
        percent(row.committing),
    ]
}
