//! `chorus bench scaling`: how the engine would do on more cores than there are.
//!
//! ```text
//!  cases ──► footprint ──► calibrate ──► simulate, per number of cores ──► row ──► table, JSON lines
//!            accesses      times, costs  (chorus::sim)
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `arguments` | what the command line says |
//! | `calibrate` | what the engine costs on a block, from runs of it |
//! | `idle` | what sleeping and waking costs |
//! | `row`, `table` | what is said about a block on so many cores |

mod arguments;
mod calibrate;
mod idle;
mod row;
mod table;

use std::{
    io::{self, Write},
    sync::Arc,
};

use chorus::{
    evm::{
        BlockError, ChainSpec, EngineError,
        footprint::{self, Accounts},
        workload::scenario::Contention,
    },
    sim::{Block, Costs, Settings, simulate},
    sync::{thread::available_parallelism, time::Duration},
};

pub(crate) use self::arguments::Scaling;
use self::{
    calibrate::{Calibration, Engines},
    row::{Bounds, Row},
};
use super::{
    BenchError,
    cases::{self, Case, Wanted},
    measure::engine,
};
use crate::{arguments::Path, inputs, progress::Progress, run::Verdict};

/// Simulates everything that the arguments ask for.
pub(crate) fn run(arguments: &Scaling) -> Result<Verdict, BenchError> {
    let chain = inputs::chain_of(arguments.chain.as_deref())?;
    let cases = cases::chosen(&Wanted {
        scenario: &arguments.scenario,
        block: &arguments.block,
        size: &arguments.size,
        seed: arguments.seed,
        param: &arguments.param,
    })?;
    let idle = idle::measure();
    let steps = arguments.cores.len() * arguments.window.len() + 1;
    let progress = Progress::new((cases.len() * steps) as u64);
    let (mut rows, mut verdict) = (Vec::new(), Verdict::Matched);
    for case in &cases {
        progress.show(&case.name());
        for row in simulations(case, arguments, &chain, idle, &progress)? {
            if !row.equals_sequential {
                verdict = Verdict::Mismatched;
            }
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
    Ok(verdict)
}

/// One block on all numbers of cores.
fn simulations(
    case: &Case,
    arguments: &Scaling,
    chain: &ChainSpec,
    idle: Costs,
    progress: &Progress,
) -> Result<Vec<Row>, BenchError> {
    let name = case.name();
    let work = case.load(chain)?;
    let failed = |error| BenchError::Block { name: name.clone(), error: Box::new(error) };
    let profile = work.profile().map_err(failed)?;
    let mut block = recorded(&work, Accounts::AsMerged).map_err(failed)?;
    let mut values = recorded(&work, Accounts::AsValues).map_err(failed)?;
    let engines = engines(&work, &arguments.cores)?;
    let calibration =
        Calibration::new(&work, &mut block, &engines, idle, arguments.repeat).map_err(failed)?;
    drop(engines);
    progress.tick();
    let mut costs = calibration.costs;
    arguments.costs.replace(&mut costs);
    let expected = block.sequential_state();
    let mut contended = block.clone();
    let longer = |time: &Duration| time.mul_f64(calibration.contention);
    contended.set_times(&block.times().iter().map(longer).collect::<Vec<_>>());
    let (block, contended) = (Arc::new(block), Arc::new(contended));
    values.set_times(&block.times());
    let bounds = Bounds { profile: &profile, values: &values, block: &block };
    let mut rows = Vec::new();
    let all = arguments.window.iter().flat_map(|window| {
        let cores = arguments.cores.iter();
        cores.map(move |cores| (*window, usize::from(*cores)))
    });
    for (window, cores) in all {
        let settings = Settings {
            window,
            seed: arguments.seed,
            jitter: f64::from(arguments.jitter) / 100.0,
            costs,
            ..Settings::new(cores)
        };
        let simulated = if cores == 1 { &block } else { &contended };
        let outcome = simulate(simulated, &settings)
            .map_err(|error| BenchError::Simulation { name: name.clone(), error })?;
        let equal = outcome.state == expected;
        rows.push(Row::new(&name, bounds, &calibration, &settings, &outcome, equal));
        progress.tick();
    }
    Ok(rows)
}

fn recorded(work: &Contention, accounts: Accounts) -> Result<Block, BlockError> {
    footprint::record(&work.block, &*work.store, Some(&work.memory), &work.beside, accounts)
}

/// Engines with one worker, with two, and with as many more as there are real cores for.
fn engines(work: &Contention, cores: &[u16]) -> Result<Engines, EngineError> {
    let start = |threads| engine(work, threads, Path::Parallel);
    let mut more = Vec::new();
    for cores in cores.iter().copied().map(usize::from) {
        if (3..=available_parallelism()).contains(&cores) {
            more.push((cores, start(cores)?));
        }
    }
    Ok(Engines { one: start(1)?, two: start(2)?, more })
}
