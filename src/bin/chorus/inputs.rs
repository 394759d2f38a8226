//! Where blocks come from: directories, or the generator.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use chorus::evm::{
    ChainSpec,
    input::{self, InputError},
    workload::Workload,
};

use crate::{arguments::Run, executor::Work};

/// Any seed would do; a fixed one makes runs comparable.
const SEED: u64 = 1;

/// One block to run, not loaded yet.
pub(crate) enum Source {
    /// A block directory.
    Directory(PathBuf),
    /// A generated block.
    Workload(Workload),
}

/// The blocks that the arguments name, in order.
pub(crate) fn sources(arguments: &Run) -> Result<Vec<Source>, InputError> {
    if arguments.block.is_empty() {
        return Ok(vec![Source::Workload(Workload::DEFAULT)]);
    }
    directories(&arguments.block)
}

/// The blocks in directories, in order.
pub(crate) fn directories(paths: &[PathBuf]) -> Result<Vec<Source>, InputError> {
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(input::discover(path)?.into_iter().map(Source::Directory));
    }
    Ok(sources)
}

/// The chain that the arguments name.
pub(crate) fn chain(arguments: &Run) -> Result<ChainSpec, InputError> {
    chain_of(arguments.chain.as_deref())
}

/// The chain of a genesis file, or mainnet.
pub(crate) fn chain_of(path: Option<&Path>) -> Result<ChainSpec, InputError> {
    let Some(path) = path else { return Ok(ChainSpec::mainnet()) };
    let text = fs::read_to_string(path)
        .map_err(|reason| InputError::Read { path: path.to_owned(), reason })?;
    ChainSpec::from_genesis_json(&path.display().to_string(), &text)
}

impl Source {
    /// Whether it is on no chain.
    pub(crate) fn is_generated(&self) -> bool {
        matches!(self, Self::Workload(_))
    }

    /// Loads the block and the state it starts from.
    pub(crate) fn load(&self, chain: &ChainSpec) -> Result<Work, InputError> {
        let (block, store) = match self {
            Self::Directory(path) => input::load_block(path, chain)?,
            Self::Workload(workload) => workload.build(SEED),
        };
        Ok(Work::in_memory(Arc::new(block), Arc::new(store)))
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Directory(path) => path.join("block.json").display().to_string(),
            Self::Workload(_) => "the generated block".to_owned(),
        }
    }

    /// What tables call it.
    pub(crate) fn short_name(&self) -> String {
        match self {
            Self::Directory(path) => match path.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
            Self::Workload(workload) => workload.name().to_owned(),
        }
    }
}
