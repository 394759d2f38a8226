//! A metric with its samples, as exports take it: names and numbers, whatever they count.

/// What a number may do over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyKind {
    /// Only grows, from zero at the start of the process. The name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Events or things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
}

/// A number of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleValue {
    /// A whole number, exported without rounding where the format can.
    Whole(u64),
    /// A number of a [`Gauge`](FamilyKind::Gauge) that is not whole.
    Real(f64),
}

/// One number of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What tells it from the other samples: names (letters, digits and `_`) and values (any text).
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: SampleValue,
}

/// One metric: a stable name and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Letters, digits and `_`.
    pub name: &'static str,
    /// One line on what it says.
    pub help: &'static str,
    /// What its numbers may do.
    pub kind: FamilyKind,
    /// What its numbers count.
    pub measure: Measure,
    /// Its numbers, each with other labels. None: nothing to say at present.
    pub samples: Vec<Sample>,
}

impl Family {
    /// A metric without samples yet.
    #[must_use]
    pub fn new(name: &'static str, kind: FamilyKind, measure: Measure, help: &'static str) -> Self {
        Self { name, help, kind, measure, samples: Vec::new() }
    }

    /// A count of events that was reached since the start.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::new(name, FamilyKind::Counter, Measure::Count, help).with(&[], value)
    }

    /// A level.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self::new(name, FamilyKind::Gauge, Measure::Count, help).with(&[], value)
    }

    /// The same in another measure.
    #[must_use]
    pub fn in_measure(self, measure: Measure) -> Self {
        Self { measure, ..self }
    }

    /// The same with one more sample.
    #[must_use]
    pub fn with(mut self, labels: &[(&'static str, &str)], value: u64) -> Self {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push(Sample { labels, value: SampleValue::Whole(value) });
        self
    }

    /// The same with a sample that is not whole, if there is one.
    #[must_use]
    pub fn with_real(mut self, value: Option<f64>) -> Self {
        let sample = |value| Sample { labels: Vec::new(), value: SampleValue::Real(value) };
        self.samples.extend(value.map(sample));
        self
    }
}
