//! The table that a person reads.

use std::io::{self, Write};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, Table as Grid,
    modifiers::UTF8_ROUND_CORNERS, presets::UTF8_FULL_CONDENSED,
};

use crate::{check::Check, report::Report};

const HEADINGS: [&str; 13] = [
    "block",
    "rules",
    "txs",
    "gas",
    "header",
    "= sequential",
    "sequential",
    "parallel",
    "ratio",
    "limit",
    "re-runs",
    "waits",
    "path",
];

/// Blocks that count in the second mean: long enough that noise does not decide.
pub(crate) const LONG_TXS: usize = 40;
pub(crate) const LONG_US: f64 = 500.0;

/// The rows so far.
#[derive(Default)]
pub(crate) struct Table {
    reports: Vec<Report>,
}

impl Table {
    pub(crate) fn push(&mut self, report: Report) {
        self.reports.push(report);
    }

    /// Writes the table and a summary under it.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut grid = Grid::new();
        grid.load_preset(UTF8_FULL_CONDENSED)
            .apply_modifier(UTF8_ROUND_CORNERS)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
        for report in &self.reports {
            grid.add_row(row(report));
        }
        for column in [2, 3, 6, 7, 8, 9, 10, 11] {
            if let Some(column) = grid.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(out, "{grid}")?;
        for line in summary(&self.reports) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

fn row(report: &Report) -> Vec<Cell> {
    let time = |us: Option<f64>| us.map_or("–".to_owned(), duration);
    let factor = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let again = report.incarnations.saturating_sub(report.txs as u64);
    vec![
        Cell::new(report.number),
        Cell::new(report.spec),
        Cell::new(report.txs),
        Cell::new(thousands(report.gas_used)),
        header(report),
        match report.equals_sequential {
            true => Cell::new("yes").fg(Color::Green),
            false => Cell::new("NO").fg(Color::Red),
        },
        Cell::new(time(report.sequential_us)),
        Cell::new(time(report.parallel_us)),
        Cell::new(factor(report.ratio)).add_attribute(Attribute::Bold),
        Cell::new(factor(report.limit)),
        Cell::new(again),
        Cell::new(report.suspensions),
        Cell::new(report.path),
    ]
}

/// The header's checks in one cell: what is wrong, or else whether anything was checked.
fn header(report: &Report) -> Cell {
    let checks = report.header.named();
    let wrong: Vec<_> = checks
        .iter()
        .filter(|(_, check)| *check == Check::Mismatch)
        .map(|(name, _)| *name)
        .collect();
    if !wrong.is_empty() {
        return Cell::new(format!("NOT {}", wrong.join(", "))).fg(Color::Red);
    }
    match checks.iter().filter(|(_, check)| *check == Check::Ok).count() {
        0 => Cell::new("–"),
        3 => Cell::new("yes").fg(Color::Green),
        some => Cell::new(format!("yes ({some} of 3)")).fg(Color::Green),
    }
}

fn summary(reports: &[Report]) -> Vec<String> {
    let transactions: usize = reports.iter().map(|report| report.txs).sum();
    let gas: u64 = reports.iter().map(|report| report.gas_used).sum();
    let wrong = reports.iter().filter(|report| !report.matched()).count();
    let verdict = match wrong {
        0 => "everything matches".to_owned(),
        1 => "1 block does NOT match".to_owned(),
        _ => format!("{wrong} blocks do NOT match"),
    };
    let (blocks, transactions) =
        (counted(reports.len(), "block"), counted(transactions, "transaction"));
    let mut lines = vec![format!("{blocks}, {transactions}, {} gas: {verdict}.", thousands(gas))];
    let all: Vec<f64> = reports.iter().filter_map(|report| report.ratio).collect();
    if all.len() > 1 {
        let long: Vec<f64> = reports
            .iter()
            .filter(|report| report.txs >= LONG_TXS && report.sequential_us >= Some(LONG_US))
            .filter_map(|report| report.ratio)
            .collect();
        lines.push(format!("Ratio to sequential: {}.", means(&all)));
        if !long.is_empty() {
            let means = means(&long);
            lines.push(format!("Of {LONG_TXS} transactions and {LONG_US} µs or more: {means}."));
        }
    }
    lines
}

/// Geometric mean, lowest and highest of some ratios.
pub(crate) fn means(ratios: &[f64]) -> String {
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = ratios.iter().copied().fold(0.0, f64::max);
    let blocks = counted(ratios.len(), "block");
    format!("geometric mean {mean:.2} over {blocks}, lowest {lowest:.2}, highest {highest:.2}")
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count as u64))
}

pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A number with its thousands set apart.
pub(crate) fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(
            ["7", "1,000", "12,345,678"].map(str::to_owned),
            [thousands(7), thousands(1000), thousands(12_345_678),]
        );
        assert_eq!(duration(999.4), "999 µs");
        assert_eq!(duration(12_345.0), "12.35 ms");
        assert_eq!(counted(1, "block"), "1 block");
    }

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        assert!(means(&[0.5, 2.0]).starts_with("geometric mean 1.00 over 2 blocks, lowest 0.50"));
    }
}
