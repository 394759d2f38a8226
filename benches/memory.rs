//! Peak heap of a block, on the engine and one transaction after another, by an allocator that counts.
//!
//! ```text
//! cargo bench --bench memory                      # generated blocks: a gigagas, and by size
//! cargo bench --bench memory -- ../shared/blocks  # real blocks, from directories
//! cargo bench --bench memory -- erc20             # blocks whose name contains this
//! ```
//!
//! Counted are the bytes that are asked for, from when block and state are there to when the outcome is:
//! what the engine or the baseline is made of counts, the inputs do not. Stacks of coroutines and threads
//! are no heap; `chorus bench` shows resident memory, in which they are. Each figure is the highest of
//! several runs, because which transactions are under way together differs from run to run.
//!
//! Two bounds: twice the baseline's heap and 64 KiB for each transaction of the window; and for blocks of
//! a gigagas twice the baseline's.

// Benchmarks may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::sync::Arc;

use chorus::evm::{Engine, Path, Sequential, StateStore};
use common::cases::{self, Case, Generated};
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};

/// Counts for everybody, and leaves the work to the allocator of the `chorus` command.
#[global_allocator]
static HEAP: PeakMemAlloc<mimalloc::MiMalloc> = PeakMemAlloc::new(mimalloc::MiMalloc);

const THREADS: usize = 2;
/// The engine's usual window, transactions under way together.
const WINDOW: usize = 256;
/// What the target allows each of them.
const PER_CONTEXT: usize = 64 * 1024;
const RUNS: usize = 3;
/// From what gas on the baseline's twofold is all.
const GIGAGAS: u64 = 900_000_000;

/// The first one of most is a gigagas.
const GENERATED: Generated = &[
    ("raw", &[47_620, 1_000, 10_000, 100_000]),
    ("erc20", &[23_400, 1_000, 10_000, 100_000]),
    ("amm", &[9_300, 600]),
    ("independent", &[1_000, 10_000, 100_000]),
    ("mixed", &[16_100, 1_000, 10_000, 100_000]),
    ("chain", &[1_000, 10_000]),
];

fn main() {
    let (flags, names): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let quick =
        flags.iter().any(|flag| flag == "--test") || !flags.iter().any(|flag| flag == "--bench");
    println!(
        "{:16} {:>7} {:>6} {:>10} {:>19} {:>19}",
        "block", "txs", "Mgas", "sequential", "engine", "parallel path"
    );
    let mut missed = 0;
    for case in cases::chosen(&names, GENERATED, quick) {
        missed += usize::from(!show(&case));
    }
    println!("peak heap in MiB, {THREADS} workers; (×) of the sequential run's");
    match missed {
        0 => println!("Every block is within its bound."),
        some => println!("{some} blocks are above their bound (!)."),
    }
}

/// Measures one block, and says whether it is within its bound.
fn show(case: &Case) -> bool {
    let mut gas = 0;
    let sequential = highest(|| {
        let mut machine = Sequential::with_shared_memory(case.work.memory.clone());
        let outcome = machine.execute(&case.work.block, &*case.work.store, case.work.policy);
        gas = outcome.expect("the baseline executes it").gas_used;
    });
    let window = if gas >= GIGAGAS { 0 } else { WINDOW * PER_CONTEXT };
    let bound = 2 * sequential + window;
    let peaks = [Path::Auto, Path::Parallel].map(|path| highest(|| execute(case, path)));
    let text = peaks.map(|peak| {
        let times = peak as f64 / sequential as f64;
        format!("{:.1} ({times:.2} ×){}", mib(peak), if peak > bound { '!' } else { ' ' })
    });
    let (txs, gas) = (case.work.block.transactions.len(), gas / 1_000_000);
    println!(
        "{:16} {txs:>7} {gas:>6} {:>10.1} {:>19} {:>19}",
        case.name,
        mib(sequential),
        text[0],
        text[1]
    );
    peaks.iter().all(|peak| *peak <= bound)
}

/// A new engine's first block.
fn execute(case: &Case, path: Path) {
    let engine = Engine::builder()
        .threads(THREADS)
        .path(path)
        .policy(case.work.policy)
        .shared_memory(case.work.memory.clone())
        .build()
        .expect("two workers and the usual window");
    let store: Arc<dyn StateStore> = case.work.store.clone();
    engine.execute(&case.work.block, &store).expect("the engine executes what the baseline does");
}

/// The most bytes that were on the heap at a time, above what was there before.
fn highest(mut run: impl FnMut()) -> usize {
    let peak = |_| {
        HEAP.reset_peak_memory();
        run();
        HEAP.get_peak_memory()
    };
    (0..RUNS).map(peak).max().unwrap_or(0)
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
