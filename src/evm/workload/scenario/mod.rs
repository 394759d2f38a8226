//! Contention by name: what benchmarks choose from.
//!
//! ```text
//!  name ──► Scenario ──settings(k=v …)──► Settings ──build(size, seed, settings)──► Contention
//!           (catalog)                                                         block, state, regions
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `catalog` | every scenario: name, description, usual size, parameters |
//! | `parameter` | parameters, their values and bounds |
//! | `cells` | dependencies through storage slots, drawn to any pattern |
//! | `beneficiary` | transactions that look at what all others pay |
//! | `calls` | deep calls, and contracts that come and go |
//! | `invalid` | transactions that may not be in the block |
//! | `regions` | shared regions: words, pages, mappings, snapshots |
//!
//! A scenario is a function of size, seed and parameters; what [`Workload`](super::Workload) has
//! already is taken from there. Every transaction is valid and succeeds, in block order, except those
//! of `invalid`.

mod beneficiary;
mod calls;
mod catalog;
mod cells;
mod invalid;
mod parameter;
mod regions;

pub use parameter::{Parameter, Settings};

use super::world::{Around, World};
use crate::{
    engine::SharedMemory,
    evm::{
        Block, BlockError, InvalidPolicy,
        limit::{Beside, Profile},
    },
    store::MemoryStore,
    sync::Arc,
};

/// A kind of contention, with parameters.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Transactions in a block of the usual size.
    pub size: usize,
    /// What else can be chosen.
    pub parameters: &'static [Parameter],
    fill: fn(&mut World, usize, &Settings),
}

/// A scenario's block and what it runs on.
#[derive(Clone, Debug)]
pub struct Contention {
    /// The block.
    pub block: Arc<Block>,
    /// The state that it starts from.
    pub store: Arc<MemoryStore>,
    /// The regions that it starts from; off if it uses none.
    pub memory: Arc<SharedMemory>,
    /// What is to become of invalid transactions.
    pub policy: InvalidPolicy,
    /// What its transactions read and write that is neither account nor slot.
    pub beside: Vec<Beside>,
}

/// A choice that no scenario offers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// Nothing is called that.
    #[error("there is no scenario {name:?}; there are {}", names(Scenario::ALL))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The scenario has no such parameter.
    #[error("{scenario} has no parameter {parameter:?}; {}", offered(scenario))]
    Parameter {
        /// Whose it would be.
        scenario: &'static str,
        /// What was asked for.
        parameter: String,
    },
    /// The value is none that the parameter can have.
    #[error("{scenario}: {parameter} is {value:?}: expected {expected}")]
    Value {
        /// The scenario.
        scenario: &'static str,
        /// Its parameter.
        parameter: &'static str,
        /// What was asked for.
        value: String,
        /// What it can be.
        expected: String,
    },
}

fn names(scenarios: &[Scenario]) -> String {
    scenarios.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ")
}

fn offered(scenario: &str) -> String {
    let parameters = Scenario::by_name(scenario).map_or(&[][..], |found| found.parameters);
    match parameters {
        [] => "it has none".to_owned(),
        _ => {
            let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
            format!("it has {}", names.join(", "))
        }
    }
}

impl Scenario {
    /// The scenario of that name.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Unknown`], listing what there is.
    pub fn by_name(name: &str) -> Result<&'static Self, ScenarioError> {
        let found = Self::ALL.iter().find(|scenario| scenario.name == name);
        found.ok_or_else(|| ScenarioError::Unknown { name: name.to_owned() })
    }

    /// The parameters' usual values, but for those that are given.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Parameter`] or [`ScenarioError::Value`].
    pub fn settings<'a>(
        &self,
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Settings, ScenarioError> {
        let mut settings = Settings::usual(self.parameters);
        for (name, value) in given {
            let parameter = self.parameters.iter().find(|parameter| parameter.name == name);
            let parameter = parameter.ok_or_else(|| ScenarioError::Parameter {
                scenario: self.name,
                parameter: name.to_owned(),
            })?;
            let number = parameter.parse(value).ok_or_else(|| ScenarioError::Value {
                scenario: self.name,
                parameter: parameter.name,
                value: value.to_owned(),
                expected: parameter.expected(),
            })?;
            settings.set(parameter.name, number);
        }
        Ok(settings)
    }

    /// A block of so many transactions. Equal arguments give equal results.
    #[must_use]
    pub fn build(&self, size: usize, seed: u64, settings: &Settings) -> Contention {
        let mut world = World::new(seed);
        (self.fill)(&mut world, size, settings);
        let (block, store, Around { policy, memory, beside }) = world.finish();
        Contention {
            block: Arc::new(block),
            store: Arc::new(store),
            memory: memory.unwrap_or_else(SharedMemory::off),
            policy,
            beside,
        }
    }
}

impl Contention {
    /// Work and dependencies of the block.
    ///
    /// # Errors
    ///
    /// Any [`BlockError`] but an invalid transaction.
    pub fn profile(&self) -> Result<Profile, BlockError> {
        Profile::record_with(&self.block, &*self.store, Some(&self.memory), &self.beside)
    }
}
