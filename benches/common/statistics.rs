//! Medians, and how far to trust them.

/// A median with the interval that holds it with 95 % confidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How often the samples are drawn anew for the interval.
const DRAWS: usize = 400;

impl Estimate {
    /// Of at least one sample. The draws are the same in each run, so that equal samples print equal
    /// figures.
    pub(crate) fn of(samples: &[f64]) -> Self {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = || {
            // Xorshift: good enough to choose samples.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            samples[(random % samples.len() as u64) as usize]
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

/// The median of at least one value; of an even number, the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}
