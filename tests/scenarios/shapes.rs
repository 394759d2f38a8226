//! What a scenario's name promises is in its block.

use chorus::evm::{
    TransactionOutcome,
    workload::{Scenario, scenario::Contention},
};

use crate::agree::sequential;

fn build(name: &str, size: usize, given: &[(&str, &str)]) -> Contention {
    let scenario = Scenario::by_name(name).unwrap();
    let settings = scenario.settings(given.iter().copied()).unwrap();
    scenario.build(size, 3, &settings)
}

/// Work by longest chain.
fn breadth(name: &str, size: usize, given: &[(&str, &str)]) -> f64 {
    build(name, size, given).profile().unwrap().limit(usize::MAX)
}

#[test]
fn every_transaction_but_the_invalid_succeeds() {
    for scenario in Scenario::ALL {
        let settings = scenario.settings([]).unwrap();
        for size in [0, 1, 200] {
            let work = scenario.build(size, 5, &settings);
            assert_eq!(work.block.transactions.len(), size, "{}", scenario.name);
            let outcome = sequential(&work);
            for (index, transaction) in outcome.transactions.iter().enumerate() {
                match transaction {
                    TransactionOutcome::Executed(executed) => {
                        let result = &executed.result;
                        assert!(result.is_success(), "{} {index}: {result:?}", scenario.name);
                    }
                    TransactionOutcome::Skipped(_) => assert_eq!(scenario.name, "invalid"),
                }
            }
        }
    }
}

#[test]
fn extreme_parameters_are_within_the_rules() {
    for scenario in Scenario::ALL {
        for parameter in scenario.parameters {
            for value in [parameter.least, parameter.most.min(100_000.0)] {
                let value = value.to_string();
                let settings = scenario.settings([(parameter.name, value.as_str())]).unwrap();
                let outcome = sequential(&scenario.build(3, 5, &settings));
                let good = outcome.executed().all(|executed| executed.result.is_success());
                assert!(good, "{} with {} = {value}", scenario.name, parameter.name);
            }
        }
    }
}

#[test]
fn the_share_of_invalid_transactions_is_about_what_was_asked_for() {
    for (share, least, most) in [("0", 0, 0), ("40", 320, 400), ("100", 800, 900)] {
        let outcome = sequential(&build("invalid", 1000, &[("share", share)]));
        let skipped = outcome.transactions.len() - outcome.executed().count();
        assert!((least..=most).contains(&skipped), "{skipped}");
    }
}

#[test]
fn dependencies_are_as_the_names_say() {
    assert!(breadth("chain", 100, &[]) < 1.5);
    assert!(breadth("hot-spot", 100, &[("share", "100")]) < 1.5);
    assert!(breadth("region-word", 100, &[]) < 1.5);
    assert!(breadth("beneficiary", 100, &[("share", "100")]) < 1.5);
    for name in ["independent", "raw", "deep", "region-words", "region-maps"] {
        assert!(breadth(name, 100, &[]) > 3.0, "{name}");
    }
    assert!(breadth("hot-spot", 100, &[("share", "0")]) > 3.0);
    assert!(breadth("beneficiary", 100, &[("share", "0")]) > 3.0);
    assert!(breadth("zipf", 200, &[("s", "3")]) < breadth("zipf", 200, &[("s", "0")]));
    // Half of the work is one transaction's. It is timed, and one interruption would decide: the median.
    let mut giants: Vec<f64> = (0..5).map(|_| breadth("giant", 100, &[])).collect();
    giants.sort_by(f64::total_cmp);
    let giant = giants[2];
    assert!((1.4..2.9).contains(&giant), "{giant}");
}

#[test]
fn the_storm_destroys_and_creates_again() {
    let outcome = sequential(&build("storm", 4 * 8, &[]));
    // Created and destroyed twice: nothing is left of the children, and four turns of each parent.
    let children = outcome.diff.accounts.iter().filter(|(_, change)| change.code.is_some()).count();
    assert_eq!(children, 0);
    let outcome = sequential(&build("storm", 3 * 8, &[]));
    let children = outcome.diff.accounts.iter().filter(|(_, change)| change.code.is_some()).count();
    assert_eq!(children, 8);
}
