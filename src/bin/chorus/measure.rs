//! Paired, interleaved runs of the two engines on one block.

use chorus::{
    evm::{BlockOutcome, Statistics},
    sync::time::{Duration, Instant},
};

use crate::{
    check::{Answer, difference},
    executor::{Executor, Work},
};

/// One timed run of each engine, back to back.
struct Pair {
    sequential: Duration,
    parallel: Duration,
    statistics: Statistics,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.sequential.as_secs_f64() / self.parallel.as_secs_f64().max(1e-9)
    }
}

/// The times of a block, as medians over the pairs.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// Median time of the sequential run in microseconds.
    pub(crate) sequential_us: f64,
    /// Median time of the parallel run in microseconds.
    pub(crate) parallel_us: f64,
    /// Median of the pairs' ratios, sequential time to parallel time. Machines drift, and the
    /// two runs of a pair drift together.
    pub(crate) ratio: f64,
    /// How the parallel run went, in the pair of the median ratio.
    pub(crate) statistics: Statistics,
}

/// Everything that came of running a block.
pub(crate) struct Measurement {
    /// The sequential answer, which was the same each time.
    pub(crate) sequential: Answer,
    /// The first parallel answer that differed from it, or else the first.
    pub(crate) parallel: Answer,
    /// Where the two answers differ.
    pub(crate) difference: Option<String>,
    /// `None` if the block has no outcome.
    pub(crate) times: Option<Times>,
}

impl Measurement {
    /// The outcome to show. If only one engine has one, it is still worth showing.
    pub(crate) fn answer(&self) -> Option<&BlockOutcome> {
        self.parallel.as_ref().or(self.sequential.as_ref()).ok()
    }
}

/// Runs the block once on each engine untimed, then `repeat` times on both, the first one
/// alternating. Every parallel answer is compared with the sequential one, and the first that
/// differs ends the measurement. `tick` is called after each pair.
pub(crate) fn measure(
    work: &Work,
    baseline: &mut dyn Executor,
    engine: &mut dyn Executor,
    repeat: u32,
    mut tick: impl FnMut(),
) -> Measurement {
    let sequential = baseline.execute(work);
    engine.forget();
    let parallel = engine.execute(work);
    let mut difference = difference(&sequential, &parallel);
    if difference.is_some() || sequential.is_err() {
        return Measurement { sequential, parallel, difference, times: None };
    }
    let mut pairs = Vec::new();
    for round in 0..repeat {
        let ((baseline_answer, sequential_time), (answer, parallel_time)) = if round % 2 == 0 {
            let first = timed(baseline, work);
            (first, timed(engine, work))
        } else {
            let first = timed(engine, work);
            (timed(baseline, work), first)
        };
        difference = crate::check::difference(&sequential, &answer);
        // The reference is checked as well: it must be deterministic to be one.
        if difference.is_none() && crate::check::difference(&sequential, &baseline_answer).is_some()
        {
            difference = Some("two sequential runs differ".to_owned());
        }
        if difference.is_some() {
            return Measurement { sequential, parallel: answer, difference, times: None };
        }
        let statistics = answer.map(|outcome| outcome.statistics).unwrap_or_default();
        pairs.push(Pair { sequential: sequential_time, parallel: parallel_time, statistics });
        tick();
    }
    Measurement { sequential, parallel, difference, times: Some(times(pairs)) }
}

/// One run, without what the engine learned before and without freeing the outcome.
fn timed(executor: &mut dyn Executor, work: &Work) -> (Answer, Duration) {
    executor.forget();
    let begin = Instant::now();
    let answer = executor.execute(work);
    (answer, begin.elapsed())
}

fn times(mut pairs: Vec<Pair>) -> Times {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let sequential_us = median(pairs.iter().map(|pair| micros(pair.sequential)).collect());
    let parallel_us = median(pairs.iter().map(|pair| micros(pair.parallel)).collect());
    let ratio = median(pairs.iter().map(Pair::ratio).collect());
    pairs.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    let middle = (pairs.len().max(1) - 1) / 2;
    let statistics = pairs.into_iter().nth(middle).map(|pair| pair.statistics).unwrap_or_default();
    Times { sequential_us, parallel_us, ratio, statistics }
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match values.get(upper) {
        None => 0.0,
        Some(value) if values.len() % 2 == 1 => *value,
        Some(value) => (value + values[upper - 1]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn ratio_is_the_median_of_ratios_with_the_statistics_of_its_pair() {
        let pair = |sequential, parallel, incarnations| Pair {
            sequential: Duration::from_micros(sequential),
            parallel: Duration::from_micros(parallel),
            statistics: Statistics { incarnations, ..Default::default() },
        };
        let times = times(vec![pair(300, 100, 1), pair(100, 100, 2), pair(400, 200, 3)]);
        assert_eq!((times.sequential_us, times.parallel_us), (300.0, 100.0));
        assert!((times.ratio - 2.0).abs() < 1e-9);
        assert_eq!(times.statistics.incarnations, 3);
    }
}
