//! The blocks: generated ones at sizes, or real ones from directories.

use std::{path::Path, sync::Arc};

use chorus::{
    engine::SharedMemory,
    evm::{
        ChainSpec, InvalidPolicy, input,
        workload::{Scenario, scenario::Contention},
    },
};

/// A block and its state.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) work: Contention,
}

/// Scenarios with the sizes at which they are measured; the first one of most is a gigagas.
const GENERATED: [(&str, &[usize]); 6] = [
    ("raw", &[47_620, 1_000, 10_000, 100_000]),
    ("erc20", &[23_400, 1_000, 10_000, 100_000]),
    ("amm", &[9_300, 600]),
    ("independent", &[1_000, 10_000, 100_000]),
    ("mixed", &[16_100, 1_000, 10_000, 100_000]),
    ("chain", &[1_000, 10_000]),
];

/// Those of the directories among the arguments, or else the generated ones whose names contain one of the
/// arguments. A quick run takes small blocks.
pub(crate) fn chosen(arguments: &[String], quick: bool) -> Box<dyn Iterator<Item = Case>> {
    let is_directory = |argument: &String| Path::new(argument).is_dir();
    let (directories, names): (Vec<String>, Vec<String>) =
        arguments.iter().cloned().partition(is_directory);
    if !directories.is_empty() {
        return Box::new(directories.into_iter().flat_map(|directory| real(Path::new(&directory))));
    }
    let wanted =
        move |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let generated = GENERATED.into_iter().filter(move |(name, _)| wanted(name));
    Box::new(generated.flat_map(move |(name, sizes)| {
        let sizes = if quick { &[20] } else { sizes };
        sizes.iter().map(move |size| generate(name, *size))
    }))
}

fn generate(name: &str, size: usize) -> Case {
    let scenario = Scenario::by_name(name).expect("the names above are names");
    let settings = scenario.settings([]).expect("the usual values are values");
    Case { name: name.to_owned(), work: scenario.build(size, 1, &settings) }
}

/// The blocks of a directory, or of directories in it.
fn real(directory: &Path) -> impl Iterator<Item = Case> + use<> {
    let found = input::discover(directory).expect("a directory of blocks");
    let chain = ChainSpec::mainnet();
    found.into_iter().map(move |path| {
        let (block, store) = input::load_block(&path, &chain).expect("a block of mainnet");
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let work = Contention {
            block: Arc::new(block),
            store: Arc::new(store),
            memory: SharedMemory::off(),
            policy: InvalidPolicy::Fail,
            beside: Vec::new(),
        };
        Case { name: name.unwrap_or_default(), work }
    })
}
