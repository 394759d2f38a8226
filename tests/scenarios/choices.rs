//! Names, parameters, and what is said about wrong ones.

use chorus::evm::workload::{Scenario, scenario::ScenarioError};

#[test]
fn names_are_found_and_different() {
    for (at, scenario) in Scenario::ALL.iter().enumerate() {
        assert_eq!(Scenario::by_name(scenario.name).unwrap().description, scenario.description);
        assert!(Scenario::ALL[..at].iter().all(|other| other.name != scenario.name));
        for parameter in scenario.parameters {
            assert!((parameter.least..=parameter.most).contains(&parameter.usual));
        }
    }
}

#[test]
fn an_unknown_name_is_answered_with_all_names() {
    let error = Scenario::by_name("hotspot").unwrap_err();
    assert!(matches!(&error, ScenarioError::Unknown { name } if name == "hotspot"));
    let text = error.to_string();
    assert!(Scenario::ALL.iter().all(|scenario| text.contains(scenario.name)), "{text}");
}

#[test]
fn wrong_parameters_are_named_with_what_there_is() {
    let zipf = Scenario::by_name("zipf").unwrap();
    let text = zipf.settings([("t", "1")]).unwrap_err().to_string();
    assert_eq!(text, "zipf has no parameter \"t\"; it has s, slots, rounds");
    let text = zipf.settings([("slots", "1.5")]).unwrap_err().to_string();
    assert_eq!(text, "zipf: slots is \"1.5\": expected a whole number from 1 to 1000000");
    let text = zipf.settings([("s", "steep")]).unwrap_err().to_string();
    assert_eq!(text, "zipf: s is \"steep\": expected a number from 0 to 10");
    let text = Scenario::by_name("nft").unwrap().settings([("s", "1")]).unwrap_err().to_string();
    assert_eq!(text, "nft has no parameter \"s\"; it has none");
}

#[test]
fn what_is_given_replaces_what_is_usual() {
    let zipf = Scenario::by_name("zipf").unwrap();
    let settings = zipf.settings([("s", "0.5"), ("rounds", "7")]).unwrap();
    assert_eq!(
        settings.iter().collect::<Vec<_>>(),
        [("s", 0.5), ("slots", 1000.0), ("rounds", 7.0)]
    );
}

#[test]
fn equal_seeds_give_equal_blocks_and_other_seeds_others() {
    for scenario in Scenario::ALL {
        let settings = scenario.settings([]).unwrap();
        let [one, same, other] = [1, 1, 2].map(|seed| scenario.build(30, seed, &settings));
        let envs = |work: &chorus::evm::workload::scenario::Contention| {
            work.block.transactions.iter().map(|tx| tx.env.clone()).collect::<Vec<_>>()
        };
        assert_eq!(envs(&one), envs(&same), "{}", scenario.name);
        assert_eq!(one.store, same.store, "{}", scenario.name);
        assert_eq!(one.memory.root(), same.memory.root(), "{}", scenario.name);
        assert_ne!(envs(&one), envs(&other), "{}", scenario.name);
    }
}
