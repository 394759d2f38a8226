//! `chorus trace`: the timeline of one block, as a file and as a table of its hottest locations.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the command |
//! | `target` | the file, and the format that its name or the arguments ask for |
//! | `hottest` | what is printed |

mod hottest;
mod target;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use chorus::{
    engine::SharedMemory as Memory,
    evm::{
        BlockError, BlockOutcome, Engine, EngineError, ExecuteOptions, Sequential, StateStore,
        input::InputError,
    },
    observe::timeline::Recording,
    region::config::ConfigError,
    sync::{Arc, thread::available_parallelism},
};
use clap::Args;

use self::target::{Format, Target, TargetError};
use crate::{
    arguments::{Path, Policy, SharedMemory},
    check::difference,
    executor::Work,
    inputs::{self, Source},
    measure::Measurement,
    remarks,
    report::Report,
    run::Verdict,
};

#[derive(Args, Debug)]
pub(crate) struct Trace {
    /// A block directory; a generated block if absent
    #[arg(long, value_name = "DIR")]
    block: Option<PathBuf>,

    /// Where the timeline goes: a name that ends in `.json` or `.html`, or any with --format
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What is written, whatever the file is called
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Worker threads; as many as the machine has cores if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Which way the block takes through the engine; the direct one has no timeline
    #[arg(long, value_enum, default_value_t = Path::Parallel)]
    path: Path,

    /// What to do with a transaction that may not be in the block
    #[arg(long, value_enum, default_value_t = Policy::Fail)]
    policy: Policy,

    /// Give the block shared memory, without a region at the beginning
    #[arg(long, value_enum, value_name = "PRESET", default_value_t = SharedMemory::Off)]
    shared_memory: SharedMemory,

    /// A geth-style genesis file that describes the chain; Ethereum mainnet if absent
    #[arg(long, value_name = "FILE", requires = "block")]
    chain: Option<PathBuf>,
}

/// Why there is no timeline.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceError {
    /// The input cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// There is more than one block.
    #[error("--block {}: {blocks} blocks, and a trace shows one: name one block directory", path.display())]
    Several {
        /// The directory.
        path: PathBuf,
        /// How many are in it.
        blocks: usize,
    },
    /// The engine has chosen the direct path.
    #[error(
        "{block} went the direct way, one transaction after another, which has no timeline: give --path parallel"
    )]
    Direct {
        /// The block's file.
        block: String,
    },
    /// The block cannot be executed, which both engines say alike.
    #[error("{block}: {error}")]
    Block {
        /// The block's file.
        block: String,
        /// What both said.
        error: Box<BlockError>,
    },
    /// The engine cannot be set up as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The preset of shared memory cannot be used.
    #[error("shared memory: {0}")]
    SharedMemory(#[from] ConfigError),
    /// The file cannot be written, or nothing says what goes into it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Runs the block and writes its timeline.
pub(crate) fn run(arguments: &Trace) -> Result<Verdict, TraceError> {
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let source = source(arguments)?;
    let work = source.load(&chain)?;
    let mut target = Target::open(&arguments.out, arguments.format)?;
    let memory = Memory::new(arguments.shared_memory.into())?;
    let threads = arguments.threads.map_or_else(available_parallelism, usize::from);
    let engine = Engine::builder()
        .threads(threads)
        .path(arguments.path.into())
        .policy(arguments.policy.into())
        .shared_memory(memory.clone())
        .build()?;
    let recording = Recording::new();
    let measurement = execute(&work, arguments, &memory, &engine, &recording);
    let outcome = match (&measurement.sequential, &measurement.difference) {
        (Err(error), None) => {
            let (block, error) = (source.name(), Box::new(error.clone()));
            return Err(TraceError::Block { block, error });
        }
        _ => measurement.answer(),
    };
    let report = outcome.map(|it| Report::new(&work.block, it, &measurement, threads, None));
    let complaints = remarks::complaints(&measurement, report.as_ref(), &work);
    for line in remarks::left_out(&measurement, &work).iter().chain(&complaints) {
        eprintln!("chorus: {}: {line}", source.name());
    }
    // A block that went wrong is worth looking at as well.
    let Some(timeline) = recording.take() else {
        return Err(TraceError::Direct { block: source.name() });
    };
    let title = title(&source, &work, threads);
    target.write(&timeline, &title)?;
    let mut out = io::stdout().lock();
    hottest::print(&timeline, &title, &mut out)?;
    writeln!(out, "{}", target.hint())?;
    Ok(if complaints.is_empty() { Verdict::Matched } else { Verdict::Mismatched })
}

/// The one block that is named, or the generated one.
fn source(arguments: &Trace) -> Result<Source, TraceError> {
    let Some(path) = &arguments.block else {
        return Ok(Source::Workload(chorus::evm::workload::Workload::DEFAULT));
    };
    let mut sources = inputs::directories(std::slice::from_ref(path))?;
    match (sources.pop(), sources.len()) {
        (Some(source), 0) => Ok(source),
        (_, others) => Err(TraceError::Several { path: path.clone(), blocks: others + 1 }),
    }
}

/// One run of the baseline, one of the engine to get its threads and coroutines going, and the one
/// that is recorded.
fn execute(
    work: &Work,
    arguments: &Trace,
    memory: &Arc<Memory>,
    engine: &Engine,
    recording: &Recording,
) -> Measurement {
    let store: Arc<dyn StateStore> = work.prestate.clone();
    let mut baseline = Sequential::with_shared_memory(memory.clone());
    let sequential = baseline.execute(&work.block, &*work.prestate, arguments.policy.into());
    let _: Result<BlockOutcome, BlockError> = engine.execute(&work.block, &store);
    engine.forget();
    let options = ExecuteOptions::new().trace(recording);
    let parallel = engine.execute_with(&work.block, &store, options);
    let difference = difference(&sequential, &parallel);
    Measurement { sequential, parallel, difference, times: None }
}

fn title(source: &Source, work: &Work, threads: usize) -> String {
    let transactions = work.block.transactions.len();
    let (name, workers) = (source.short_name(), if threads == 1 { "worker" } else { "workers" });
    format!("block {name}: {transactions} transactions on {threads} {workers}")
}
