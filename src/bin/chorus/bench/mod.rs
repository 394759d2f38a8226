//! `chorus bench`: contention, scenario by scenario.
//!
//! ```text
//!  arguments ──► cases ──► measure ──► row ──┬─► table
//!                 │          │               ├─► JSON lines
//!                 │          └ clock         └─► page ── chart
//!                 └────────► peak: the same once more, in processes of their own
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `arguments` | what the command line says |
//! | `cases` | which blocks to run: scenarios at sizes, directories |
//! | `measure` | paired runs of baseline and engine |
//! | `copies` | what the machine gives: the baseline on every thread at once |
//! | `clock` | processor time |
//! | `peak` | peak memory |
//! | `estimate` | a median and its interval |
//! | `row` | what is said about one case on so many threads |
//! | `list`, `table` | for people |
//! | `page`, `chart` | one self-contained HTML file |
//! | `scaling` | `chorus bench scaling`: more cores than there are |
//!
//! Every run of the engine stands beside a run of the baseline, before and after it in turns, so that a
//! machine that drifts drifts for both; and every result is compared with the sequential one.

mod arguments;
mod cases;
mod chart;
mod clock;
mod copies;
mod estimate;
mod list;
mod measure;
mod page;
mod peak;
mod row;
mod scaling;
mod table;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use chorus::{
    evm::{BlockError, EngineError, input::InputError, workload::scenario::ScenarioError},
    sim::SimError,
    sync::{thread::available_parallelism, time::Duration},
};

pub(crate) use self::{
    arguments::{Peak, Scenarios},
    cases::scenario,
    scaling::{Scaling, run as scale},
};
use self::{
    measure::{Bench, Engines, Rounds},
    row::Row,
};
use crate::{inputs, progress::Progress, run::Verdict};

/// Why a measurement ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A scenario, parameter or value that does not exist.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A parameter without `=`.
    #[error("--param {given:?}: expected NAME=VALUE")]
    Malformed {
        /// What was given.
        given: String,
    },
    /// A parameter that none of the scenarios has.
    #[error("--param {parameter}: none of the chosen scenarios has it; they have {}", list(known))]
    NoParameter {
        /// What was given.
        parameter: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The input cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The engine cannot be set up as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The block cannot be executed, which both engines say alike.
    #[error("{name}: {error}")]
    Block {
        /// Which block.
        name: String,
        /// What both said.
        error: Box<BlockError>,
    },
    /// The block cannot be simulated.
    #[error("{name}: simulation: {error}")]
    Simulation {
        /// Which block.
        name: String,
        /// Why not.
        error: SimError,
    },
    /// The page cannot be written.
    #[error("{}: {reason}", path.display())]
    Page {
        /// Where.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The system does not say how much memory the process takes.
    #[error("/proc/self: {0}")]
    Memory(io::Error),
    /// The output cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

fn list(known: &[&str]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// Measures everything that the arguments ask for.
pub(crate) fn run(arguments: &Scenarios) -> Result<Verdict, BenchError> {
    if arguments.list {
        list::print(&mut io::stdout().lock())?;
        return Ok(Verdict::Matched);
    }
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let cases = cases::chosen(&arguments.into())?;
    let page = arguments.html.as_ref().map(open).transpose()?;
    let threads = match arguments.threads.as_slice() {
        [] => vec![available_parallelism()],
        threads => threads.iter().map(|threads| usize::from(*threads)).collect(),
    };
    let rounds = Rounds {
        repeat: arguments.repeat,
        warm: arguments.warm,
        pause: Duration::from_millis(arguments.pause.into()),
    };
    let steps = cases.len() * threads.len() * (rounds.pairs() as usize + 1);
    let progress = Progress::new(steps as u64);
    let mut verdict = Verdict::Matched;
    let mut rows = Vec::new();
    for case in &cases {
        let name = case.name();
        progress.show(&name);
        let work = case.load(&chain)?;
        let block = |error| BenchError::Block { name: name.clone(), error: Box::new(error) };
        let profile = work.profile().map_err(block)?;
        let engines = Engines::start(&work, &threads, arguments.path)?;
        let bench = Bench::run(&work, engines, rounds, || progress.tick()).map_err(block)?;
        let alone = peak::measure(case, arguments, None);
        for measured in bench.measured {
            let limit = profile.limit(measured.threads);
            let peaks = [alone, peak::measure(case, arguments, Some(measured.threads))];
            progress.tick();
            if let Some(difference) = &measured.difference {
                verdict = Verdict::Mismatched;
                let threads = measured.threads;
                progress.aside(|| {
                    eprintln!("chorus: {name}, {threads} threads: parallel and sequential differ: {difference}");
                });
            }
            let row =
                Row::new(case, &work, &bench.outcome, &measured, limit, peaks, arguments.pause);
            if arguments.json {
                let line = serde_json::to_string(&row).map_err(io::Error::from)?;
                progress.aside(|| writeln!(io::stdout(), "{line}"))?;
            }
            rows.push(row);
        }
    }
    drop(progress);
    if !arguments.json {
        table::print(&rows, &mut io::stdout().lock())?;
    }
    if let Some((mut file, path)) = page {
        let written = page::page(&rows).and_then(|text| {
            file.set_len(0)?;
            file.write_all(text.as_bytes())
        });
        written.map_err(|reason| BenchError::Page { path, reason })?;
    }
    Ok(verdict)
}

/// Prints the peak memory of one run, for the process that has started this one.
pub(crate) fn peak(arguments: &Peak) -> Result<Verdict, BenchError> {
    let bytes = peak::observe(arguments)?;
    writeln!(io::stdout(), "{bytes}")?;
    Ok(Verdict::Matched)
}

/// Opens the page before anything runs, and leaves what is there until there is something better.
fn open(path: &PathBuf) -> Result<(File, PathBuf), BenchError> {
    let opened = OpenOptions::new().create(true).write(true).truncate(false).open(path);
    let file = opened.map_err(|reason| BenchError::Page { path: path.clone(), reason })?;
    Ok((file, path.clone()))
}
