//! Parameters of scenarios: numbers with a meaning and bounds.

/// A number that a scenario depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// What it is called.
    pub name: &'static str,
    /// What it means, its unit included.
    pub meaning: &'static str,
    /// What it is if nothing is said.
    pub usual: f64,
    /// The least that it can be.
    pub least: f64,
    /// The most that it can be.
    pub most: f64,
    /// Whether it has no fraction.
    pub whole: bool,
}

impl Parameter {
    /// A number without fraction.
    pub(super) const fn whole(
        name: &'static str,
        meaning: &'static str,
        usual: u32,
        [least, most]: [u32; 2],
    ) -> Self {
        let (usual, least, most) = (usual as f64, least as f64, most as f64);
        Self { name, meaning, usual, least, most, whole: true }
    }

    /// A share of a hundred.
    pub(super) const fn percent(name: &'static str, meaning: &'static str, usual: u32) -> Self {
        Self::whole(name, meaning, usual, [0, 100])
    }

    /// The value that the text stands for, if the parameter can have it.
    pub(super) fn parse(&self, text: &str) -> Option<f64> {
        let value: f64 = text.parse().ok()?;
        let fits = (self.least..=self.most).contains(&value);
        (fits && (!self.whole || value.fract() == 0.0)).then_some(value)
    }

    /// What values it can have.
    #[must_use]
    pub fn expected(&self) -> String {
        let kind = if self.whole { "a whole number" } else { "a number" };
        format!("{kind} from {} to {}", self.least, self.most)
    }
}

/// A value for each parameter of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(Vec<(&'static str, f64)>);

impl Settings {
    pub(super) fn usual(parameters: &[Parameter]) -> Self {
        Self(parameters.iter().map(|parameter| (parameter.name, parameter.usual)).collect())
    }

    pub(super) fn set(&mut self, name: &'static str, value: f64) {
        if let Some((_, old)) = self.0.iter_mut().find(|(other, _)| *other == name) {
            *old = value;
        }
    }

    /// Names and values, in the order of the scenario's parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.0.iter().copied()
    }

    /// The value of a parameter that the scenario has.
    pub(super) fn real(&self, name: &str) -> f64 {
        let found = self.0.iter().find(|(other, _)| *other == name);
        debug_assert!(found.is_some(), "no parameter {name}");
        found.map_or(0.0, |(_, value)| *value)
    }

    /// The same for one without fraction.
    pub(super) fn whole(&self, name: &str) -> usize {
        self.real(name) as usize
    }
}

/// Whether transaction `index` belongs to the `percent` of a hundred that are special: as evenly spread
/// as can be, and exactly so many of every hundred.
pub(super) fn chosen(index: usize, percent: usize) -> bool {
    (index + 1) * percent / 100 > index * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_within_bounds() {
        let percent = Parameter::percent("share", "of all", 30);
        assert_eq!(percent.parse("0"), Some(0.0));
        assert_eq!(percent.parse("100"), Some(100.0));
        for wrong in ["", "x", "-1", "101", "1.5", "NaN", "inf", "1e9"] {
            assert_eq!(percent.parse(wrong), None, "{wrong}");
        }
        assert_eq!(percent.expected(), "a whole number from 0 to 100");
    }

    #[test]
    fn exactly_as_many_are_chosen_as_the_share_says() {
        for percent in [0, 1, 30, 50, 99, 100] {
            assert_eq!((0..200).filter(|index| chosen(*index, percent)).count(), 2 * percent);
        }
    }
}
