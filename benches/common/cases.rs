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
    /// What [`again`] makes the same one of, in another process.
    pub(crate) again: Vec<String>,
    pub(crate) work: Contention,
}

/// Scenarios by name, each with the sizes at which it is measured.
pub(crate) type Generated = &'static [(&'static str, &'static [usize])];

/// Those of the directories among the arguments, or else the generated ones whose names contain one of the
/// arguments. A quick run takes small blocks.
pub(crate) fn chosen(
    arguments: &[String],
    generated: Generated,
    quick: bool,
) -> Box<dyn Iterator<Item = Case>> {
    let is_directory = |argument: &String| Path::new(argument).is_dir();
    let (directories, names): (Vec<String>, Vec<String>) =
        arguments.iter().cloned().partition(is_directory);
    if !directories.is_empty() {
        return Box::new(directories.into_iter().flat_map(|directory| real(Path::new(&directory))));
    }
    let wanted =
        move |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part.as_str()));
    let generated = generated.iter().filter(move |(name, _)| wanted(name));
    Box::new(generated.flat_map(move |(name, sizes)| {
        let sizes: &[usize] = if quick { &[20] } else { sizes };
        sizes.iter().map(move |size| generate(name, *size))
    }))
}

/// The case of which this is the [`Case::again`].
pub(crate) fn again(arguments: &[String]) -> Case {
    match arguments {
        [name, size] => generate(name, size.parse().expect("a number of transactions")),
        [path] => load(Path::new(path)),
        other => panic!("{other:?} names no case"),
    }
}

fn generate(name: &str, size: usize) -> Case {
    let scenario = Scenario::by_name(name).expect("the names of the benchmarks are names");
    let settings = scenario.settings([]).expect("the usual values are values");
    let again = vec![name.to_owned(), size.to_string()];
    Case { name: name.to_owned(), again, work: scenario.build(size, 1, &settings) }
}

/// The blocks of a directory, or of directories in it.
fn real(directory: &Path) -> impl Iterator<Item = Case> + use<> {
    let found = input::discover(directory).expect("a directory of blocks");
    found.into_iter().map(|path| load(&path))
}

fn load(path: &Path) -> Case {
    let (block, store) =
        input::load_block(path, &ChainSpec::mainnet()).expect("a block of mainnet");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let work = Contention {
        block: Arc::new(block),
        store: Arc::new(store),
        memory: SharedMemory::off(),
        policy: InvalidPolicy::Fail,
        beside: Vec::new(),
    };
    Case { name: name.unwrap_or_default(), again: vec![path.to_string_lossy().into_owned()], work }
}
