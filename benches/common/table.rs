//! Rows of subject and baseline, their targets, and how they are printed.

use std::time::Duration;

use super::{
    Options, Timed,
    statistics::{Estimate, median},
};

/// How long a batch runs at least: long against the clock's resolution, short against the drift.
const BATCH: Duration = Duration::from_millis(2);

/// How many pairs of batches a row is made of.
const PAIRS: usize = 51;

/// What a row should show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// It is shown for information.
    None,
    /// The subject's time is at most this much of the baseline's.
    AtMost(f64),
    /// One operation of the subject takes at most this long.
    Nanoseconds(f64),
}

/// What is printed in the end.
#[derive(Debug)]
pub(crate) struct Table {
    title: &'static str,
    options: Options,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    subject: f64,
    /// The baseline's time and the ratio, if there is one.
    against: Option<(f64, Estimate)>,
    target: Target,
}

impl Table {
    pub(crate) fn new(title: &'static str, options: Options) -> Self {
        Self { title, options, rows: Vec::new() }
    }

    /// Whether every closure only runs once, so that preparation may be small.
    pub(crate) fn is_quick(&self) -> bool {
        self.options.quick
    }

    /// Whether a row of this name runs, for those whose preparation is expensive.
    pub(crate) fn chooses(&self, name: &str) -> bool {
        self.options.chooses(name)
    }

    /// Measures a subject against its baseline.
    pub(crate) fn row(
        &mut self,
        name: impl Into<String>,
        target: Target,
        mut subject: impl Timed,
        mut baseline: impl Timed,
    ) {
        let name = name.into();
        if !self.options.chooses(&name) {
            return;
        }
        if self.options.quick {
            subject(1);
            baseline(1);
            return;
        }
        let (times, baseline_times) = (calibrate(&mut subject), calibrate(&mut baseline));
        let mut pairs = Vec::with_capacity(PAIRS);
        for pair in 0..PAIRS {
            // Who goes first alternates, so that neither always runs in the other's wake.
            let (of_subject, of_baseline);
            if pair.is_multiple_of(2) {
                of_subject = per_operation(&mut subject, times);
                of_baseline = per_operation(&mut baseline, baseline_times);
            } else {
                of_baseline = per_operation(&mut baseline, baseline_times);
                of_subject = per_operation(&mut subject, times);
            }
            pairs.push((of_subject, of_baseline));
        }
        let ratios: Vec<f64> = pairs.iter().map(|(subject, baseline)| subject / baseline).collect();
        self.rows.push(Row {
            name,
            subject: median(pairs.iter().map(|pair| pair.0).collect()),
            against: Some((
                median(pairs.iter().map(|pair| pair.1).collect()),
                Estimate::of(&ratios),
            )),
            target,
        });
    }

    /// Measures a subject alone.
    pub(crate) fn single(
        &mut self,
        name: impl Into<String>,
        target: Target,
        mut subject: impl Timed,
    ) {
        let name = name.into();
        if !self.options.chooses(&name) {
            return;
        }
        if self.options.quick {
            subject(1);
            return;
        }
        let times = calibrate(&mut subject);
        let samples = (0..PAIRS).map(|_| per_operation(&mut subject, times)).collect();
        self.rows.push(Row { name, subject: median(samples), against: None, target });
    }

    /// Prints it; in a quick run only that everything ran.
    pub(crate) fn print(&self) {
        if self.options.quick {
            println!("{}: every row ran once; `cargo bench` measures", self.title);
            return;
        }
        println!("\n{}: median of {PAIRS} interleaved pairs, [95 % interval]", self.title);
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        println!(
            "{:width$}  {:>10}  {:>10}  {:>6}  {:^16}  target",
            "", "subject", "baseline", "ratio", "interval"
        );
        for row in &self.rows {
            let (baseline, ratio, interval) = match row.against {
                Some((baseline, Estimate { median, low, high })) => {
                    (duration(baseline), format!("{median:.3}"), format!("[{low:.3}, {high:.3}]"))
                }
                None => Default::default(),
            };
            println!(
                "{:width$}  {:>10}  {baseline:>10}  {ratio:>6}  {interval:^16}  {}",
                row.name,
                duration(row.subject),
                row.verdict(),
            );
        }
    }
}

impl Row {
    fn verdict(&self) -> String {
        let (holds, target) = match self.target {
            Target::None => return String::new(),
            Target::AtMost(limit) => {
                let ratio = self.against.map_or(f64::INFINITY, |(_, ratio)| ratio.median);
                (ratio <= limit, format!("≤ {limit}"))
            }
            Target::Nanoseconds(limit) => (self.subject <= limit, format!("≤ {}", duration(limit))),
        };
        format!("{target} {}", if holds { "met" } else { "MISSED" })
    }
}

/// How many operations make a batch that takes long enough. It warms up as it searches.
fn calibrate(run: &mut impl Timed) -> u64 {
    let mut times = 1_u64;
    loop {
        let spent = run(times);
        if spent >= BATCH || times >= 1 << 40 {
            return times;
        }
        // Straight to the goal where the figure is trusted, and by tens from where it is noise.
        let factor = BATCH.as_secs_f64() / spent.as_secs_f64().max(1e-9) * 1.1;
        times = (times as f64 * factor.clamp(1.2, 10.0)).ceil() as u64;
    }
}

/// Nanoseconds per operation.
fn per_operation(run: &mut impl Timed, times: u64) -> f64 {
    run(times).as_secs_f64() * 1e9 / times as f64
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        small if small < 1e3 => format!("{small:.1} ns"),
        middle if middle < 1e6 => format!("{:.2} µs", middle / 1e3),
        large => format!("{:.2} ms", large / 1e6),
    }
}
