//! What is printed of a timeline: its numbers, and the locations that cost most.

use std::io::{self, Write};

use chorus::observe::timeline::Timeline;
use comfy_table::{
    Attribute, Cell, CellAlignment, ContentArrangement, Table as Grid,
    modifiers::UTF8_ROUND_CORNERS, presets::UTF8_FULL_CONDENSED,
};

use crate::table::{duration, thousands};

/// Rows that are shown; the file has all of them.
const SHOWN: usize = 10;
const HEADINGS: [&str; 7] =
    ["contract", "field", "conflicts", "aborts", "waits", "store reads", "time lost"];

/// Prints the summary and the table.
pub(super) fn print(timeline: &Timeline, title: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{title}")?;
    writeln!(out, "{}", summary(timeline))?;
    if timeline.dropped > 0 {
        let dropped = thousands(timeline.dropped);
        writeln!(out, "INCOMPLETE: {dropped} events found no room.")?;
    }
    let hottest = timeline.hottest();
    if hottest.is_empty() {
        return writeln!(out, "Nothing was waited for, and nothing was run in vain.");
    }
    let mut grid = Grid::new();
    grid.load_preset(UTF8_FULL_CONDENSED)
        .apply_modifier(UTF8_ROUND_CORNERS)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for hot in hottest.iter().take(SHOWN) {
        let Some(location) = timeline.location(hot.location) else { continue };
        grid.add_row(vec![
            Cell::new(&location.contract),
            Cell::new(&location.field),
            Cell::new(thousands(hot.conflicts())).add_attribute(Attribute::Bold),
            Cell::new(thousands(hot.aborts)),
            Cell::new(thousands(hot.waits)),
            Cell::new(thousands(hot.reads)),
            Cell::new(duration(hot.lost as f64 / 1e3)),
        ]);
    }
    for column in 2..HEADINGS.len() {
        if let Some(column) = grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{grid}")?;
    match hottest.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "{} more locations are in the file.", thousands(more as u64)),
    }
}

fn summary(timeline: &Timeline) -> String {
    let busy: u64 = timeline.busy().iter().sum();
    let all = timeline.end.max(1).saturating_mul(timeline.workers.max(1) as u64);
    format!(
        "{}, workers busy {:.0} %; {} incarnations, {} suspensions, {} commits.",
        duration(timeline.end as f64 / 1e3),
        100.0 * busy as f64 / all as f64,
        thousands(timeline.incarnations.len() as u64),
        thousands(timeline.suspensions() as u64),
        thousands(timeline.commits.len() as u64),
    )
}
