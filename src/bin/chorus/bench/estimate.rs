//! A median and its interval.

/// A median with the interval that holds it with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// How often the samples are drawn anew for the interval.
const DRAWS: usize = 1000;

impl Estimate {
    /// By bootstrap, from at least one sample. Equal samples give equal estimates.
    pub(super) fn of(samples: &[f64]) -> Self {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = || {
            // Xorshift: good enough to choose samples.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            samples.get((random % samples.len().max(1) as u64) as usize).copied().unwrap_or(0.0)
        };
        let mut medians: Vec<f64> =
            (0..DRAWS).map(|_| median(samples.iter().map(|_| draw()).collect())).collect();
        medians.sort_by(f64::total_cmp);
        Self {
            median: median(samples.to_vec()),
            low: medians[DRAWS / 40],
            high: medians[DRAWS - 1 - DRAWS / 40],
        }
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match values.get(upper) {
        None => 0.0,
        Some(value) if values.len() % 2 == 1 => *value,
        Some(value) => f64::midpoint(*value, values[upper - 1]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_median_and_one_sample_is_certain() {
        let estimate = Estimate::of(&[1.0, 3.0, 2.0, 2.5, 1.5, 2.2, 1.8]);
        assert_eq!(estimate.median, 2.0);
        assert!(estimate.low < 2.0 && 2.0 < estimate.high);
        assert_eq!(Estimate::of(&[4.0]), Estimate { median: 4.0, low: 4.0, high: 4.0 });
    }
}
