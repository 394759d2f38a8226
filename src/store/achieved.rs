//! How long reads really took.
//!
//! A wrapper that promises 100 µs is judged by what it kept, so it counts what it did. Durations fall
//! into buckets that are 1/32 of their value wide, which bounds the error of a quantile; least, most
//! and mean are exact.

use crate::sync::{Mutex, time::Duration};

/// Buckets per doubling of the duration.
const STEPS: u64 = 32;
/// Enough for every 64-bit number of nanoseconds.
const BUCKETS: usize = (64 - STEPS.trailing_zeros() as usize + 1) * STEPS as usize;

/// What reads took, from asking to answering. All zero if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Achieved {
    /// How many reads.
    pub count: u64,
    /// The shortest.
    pub min: Duration,
    /// The average.
    pub mean: Duration,
    /// Half were at most this long, to 3 %.
    pub p50: Duration,
    /// Of a hundred, 99 were at most this long, to 3 %.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// Counts durations from any thread.
#[derive(Debug)]
pub(super) struct Stopwatch {
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    buckets: Box<[u64]>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { counts: Mutex::new(Counts::new()) }
    }
}

impl Stopwatch {
    /// Counts one.
    pub(super) fn record(&self, took: Duration) {
        self.record_all([took]);
    }

    /// Counts several.
    pub(super) fn record_all(&self, took: impl IntoIterator<Item = Duration>) {
        let mut counts = self.counts.lock();
        for took in took {
            counts.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// What was counted so far.
    pub(super) fn achieved(&self) -> Achieved {
        self.counts.lock().achieved()
    }

    /// Begins anew.
    pub(super) fn reset(&self) {
        *self.counts.lock() = Counts::new();
    }
}

impl Counts {
    fn new() -> Self {
        Self { buckets: vec![0; BUCKETS].into(), count: 0, sum: 0, min: u64::MAX, max: 0 }
    }

    fn add(&mut self, nanoseconds: u64) {
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.sum += u128::from(nanoseconds);
        self.min = self.min.min(nanoseconds);
        self.max = self.max.max(nanoseconds);
    }

    fn achieved(&self) -> Achieved {
        if self.count == 0 {
            return Achieved::default();
        }
        let mean = u64::try_from(self.sum / u128::from(self.count)).unwrap_or(u64::MAX);
        Achieved {
            count: self.count,
            min: Duration::from_nanos(self.min),
            mean: Duration::from_nanos(mean),
            p50: self.quantile(50),
            p99: self.quantile(99),
            max: Duration::from_nanos(self.max),
        }
    }

    fn quantile(&self, percent: u64) -> Duration {
        let wanted = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        let mut seen = 0_u128;
        let at = self.buckets.iter().position(|count| {
            seen += u128::from(*count);
            seen >= wanted
        });
        let upper = at.map_or(self.max, upper_end);
        Duration::from_nanos(upper.clamp(self.min, self.max))
    }
}

/// Below `STEPS` each number has its own bucket; above, each doubling has `STEPS` of them.
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEPS.ilog2();
    ((u64::from(shift) + 1) * STEPS + (value >> shift) - STEPS) as usize
}

/// The greatest number that falls into a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let (shift, step) = (bucket / STEPS - 1, bucket % STEPS + STEPS);
    (step << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_has_a_bucket_that_is_3_percent_wide() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges.chain([u64::MAX, 100_000, 123_456_789]) {
            let upper = upper_end(bucket(value));
            assert!(bucket(value) < BUCKETS, "{value}");
            assert!(upper >= value && upper - value <= value / STEPS, "{value}: {upper}");
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let watch = Stopwatch::default();
        assert_eq!(watch.achieved(), Achieved::default());
        for microseconds in 1..=100 {
            watch.record(Duration::from_micros(microseconds));
        }
        let achieved = watch.achieved();
        assert_eq!((achieved.count, achieved.mean), (100, Duration::from_nanos(50_500)));
        assert_eq!(achieved.min, Duration::from_micros(1));
        assert_eq!(achieved.max, Duration::from_micros(100));
        for (quantile, exact) in [(achieved.p50, 50.0), (achieved.p99, 99.0)] {
            let measured = quantile.as_secs_f64() * 1e6;
            assert!(measured >= exact && measured <= exact * 1.04, "{measured} for {exact}");
        }
        watch.reset();
        assert_eq!(watch.achieved().count, 0);
    }
}
