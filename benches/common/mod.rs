//! A small harness: a subject against its baseline, paired, interleaved, as a ratio.
//!
//! Machines differ and drift, so a time alone proves little. Each row of a table runs subject and
//! baseline in turns, batch by batch, and prints the median of the ratios of the pairs with a
//! bootstrap interval. A target given in nanoseconds is a row without a baseline.
//!
//! | file | concept |
//! |---|---|
//! | `mod.rs` | arguments, and how a run is timed |
//! | [`table`] | rows, targets, printing |
//! | [`statistics`] | medians and their interval |
//! | `cases` | blocks, generated or from directories |
//!
//! ```text
//! fn main() {
//!     let mut table = Table::new("pool", Options::from_arguments());
//!     table.row("copy 4 KiB", Target::AtMost(2.0), each(|| subject()), each(|| baseline()));
//!     table.single("read 32 B", Target::Nanoseconds(30.0), each(|| subject()));
//!     table.print();
//! }
//! ```
//!
//! Measured is what `cargo bench` starts. Started by `cargo test` (no `--bench` among the arguments, or
//! `--test`), every closure runs once and no figure is printed, which shows that the benchmark works.
//! Any other argument is a filter: rows whose name does not contain it are left out.

// Each benchmark uses what it needs of this module.
#![allow(dead_code)]

#[cfg(feature = "evm")]
pub(crate) mod cases;
pub(crate) mod statistics;
pub(crate) mod table;

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

#[allow(unused_imports)]
pub(crate) use table::{Table, Target};

/// What the arguments ask for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Run every closure once instead of measuring.
    pub(crate) quick: bool,
    /// A row runs if its name contains this.
    pub(crate) filter: Option<String>,
}

impl Options {
    /// From the process's arguments.
    pub(crate) fn from_arguments() -> Self {
        let (flags, names): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
        let has = |flag: &str| flags.iter().any(|other| other == flag);
        Self { quick: !has("--bench") || has("--test"), filter: names.into_iter().next() }
    }

    /// Whether a row of this name runs.
    pub(crate) fn chooses(&self, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| name.contains(filter))
    }
}

/// Runs an operation as many times as it is told, and says how long that took.
///
/// [`each`], [`batched`] and [`on_threads`] make one of a plain closure.
pub(crate) trait Timed: FnMut(u64) -> Duration {}

impl<F: FnMut(u64) -> Duration> Timed for F {}

/// Times a closure that is one operation.
pub(crate) fn each<R>(mut operation: impl FnMut() -> R) -> impl Timed {
    move |times| {
        let begin = Instant::now();
        for _ in 0..times {
            black_box(operation());
        }
        begin.elapsed()
    }
}

/// Times a closure that consumes something prepared for it, outside the measured time. At most 64 of
/// them are prepared at once. What the operation returns is dropped outside the measured time too.
pub(crate) fn batched<I, R>(
    mut prepare: impl FnMut() -> I,
    mut operation: impl FnMut(I) -> R,
) -> impl Timed {
    const AT_ONCE: u64 = 64;
    move |times| {
        let mut spent = Duration::ZERO;
        let mut left = times;
        while left > 0 {
            let now = left.min(AT_ONCE);
            let inputs: Vec<I> = (0..now).map(|_| prepare()).collect();
            let mut results = Vec::with_capacity(inputs.len());
            let begin = Instant::now();
            results.extend(inputs.into_iter().map(|input| black_box(operation(input))));
            spent += begin.elapsed();
            left -= now;
        }
        spent
    }
}

/// Times the same work on several threads at once, each running it as many times as it is told; it is
/// given the thread's number. The time is from the first thread's begin to the last one's end: on a
/// machine that has no core free for each thread they run in turns, and then it shows the sum.
pub(crate) fn on_threads(threads: usize, operation: impl Fn(usize) + Sync) -> impl Timed {
    move |times| {
        let arrived = AtomicUsize::new(0);
        let run = |thread: usize| {
            arrived.fetch_add(1, Ordering::AcqRel);
            // Polling, because whoever is woken starts tens of microseconds late.
            while arrived.load(Ordering::Acquire) < threads {
                thread::yield_now();
            }
            let begin = Instant::now();
            for _ in 0..times {
                operation(thread);
            }
            (begin, Instant::now())
        };
        thread::scope(|scope| {
            let run = &run;
            let others: Vec<_> =
                (1..threads).map(|thread| scope.spawn(move || run(thread))).collect();
            let (mut begin, mut end) = run(0);
            for other in others {
                let (its_begin, its_end) =
                    other.join().expect("a benchmark's thread does not panic");
                begin = begin.min(its_begin);
                end = end.max(its_end);
            }
            end - begin
        })
    }
}
