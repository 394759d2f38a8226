//! Instructions of one worker against one transaction after another, counted by valgrind: what the engine
//! costs where nothing runs beside anything, free of the noise of clocks and neighbours.
//!
//! ```text
//! cargo bench --bench instructions                               # generated blocks
//! cargo bench --bench instructions -- ../shared/blocks/12243999  # real blocks, from directories
//! cargo bench --bench instructions -- nft                        # blocks whose name contains this
//! ```
//!
//! ```text
//!  this ──► valgrind, this again as a child: 2 runs of a block  ──► instructions ─┐
//!       └─► valgrind, this again as a child: 6 runs of it       ──► instructions ─┴─► a run: a quarter
//! ```
//!
//! Of two counts the difference is taken, so loading the block, starting up and a machine's first run count
//! for neither side. What the engine learned is cleared before each run. Needs `valgrind`.

// Benchmarks may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use chorus::evm::{Engine, Path, Sequential, StateStore};
use common::cases::{self, Case, Generated};

/// What a child is told by, as its first argument.
const CHILD: &str = "one-side";
/// A child's runs, of the shorter and of the longer one.
const RUNS: [u64; 2] = [2, 6];
/// The most that one worker may take, in relation to the baseline.
const TARGET: f64 = 1.01;

/// Short and long transactions, alone and in each other's way.
const GENERATED: Generated = &[
    ("raw", &[1_000]),
    ("erc20", &[1_000]),
    ("amm", &[200]),
    ("nft", &[1_000]),
    ("storm", &[1_000]),
    ("beneficiary", &[1_000]),
    ("mixed", &[500]),
    ("deep", &[100]),
];

/// Who executes.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Sequential,
    /// One worker, on the path that the engine chooses.
    Worker,
    /// One worker on the parallel path.
    Forced,
}

impl Side {
    const ALL: [Self; 3] = [Self::Sequential, Self::Worker, Self::Forced];

    fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Worker => "worker",
            Self::Forced => "forced",
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, side, runs, case @ ..] = arguments.as_slice()
        && first == CHILD
    {
        return child(side, runs.parse().expect("a number of runs"), case);
    }
    let (flags, names): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|argument| argument.starts_with('-'));
    let quick =
        flags.iter().any(|flag| flag == "--test") || !flags.iter().any(|flag| flag == "--bench");
    if quick {
        for case in cases::chosen(&names, GENERATED, true) {
            Side::ALL.iter().for_each(|side| run(*side, 1, &case));
        }
        println!("instructions: every block ran once; `cargo bench` counts");
        return;
    }
    println!(
        "{:12} {:>5} {:>14} {:>10} {:>20}",
        "block", "txs", "sequential", "one worker", "on the parallel path"
    );
    for case in cases::chosen(&names, GENERATED, false) {
        match show(&case) {
            Ok(line) => println!("{line}"),
            Err(reason) => {
                eprintln!("instructions: {reason}");
                std::process::exit(2);
            }
        }
    }
    println!("instructions of a run; × the sequential run's, target ≤ {TARGET} (! above)");
}

/// A line of the table.
fn show(case: &Case) -> Result<String, String> {
    let mut counts = [0.0; 3];
    for (count, side) in counts.iter_mut().zip(Side::ALL) {
        let [short, long] = RUNS.map(|runs| counted(side, runs, case));
        *count = (long? - short?) / (RUNS[1] - RUNS[0]) as f64;
    }
    let [sequential, worker, forced] = counts;
    let ratio = worker / sequential;
    Ok(format!(
        "{:12} {:>5} {sequential:>14.0} {ratio:>9.3}{} {:>20.3}",
        case.name,
        case.work.block.transactions.len(),
        if ratio > TARGET { '!' } else { ' ' },
        forced / sequential,
    ))
}

/// Instructions of a process that runs the block so many times.
fn counted(side: Side, runs: u64, case: &Case) -> Result<f64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args([CHILD, side.name(), &runs.to_string()])
        .args(&case.again)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected : "));
    match count.and_then(|(_, number)| number.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("valgrind: {}\n{said}", output.status)),
    }
}

/// The process that is counted.
fn child(side: &str, runs: u64, case: &[String]) {
    let side = Side::ALL.into_iter().find(|known| known.name() == side).expect("one of the sides");
    run(side, runs, &cases::again(case));
}

fn run(side: Side, runs: u64, case: &Case) {
    let work = &case.work;
    if side == Side::Sequential {
        for _ in 0..runs {
            let mut machine = Sequential::with_shared_memory(work.memory.clone());
            machine.execute(&work.block, &*work.store, work.policy).expect("it executes");
        }
        return;
    }
    let engine = Engine::builder()
        .threads(1)
        .path(if side == Side::Worker { Path::Auto } else { Path::Parallel })
        .policy(work.policy)
        .shared_memory(work.memory.clone())
        .build()
        .expect("one worker and the usual window");
    let store: Arc<dyn StateStore> = work.store.clone();
    for _ in 0..runs {
        engine.forget();
        engine.execute(&work.block, &store).expect("the engine executes what the baseline does");
    }
}
