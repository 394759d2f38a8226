//! `chorus trace`: the timeline of one block, as a file and as a table of its hottest locations.
//!
//! | file | concept |
//! |---|---|
//! | `mod` | the command |
//! | `subject` | the block: of a directory, of a scenario of `chorus bench`, or generated |
//! | `target` | the file, and the format that its name or the arguments ask for |
//! | `hottest` | what is printed |

mod hottest;
mod subject;
mod target;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use chorus::{
    evm::{
        BlockError, BlockOutcome, Engine, EngineError, ExecuteOptions, Sequential, StateStore,
        input::InputError,
    },
    observe::timeline::Recording,
    region::config::ConfigError,
    sync::{Arc, thread::available_parallelism},
};
use clap::Args;

use self::{
    subject::Subject,
    target::{Format, Target, TargetError},
};
use crate::{
    arguments::{Path, Policy, SharedMemory},
    bench::BenchError,
    check::difference,
    measure::Measurement,
    remarks,
    report::Report,
    run::Verdict,
};

#[derive(Args, Debug)]
pub(crate) struct Trace {
    /// A scenario of `chorus bench` (see `chorus bench --list`)
    #[arg(value_name = "SCENARIO", conflicts_with_all = ["block", "chain", "policy", "shared_memory"])]
    scenario: Option<String>,

    /// A block directory; a generated block if neither this nor a scenario is given
    #[arg(long, value_name = "DIR")]
    block: Option<PathBuf>,

    /// The scenario's transactions; its usual number if absent
    #[arg(long, value_name = "N", requires = "scenario",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    size: Option<u32>,

    /// Where the scenario's chance begins
    #[arg(long, value_name = "S", requires = "scenario", default_value_t = 1)]
    seed: u64,

    /// A parameter of the scenario
    #[arg(long, value_name = "NAME=VALUE", requires = "scenario")]
    param: Vec<String>,

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
    /// There is no such scenario, parameter or value.
    #[error(transparent)]
    Scenario(#[from] BenchError),
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
    let subject = Subject::load(arguments)?;
    let mut target = Target::open(&arguments.out, arguments.format)?;
    let threads = arguments.threads.map_or_else(available_parallelism, usize::from);
    let engine = Engine::builder()
        .threads(threads)
        .path(arguments.path.into())
        .policy(subject.policy)
        .shared_memory(subject.memory.clone())
        .build()?;
    let recording = Recording::new();
    let measurement = execute(&subject, &engine, &recording);
    let outcome = match (&measurement.sequential, &measurement.difference) {
        (Err(error), None) => {
            let (block, error) = (subject.name, Box::new(error.clone()));
            return Err(TraceError::Block { block, error });
        }
        _ => measurement.answer(),
    };
    let work = &subject.work;
    let report = outcome.map(|it| Report::new(&work.block, it, &measurement, threads, None));
    let complaints = remarks::complaints(&measurement, report.as_ref(), work);
    for line in remarks::left_out(&measurement, work).iter().chain(&complaints) {
        eprintln!("chorus: {}: {line}", subject.name);
    }
    // A block that went wrong is worth looking at as well.
    let Some(timeline) = recording.take() else {
        return Err(TraceError::Direct { block: subject.name });
    };
    let title = title(&subject, threads);
    target.write(&timeline, &title)?;
    let mut out = io::stdout().lock();
    hottest::print(&timeline, &title, &mut out)?;
    writeln!(out, "{}", target.hint())?;
    Ok(if complaints.is_empty() { Verdict::Matched } else { Verdict::Mismatched })
}

/// One run of the baseline, one of the engine to get its threads and coroutines going, and the one
/// that is recorded.
fn execute(subject: &Subject, engine: &Engine, recording: &Recording) -> Measurement {
    let Subject { work, memory, policy, .. } = subject;
    let store: Arc<dyn StateStore> = work.prestate.clone();
    let mut baseline = Sequential::with_shared_memory(memory.clone());
    let sequential = baseline.execute(&work.block, &*work.prestate, *policy);
    let _: Result<BlockOutcome, BlockError> = engine.execute(&work.block, &store);
    engine.forget();
    let options = ExecuteOptions::new().trace(recording);
    let parallel = engine.execute_with(&work.block, &store, options);
    let difference = difference(&sequential, &parallel);
    Measurement { sequential, parallel, difference, times: None }
}

fn title(subject: &Subject, threads: usize) -> String {
    let transactions = subject.work.block.transactions.len();
    let (name, workers) = (&subject.short_name, if threads == 1 { "worker" } else { "workers" });
    format!("block {name}: {transactions} transactions on {threads} {workers}")
}
