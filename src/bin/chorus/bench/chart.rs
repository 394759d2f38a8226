//! Charts as SVG. Colours are the page's, so that they follow its light and dark.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{page::escape, row::Row};

const WIDTH: f64 = 1000.0;

/// A number without needless digits.
fn short(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{value:.0}"),
        value => {
            let text = format!("{value:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

fn svg(height: f64, label: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{label}\" \
         xmlns=\"http://www.w3.org/2000/svg\">{body}</svg>"
    )
}

/// Steps of a linear axis from zero: 1, 2 or 5 times a power of ten.
fn ticks(top: f64) -> Vec<f64> {
    let raw = (top / 6.0).max(1e-6);
    let power = 10.0_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= raw);
    let step = step.unwrap_or(10.0 * power);
    (0..).map(|tick| f64::from(tick) * step).take_while(|tick| *tick <= top * 1.001).collect()
}

/// One bar for each row.
pub(super) fn ratios(rows: &[Row]) -> String {
    const LEFT: f64 = 230.0;
    const STEP: f64 = 24.0;
    /// What a ratio takes in writing, with the room around it.
    const WORD: f64 = 44.0;
    let top = rows.iter().flat_map(|row| [row.ratio_high, row.limit]).fold(1.2, f64::max) * 1.04;
    let x = |value: f64| LEFT + value / top * (WIDTH - LEFT - 60.0);
    let bottom = 10.0 + STEP * rows.len() as f64;
    let mut body = String::new();
    for tick in ticks(top) {
        let (at, text) = (x(tick), short(tick));
        let _ = write!(
            body,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"6\" y2=\"{bottom:.1}\"/>\
             <text class=\"faint\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 16.0,
        );
    }
    let one = x(1.0);
    let _ = write!(
        body,
        "<line class=\"one\" x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"6\" y2=\"{bottom:.1}\"/>"
    );
    for (at, row) in rows.iter().enumerate() {
        let y = 10.0 + STEP * at as f64;
        let middle = y + STEP / 2.0;
        let name = escape(&format!("{} · {} · {}", row.scenario, row.txs, row.threads));
        let class = if row.ratio < 1.0 { "bar slow" } else { "bar" };
        let (low, high, limit) = (x(row.ratio_low), x(row.ratio_high), x(row.limit));
        // Beside the bar, unless the limit's mark is in the way.
        let in_the_way = (high..high + WORD).contains(&limit);
        let end = if in_the_way { limit } else { high };
        let _ = write!(
            body,
            "<g><title>{name} threads: {:.2} [{:.2}, {:.2}], limit {:.2}</title>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>\
             <line class=\"whisker\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
             <line class=\"limit\" x1=\"{limit:.1}\" x2=\"{limit:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\">{:.2}</text></g>",
            row.ratio,
            row.ratio_low,
            row.ratio_high,
            row.limit,
            LEFT - 8.0,
            middle + 4.0,
            middle - 7.0,
            x(row.ratio) - LEFT,
            y + 2.0,
            y + STEP - 2.0,
            end + 8.0,
            middle + 4.0,
            row.ratio,
        );
    }
    svg(bottom + 24.0, "ratio to sequential per scenario", &body)
}

/// A line: what it is called, and its points; the second ones are drawn dashed.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    dashed: Vec<(f64, f64)>,
}

/// Ratio over threads.
pub(super) fn by_threads(rows: &[Row]) -> String {
    let mut series: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        let points = series.entry((row.scenario.as_str(), row.txs)).or_default();
        points.push((row.threads as f64, row.ratio));
    }
    let names: Vec<&str> = series.keys().map(|(name, _)| *name).collect();
    let series = series.into_iter().map(|((name, txs), points)| {
        let sizes = names.iter().filter(|other| **other == name).count();
        let name = if sizes > 1 { format!("{name} · {txs}") } else { name.to_owned() };
        Series { name, points, dashed: Vec::new() }
    });
    lines(series.collect(), "threads", "ratio", false)
}

/// Microseconds per transaction over the size of the block.
pub(super) fn by_size(rows: &[Row]) -> String {
    let mut series: BTreeMap<_, Series> = BTreeMap::new();
    for row in rows {
        // A directory is a size by itself: all of them are one line.
        let name = if row.seed.is_some() { row.scenario.as_str() } else { "blocks" };
        let series = series.entry((name, row.threads)).or_insert_with(|| Series {
            name: format!("{name} · {}", row.threads),
            points: Vec::new(),
            dashed: Vec::new(),
        });
        let [alone, cost] = row.cost();
        series.points.push((row.txs as f64, cost));
        series.dashed.push((row.txs as f64, alone));
    }
    lines(series.into_values().collect(), "transactions", "µs each", true)
}

/// Lines over two axes, both logarithmic or both not.
fn lines(mut series: Vec<Series>, across: &str, up: &str, logarithmic: bool) -> String {
    const LEFT: f64 = 60.0;
    const RIGHT: f64 = 200.0;
    const BOTTOM: f64 = 380.0;
    const TOP: f64 = 24.0;
    for line in &mut series {
        line.points.sort_by(|one, other| one.0.total_cmp(&other.0));
        line.dashed.sort_by(|one, other| one.0.total_cmp(&other.0));
    }
    let all = || series.iter().flat_map(|line| line.points.iter().chain(&line.dashed));
    let xs = Axis::over(all().map(|point| point.0), logarithmic);
    let ys = Axis::over(all().map(|point| point.1), logarithmic);
    let x = |value: f64| LEFT + xs.place(value) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| BOTTOM - ys.place(value) * (BOTTOM - TOP);
    let mut body = String::new();
    for tick in ys.ticks() {
        let (at, text) = (y(tick), short(tick));
        let _ = write!(
            body,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
        );
    }
    let mut marks: Vec<f64> = all().map(|point| point.0).collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    if marks.len() > 9 {
        marks = xs.ticks();
    }
    for mark in marks {
        let _ = write!(
            body,
            "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(mark),
            BOTTOM + 18.0,
            short(mark),
        );
    }
    let _ = write!(
        body,
        "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{across}</text>\
         <text class=\"faint\" x=\"4\" y=\"12\">{up}</text>",
        WIDTH - RIGHT,
        BOTTOM + 36.0,
    );
    // Names stand at the right, in the order of the lines' ends, none over another.
    let mut order: Vec<usize> = (0..series.len()).collect();
    let end = |line: &Series| line.points.last().map_or(BOTTOM, |point| y(point.1));
    order.sort_by(|one, other| end(&series[*one]).total_cmp(&end(&series[*other])));
    let mut free = TOP;
    for index in order {
        let line = &series[index];
        let path = |points: &[(f64, f64)]| {
            points.iter().map(|point| format!("{:.1},{:.1} ", x(point.0), y(point.1))).collect()
        };
        let (solid, dashed): (String, String) = (path(&line.points), path(&line.dashed));
        let dots: String = line.points.iter().fold(String::new(), |mut dots, (across, up)| {
            let _ = write!(
                dots,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {} at {}</title></circle>",
                x(*across),
                y(*up),
                escape(&line.name),
                short(*up),
                short(*across),
            );
            dots
        });
        let label = end(line).max(free);
        free = label + 14.0;
        let hue = (index as f64 * 137.5) % 360.0;
        let _ = write!(
            body,
            "<g class=\"series\" style=\"--hue:{hue:.0}\"><polyline points=\"{solid}\"/>\
             <polyline class=\"alone\" points=\"{dashed}\"/>{dots}\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            WIDTH - RIGHT + 12.0,
            label + 4.0,
            escape(&line.name),
        );
    }
    svg((BOTTOM + 44.0).max(free + 8.0), &format!("{up} by {across}"), &body)
}

/// Where values lie between the ends of an axis.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, logarithmic: bool) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        if !low.is_finite() {
            (low, high) = (1.0, 1.0);
        }
        match logarithmic {
            true => Self { low: low / 1.3, high: high * 1.3, logarithmic },
            false => Self { low: 0.0, high: high * 1.08, logarithmic },
        }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        match self.logarithmic {
            true => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            false => value / self.high,
        }
    }

    fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            return ticks(self.high);
        }
        let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let steps =
            powers.flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10.0_f64.powi(power)));
        steps.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_an_axis_are_round_and_reach_its_end() {
        assert_eq!(ticks(2.1), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(ticks(12.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
    }

    #[test]
    fn nothing_to_draw_is_an_empty_chart() {
        for chart in [ratios(&[]), by_threads(&[]), by_size(&[])] {
            assert!(chart.starts_with("<svg") && !chart.contains("NaN"), "{chart}");
        }
    }
}
