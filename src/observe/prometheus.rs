//! Families as Prometheus text, exposition format 0.0.4.
//!
//! ```text
//! # HELP chorus_region_operations_total Operations on regions, by kind and result
//! # TYPE chorus_region_operations_total counter
//! chorus_region_operations_total{operation="alloc",result="ok"} 3
//! ```

use std::fmt::{self, Write};

use super::{Family, FamilyKind, Sample, SampleValue};

/// The families as text; those without a sample are left out. No time stamps: the scraper's clock
/// counts.
#[must_use]
pub fn to_prometheus(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        // Writing to a string does not fail.
        let _ = write_family(&mut text, family);
    }
    text
}

fn write_family(text: &mut String, family: &Family) -> fmt::Result {
    let kind = match family.kind {
        FamilyKind::Counter => "counter",
        FamilyKind::Gauge => "gauge",
    };
    write!(text, "# HELP {} ", family.name)?;
    escape(text, family.help, false)?;
    writeln!(text, "\n# TYPE {} {kind}", family.name)?;
    family.samples.iter().try_for_each(|sample| write_sample(text, family.name, sample))
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) -> fmt::Result {
    text.write_str(name)?;
    for (at, (label, value)) in sample.labels.iter().enumerate() {
        write!(text, "{}{label}=\"", if at == 0 { '{' } else { ',' })?;
        escape(text, value, true)?;
        text.write_char('"')?;
    }
    if !sample.labels.is_empty() {
        text.write_char('}')?;
    }
    match sample.value {
        SampleValue::Whole(value) => writeln!(text, " {value}"),
        SampleValue::Real(value) if value.is_infinite() => {
            writeln!(text, " {}Inf", if value > 0.0 { '+' } else { '-' })
        }
        SampleValue::Real(value) => writeln!(text, " {value}"),
    }
}

/// A backslash and a line's end are escaped everywhere, a quote only between quotes.
fn escape(text: &mut String, value: &str, quoted: bool) -> fmt::Result {
    value.chars().try_for_each(|character| match character {
        '\\' => text.write_str("\\\\"),
        '\n' => text.write_str("\\n"),
        '"' if quoted => text.write_str("\\\""),
        _ => text.write_char(character),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Measure;

    #[test]
    fn text_is_escaped_where_the_format_asks_for_it() {
        let family = Family::new("a", FamilyKind::Gauge, Measure::Count, "say \"\\\"\nthen")
            .with(&[("x", "C:\\\n\"q\""), ("y", "é")], 7);
        let expected = "# HELP a say \"\\\\\"\\nthen\n# TYPE a gauge\n\
                        a{x=\"C:\\\\\\n\\\"q\\\"\",y=\"é\"} 7\n";
        assert_eq!(to_prometheus(&[family]), expected);
    }

    #[test]
    fn numbers_that_are_not_finite_have_their_own_words() {
        let real = |value| {
            let family = Family::new("a", FamilyKind::Gauge, Measure::Count, "");
            to_prometheus(&[family.with_real(Some(value))]).lines().last().map(str::to_owned)
        };
        assert_eq!(real(f64::INFINITY).as_deref(), Some("a +Inf"));
        assert_eq!(real(f64::NEG_INFINITY).as_deref(), Some("a -Inf"));
        assert_eq!(real(f64::NAN).as_deref(), Some("a NaN"));
        assert_eq!(real(0.5).as_deref(), Some("a 0.5"));
    }

    #[test]
    fn a_family_without_samples_says_nothing() {
        let family = Family::new("a", FamilyKind::Gauge, Measure::Count, "help").with_real(None);
        assert_eq!(to_prometheus(&[family]), "");
    }
}
