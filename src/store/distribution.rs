//! How long a read takes, drawn from a distribution.

use crate::sync::time::Duration;

/// How long a cold read takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// Always this long.
    Fixed(Duration),
    /// Anything between the two, each as likely.
    Uniform {
        /// The shortest.
        low: Duration,
        /// The longest.
        high: Duration,
    },
    /// Mostly about the median, now and then much longer, as disks and networks are.
    LogNormal {
        /// Half the reads are shorter.
        median: Duration,
        /// Standard deviation of the logarithm: 0.5 puts the 99th percentile at 3.2 medians.
        sigma: f64,
    },
}

impl Latency {
    /// The average.
    #[must_use]
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Fixed(latency) => latency,
            Self::Uniform { low, high } => {
                (low / 2).saturating_add(high / 2) // Neither sum nor half of it overflows.
            }
            Self::LogNormal { median, sigma } => scaled(median, (sigma * sigma / 2.0).exp()),
        }
    }

    /// Whether no read takes any time.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.mean().is_zero()
    }

    /// One draw. The same seed draws the same; it is asked for where there is something to draw.
    pub(super) fn sample(&self, seed: impl FnOnce() -> u64) -> Duration {
        if let Self::Fixed(latency) = *self {
            return latency;
        }
        let mut random = fastrand::Rng::with_seed(seed());
        match *self {
            Self::Fixed(latency) => latency,
            Self::Uniform { low, high } => {
                low.saturating_add(scaled(high.saturating_sub(low), random.f64()))
            }
            Self::LogNormal { median, sigma } => {
                // Box and Muller's way to a normal variable. `1 - f64()` is never 0.
                let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * random.f64()).cos();
                scaled(median, (sigma * normal).exp())
            }
        }
    }
}

fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(latency: Latency) -> Vec<Duration> {
        let mut draws: Vec<_> = (0..10_000).map(|seed| latency.sample(|| seed)).collect();
        draws.sort_unstable();
        draws
    }

    fn near(measured: Duration, expected: Duration) {
        let ratio = measured.as_secs_f64() / expected.as_secs_f64();
        assert!((0.95..1.05).contains(&ratio), "{measured:?} is not about {expected:?}");
    }

    #[test]
    fn draws_have_the_mean_and_the_quantiles_of_their_distribution() {
        let (low, high) = (Duration::from_micros(50), Duration::from_micros(250));
        let uniform = Latency::Uniform { low, high };
        let drawn = draws(uniform);
        assert!(drawn[0] >= low && drawn[9_999] <= high);
        near(drawn.iter().sum::<Duration>() / 10_000, uniform.mean());
        near(drawn[5_000], Duration::from_micros(150));

        let skewed = Latency::LogNormal { median: high, sigma: 0.5 };
        let drawn = draws(skewed);
        near(drawn.iter().sum::<Duration>() / 10_000, skewed.mean());
        near(drawn[5_000], high);
        near(drawn[9_900], scaled(high, 3.2));

        assert_eq!(Latency::Fixed(low).sample(|| 7), low);
    }
}
