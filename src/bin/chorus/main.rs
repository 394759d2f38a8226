//! The `chorus` command: runs blocks in parallel and one by one, and compares; fetches blocks from a
//! node, replays its chain; shows where a block's time went.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | every block matched its header and the sequential run |
//! | 1 | a mismatch, or a fault of the engine |
//! | 2 | bad input or usage, or a node that cannot be used; the message names what and why |

mod arguments;
mod bench;
mod check;
mod executor;
mod fetch;
mod inputs;
mod latency;
mod measure;
mod metrics;
mod node;
mod progress;
mod remarks;
mod replay;
mod report;
mod run;
mod stores;
mod table;
mod trace;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Bench, BenchOf, Command};

/// Engine, baseline and everything else allocate from the same allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let verdict = match arguments::Arguments::parse().into_command() {
        Command::Run(arguments) => run::run(&arguments).map_err(|error| error.to_string()),
        Command::Fetch(arguments) => fetch::run(&arguments).map_err(|error| error.to_string()),
        Command::Replay(arguments) => replay::run(&arguments).map_err(|error| error.to_string()),
        Command::Trace(arguments) => trace::run(&arguments).map_err(|error| error.to_string()),
        Command::Bench(Bench { what: Some(BenchOf::Latency(arguments)), .. }) => {
            latency::run(&arguments).map_err(|error| error.to_string())
        }
        Command::Bench(Bench { what: Some(BenchOf::Scaling(arguments)), .. }) => {
            bench::scale(&arguments).map_err(|error| error.to_string())
        }
        Command::Bench(Bench { what: Some(BenchOf::Peak(arguments)), .. }) => {
            bench::peak(&arguments).map_err(|error| error.to_string())
        }
        Command::Bench(Bench { what: None, scenarios }) => {
            bench::run(&scenarios).map_err(|error| error.to_string())
        }
    };
    match verdict {
        Ok(run::Verdict::Matched) => ExitCode::SUCCESS,
        Ok(run::Verdict::Mismatched) => ExitCode::from(1),
        Err(error) => {
            eprintln!("chorus: {error}");
            ExitCode::from(2)
        }
    }
}
