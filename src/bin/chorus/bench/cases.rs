//! Which blocks to run: scenarios at sizes, and directories.

use std::{path::PathBuf, sync::Arc};

use chorus::{
    engine::SharedMemory,
    evm::{
        ChainSpec, InvalidPolicy,
        input::{self, InputError},
        workload::{
            Scenario,
            scenario::{Contention, Settings},
        },
    },
};

use super::{BenchError, Peak, Scenarios};

/// One block to run, not loaded yet.
#[derive(Debug)]
pub(super) enum Case {
    /// A block directory.
    Directory(PathBuf),
    /// A scenario at a size.
    Scenario {
        /// Which one.
        scenario: &'static Scenario,
        /// Its parameters.
        settings: Settings,
        /// Transactions.
        size: usize,
        /// Where chance begins.
        seed: u64,
    },
}

/// What the arguments ask for.
pub(super) struct Wanted<'a> {
    pub(super) scenario: &'a [String],
    pub(super) block: &'a [PathBuf],
    pub(super) size: &'a [u32],
    pub(super) seed: u64,
    pub(super) param: &'a [String],
}

impl<'a> From<&'a Scenarios> for Wanted<'a> {
    fn from(arguments: &'a Scenarios) -> Self {
        Self {
            scenario: &arguments.scenario,
            block: &arguments.block,
            size: &arguments.size,
            seed: arguments.seed,
            param: &arguments.param,
        }
    }
}

/// What the arguments choose, in their order.
pub(super) fn chosen(arguments: &Wanted<'_>) -> Result<Vec<Case>, BenchError> {
    let mut scenarios = Vec::new();
    for name in arguments.scenario {
        scenarios.push(Scenario::by_name(name)?);
    }
    if scenarios.is_empty() && arguments.block.is_empty() {
        scenarios.extend(Scenario::ALL);
    }
    let given = pairs(arguments.param)?;
    for (parameter, _) in &given {
        let known = || scenarios.iter().flat_map(|scenario| scenario.parameters);
        if !known().any(|known| known.name == *parameter) {
            if let [only] = scenarios[..] {
                only.settings(given.iter().copied())?;
            }
            let mut known: Vec<_> = known().map(|known| known.name).collect();
            known.sort_unstable();
            known.dedup();
            return Err(BenchError::NoParameter { parameter: (*parameter).to_owned(), known });
        }
    }
    let mut cases = Vec::new();
    for scenario in scenarios {
        let has = |name: &str| scenario.parameters.iter().any(|known| known.name == name);
        let settings = scenario.settings(given.iter().copied().filter(|(name, _)| has(name)))?;
        let usual = [scenario.size];
        let sizes = arguments.size.iter().map(|size| *size as usize);
        let sizes: Vec<usize> =
            if arguments.size.is_empty() { usual.into() } else { sizes.collect() };
        for size in sizes {
            let (settings, seed) = (settings.clone(), arguments.seed);
            cases.push(Case::Scenario { scenario, settings, size, seed });
        }
    }
    for path in arguments.block {
        cases.extend(input::discover(path)?.into_iter().map(Case::Directory));
    }
    Ok(cases)
}

/// One scenario, made.
pub(crate) fn scenario(
    name: &str,
    size: Option<u32>,
    seed: u64,
    param: &[String],
) -> Result<Contention, BenchError> {
    let scenario = Scenario::by_name(name)?;
    let settings = scenario.settings(pairs(param)?)?;
    let size = size.map_or(scenario.size, |size| size as usize);
    Ok(scenario.build(size, seed, &settings))
}

/// Names and values.
fn pairs(given: &[String]) -> Result<Vec<(&str, &str)>, BenchError> {
    let pair = |text: &'_ String| match text.split_once('=') {
        Some(_) => Ok(()),
        None => Err(BenchError::Malformed { given: text.clone() }),
    };
    given.iter().try_for_each(pair)?;
    Ok(given.iter().filter_map(|text| text.split_once('=')).collect())
}

impl Case {
    /// The one that a process of its own is to run.
    pub(super) fn of(arguments: &Peak) -> Result<Self, BenchError> {
        if let Some(path) = &arguments.block {
            return Ok(Self::Directory(path.clone()));
        }
        let scenario = Scenario::by_name(arguments.scenario.as_deref().unwrap_or_default())?;
        let settings = scenario.settings(pairs(&arguments.param)?)?;
        Ok(Self::Scenario { scenario, settings, size: arguments.size, seed: arguments.seed })
    }

    /// Makes or reads it.
    pub(super) fn load(&self, chain: &ChainSpec) -> Result<Contention, InputError> {
        match self {
            Self::Scenario { scenario, settings, size, seed } => {
                Ok(scenario.build(*size, *seed, settings))
            }
            Self::Directory(path) => {
                let (block, store) = input::load_block(path, chain)?;
                Ok(Contention {
                    block: Arc::new(block),
                    store: Arc::new(store),
                    memory: SharedMemory::off(),
                    policy: InvalidPolicy::Fail,
                    beside: Vec::new(),
                })
            }
        }
    }

    /// What tables call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Scenario { scenario, .. } => scenario.name.to_owned(),
            Self::Directory(path) => match path.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
        }
    }
}
