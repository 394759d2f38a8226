//! Choices of which some do not exist in every fork.

/// `prop_oneof!`, except that a weight may be 0: what the fork does not have.
macro_rules! one_that_exists {
    ($($weight:expr => $strategy:expr),+ $(,)?) => {
        proptest::strategy::Union::new_weighted(
            [$(($weight, proptest::strategy::Strategy::boxed($strategy))),+]
                .into_iter()
                .filter(|(weight, _)| *weight > 0)
                .collect(),
        )
    };
}
