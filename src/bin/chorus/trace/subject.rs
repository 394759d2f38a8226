//! The block that a trace is of.

use chorus::{
    engine::SharedMemory as Memory,
    evm::{InvalidPolicy, workload::Workload},
    sync::Arc,
};

use super::{Trace, TraceError};
use crate::{
    bench,
    executor::Work,
    inputs::{self, Source},
};

/// One block, and what it needs to run.
pub(super) struct Subject {
    /// What messages call it.
    pub(super) name: String,
    /// What titles call it.
    pub(super) short_name: String,
    pub(super) work: Work,
    /// The regions that it begins with.
    pub(super) memory: Arc<Memory>,
    pub(super) policy: InvalidPolicy,
}

impl Subject {
    /// Makes or reads what the arguments name.
    pub(super) fn load(arguments: &Trace) -> Result<Self, TraceError> {
        match &arguments.scenario {
            Some(scenario) => Self::of_scenario(scenario, arguments),
            None => Self::of_source(&source(arguments)?, arguments),
        }
    }

    fn of_scenario(scenario: &str, arguments: &Trace) -> Result<Self, TraceError> {
        let Trace { size, seed, param, .. } = arguments;
        let contention = bench::scenario(scenario, *size, *seed, param)?;
        Ok(Self {
            name: scenario.to_owned(),
            short_name: scenario.to_owned(),
            work: Work::in_memory(contention.block, contention.store),
            memory: contention.memory,
            policy: contention.policy,
        })
    }

    fn of_source(source: &Source, arguments: &Trace) -> Result<Self, TraceError> {
        let chain = inputs::chain_of(arguments.chain.as_deref())?;
        Ok(Self {
            name: source.name(),
            short_name: source.short_name(),
            work: source.load(&chain)?,
            memory: Memory::new(arguments.shared_memory.into())?,
            policy: arguments.policy.into(),
        })
    }
}

/// The one block that is named, or the generated one.
fn source(arguments: &Trace) -> Result<Source, TraceError> {
    let Some(path) = &arguments.block else {
        return Ok(Source::Workload(Workload::DEFAULT));
    };
    let mut sources = inputs::directories(std::slice::from_ref(path))?;
    match (sources.pop(), sources.len()) {
        (Some(source), 0) => Ok(source),
        (_, others) => Err(TraceError::Several { path: path.clone(), blocks: others + 1 }),
    }
}
