//! Families through the [`metrics`] facade, to whatever recorder the embedder installed.
//!
//! A counter is set with `absolute` to what was reached, so emitting twice counts nothing twice. Who
//! has several engines and one recorder tells them apart by emitting within recorders of their own
//! (`metrics::with_local_recorder`).

use ::metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

use super::{Family, FamilyKind, Measure, SampleValue};

impl Measure {
    fn unit(self) -> Unit {
        match self {
            Self::Count => Unit::Count,
            Self::Bytes => Unit::Bytes,
            Self::Nanoseconds => Unit::Nanoseconds,
        }
    }
}

/// Tells the recorder what the families mean. Once is enough, and it may be never.
pub fn describe(families: &[Family]) {
    for family in families {
        let unit = family.measure.unit();
        match family.kind {
            FamilyKind::Counter => describe_counter!(family.name, unit, family.help),
            FamilyKind::Gauge => describe_gauge!(family.name, unit, family.help),
        }
    }
}

/// Gives the recorder the families' numbers.
pub fn emit(families: &[Family]) {
    for family in families {
        for sample in &family.samples {
            let labels: Vec<Label> = sample
                .labels
                .iter()
                .map(|(name, value)| Label::new(*name, value.clone()))
                .collect();
            match (family.kind, sample.value) {
                (FamilyKind::Counter, SampleValue::Whole(value)) => {
                    counter!(family.name, labels).absolute(value);
                }
                // A counter of the facade is whole. Casting ends at the ends of the type.
                (FamilyKind::Counter, SampleValue::Real(value)) => {
                    counter!(family.name, labels).absolute(value as u64);
                }
                (FamilyKind::Gauge, SampleValue::Whole(value)) => {
                    gauge!(family.name, labels).set(value as f64);
                }
                (FamilyKind::Gauge, SampleValue::Real(value)) => {
                    gauge!(family.name, labels).set(value);
                }
            }
        }
    }
}
