//! `cargo loom`: builds the models of `loom-tests/` and runs each in a process of its own.
//!
//! ```text
//! cargo loom [FILTER] [--weaken] [--list] [--bound N] [--jobs N] [--time-limit SECONDS]
//! ```
//!
//! Exit code 0 only if every selected model was explored to its end without a failure (with
//! `--weaken`: if every weakened place made its model fail) and the lists agree; 1 if not; 2 for
//! bad usage or a build that fails.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod args;
mod build;
mod child;
mod listing;
mod report;

use std::{path::Path, process::ExitCode};

use args::{Args, Parsed};
use listing::Listed;
use report::{Job, Mode};

fn main() -> ExitCode {
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(Parsed::Run(args)) => args,
        Ok(Parsed::Help) => {
            println!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return bad(&error),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match run(&args, root) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => bad(&error),
    }
}

fn bad(error: &str) -> ExitCode {
    eprintln!("cargo loom: {error}");
    ExitCode::from(2)
}

fn run(args: &Args, root: &Path) -> Result<bool, String> {
    let binary = build::build(root)?;
    let models = listing::registered(&binary)?;
    let mut disagreements = listing::disagreements(root, &models)?;
    if args.list {
        for Listed { name, threads, bound, weakenings } in &models {
            println!(
                "{name}: {threads} threads, bound {bound}, weakens [{}]",
                weakenings.join(", ")
            );
        }
    } else {
        if args.weaken {
            disagreements.extend(listing::weakening_disagreements(root, &models)?);
        }
        let jobs = jobs(args, &models);
        if jobs.is_empty() {
            return Err(match &args.filter {
                Some(filter) => format!("no model matches `{filter}`"),
                None => "there is no model".into(),
            });
        }
        let mode = if args.weaken { Mode::Weaken } else { Mode::Prove };
        let summary = report::run_all(&binary, &jobs, mode, args);
        for line in &disagreements {
            println!("{line}");
        }
        println!("{}", summary.line(mode));
        return Ok(summary.all_well() && disagreements.is_empty());
    }
    for line in &disagreements {
        println!("{line}");
    }
    Ok(disagreements.is_empty())
}

/// What to run: each model once, or once for each of its weakenings.
fn jobs(args: &Args, models: &[Listed]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for model in models {
        let weakenings: Vec<Option<String>> = match args.weaken {
            true => model.weakenings.iter().cloned().map(Some).collect(),
            false => vec![None],
        };
        for weakening in weakenings {
            let bound = args.bound.unwrap_or(model.bound);
            let job = Job { model: model.name.clone(), threads: model.threads, bound, weakening };
            if args.filter.as_ref().is_none_or(|filter| job.title().contains(filter)) {
                jobs.push(job);
            }
        }
    }
    jobs
}
