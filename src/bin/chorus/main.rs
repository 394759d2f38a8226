//! The `chorus` command: runs blocks in parallel and one by one, and compares.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | every block matched its header and the sequential run |
//! | 1 | a mismatch, or a fault of the engine |
//! | 2 | bad input or usage; the message names file, field and value |

mod arguments;
mod check;
mod executor;
mod inputs;
mod latency;
mod measure;
mod metrics;
mod progress;
mod remarks;
mod report;
mod run;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Bench, Command};

/// Engine, baseline and everything else allocate from the same allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let verdict = match arguments::Arguments::parse().into_command() {
        Command::Run(arguments) => run::run(&arguments),
        Command::Bench { what: Bench::Latency(arguments) } => latency::run(&arguments),
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
