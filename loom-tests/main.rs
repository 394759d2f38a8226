//! The models: each explores a protocol of the shipped types under loom.
//!
//! `cargo loom` builds this with `--cfg chorus_loom` and starts it once per model, so that a panic
//! or a deadlock of one leaves the others alone. A file is named after the module it checks. A new
//! model takes a place in three lists, so that none passes by not being there: the `MODELS` of its
//! file, [`REGISTRY`](models::REGISTRY) for a new file, and `loom-tests/models.txt`.
//!
//! A thread that loads something and never writes it is spawned last. Loom looks for a race with the
//! last access of an object alone, so the load of an early thread is forgotten over the load of
//! another one, and the case where it comes after the write is not explored. That a model's
//! weakenings are caught shows that it explores the cases that matter.
//!
//! What it says, one line each, fields separated by tabs:
//!
//! | line | when |
//! |---|---|
//! | name, threads, bound, weakenings (separated by commas) | `--list` |
//! | `explored`, count | now and then, and at the end of a run |
//! | `panic`, message | the first panic of a run |
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[cfg(not(chorus_loom))]
fn main() {
    eprintln!("The models need loom's synchronisation types: run them with `cargo loom`.");
    std::process::exit(2);
}

#[cfg(chorus_loom)]
fn main() {
    models::main();
}

#[cfg(chorus_loom)]
mod context_control;
#[cfg(chorus_loom)]
mod context_run;
#[cfg(chorus_loom)]
mod context_shares;
#[cfg(chorus_loom)]
mod engine_conductor;
#[cfg(chorus_loom)]
mod engine_shared;
#[cfg(chorus_loom)]
mod engine_stream;
#[cfg(chorus_loom)]
mod observe_metrics;
#[cfg(chorus_loom)]
mod observe_timeline;
#[cfg(chorus_loom)]
mod pool;
#[cfg(chorus_loom)]
mod region_pages;
#[cfg(chorus_loom)]
mod region_versions;
#[cfg(chorus_loom)]
mod registry_actor;
#[cfg(chorus_loom)]
mod registry_lease;
#[cfg(chorus_loom)]
mod registry_reply;
#[cfg(chorus_loom)]
mod registry_table;
#[cfg(chorus_loom)]
mod scheduler;
#[cfg(chorus_loom)]
mod scheduler_cursor;
#[cfg(chorus_loom)]
mod scheduler_mailbox;
#[cfg(chorus_loom)]
mod scheduler_phase;
#[cfg(chorus_loom)]
mod scheduler_ready;
#[cfg(chorus_loom)]
mod scheduler_sleep;
#[cfg(chorus_loom)]
mod scheduler_waiters;
#[cfg(chorus_loom)]
mod state_bounds;
#[cfg(chorus_loom)]
mod state_entry;
#[cfg(chorus_loom)]
mod state_table;
#[cfg(chorus_loom)]
mod store_backlog;
#[cfg(chorus_loom)]
mod store_flight;
#[cfg(chorus_loom)]
mod store_io_pool;
#[cfg(chorus_loom)]
mod store_reads;
#[cfg(chorus_loom)]
mod sync_twin_channel;
#[cfg(chorus_loom)]
mod sync_twin_place;

#[cfg(chorus_loom)]
mod models {
    use std::{
        io::Write as _,
        process::ExitCode,
        sync::{
            Once,
            atomic::{AtomicU64, Ordering},
        },
    };

    /// Every file of models.
    const REGISTRY: &[(&str, &[Model])] = &[
        ("context_control", crate::context_control::MODELS),
        ("context_run", crate::context_run::MODELS),
        ("context_shares", crate::context_shares::MODELS),
        ("engine_conductor", crate::engine_conductor::MODELS),
        ("engine_shared", crate::engine_shared::MODELS),
        ("engine_stream", crate::engine_stream::MODELS),
        ("observe_metrics", crate::observe_metrics::MODELS),
        ("observe_timeline", crate::observe_timeline::MODELS),
        ("pool", crate::pool::MODELS),
        ("region_pages", crate::region_pages::MODELS),
        ("region_versions", crate::region_versions::MODELS),
        ("registry_actor", crate::registry_actor::MODELS),
        ("registry_lease", crate::registry_lease::MODELS),
        ("registry_reply", crate::registry_reply::MODELS),
        ("registry_table", crate::registry_table::MODELS),
        ("scheduler", crate::scheduler::MODELS),
        ("scheduler_cursor", crate::scheduler_cursor::MODELS),
        ("scheduler_mailbox", crate::scheduler_mailbox::MODELS),
        ("scheduler_phase", crate::scheduler_phase::MODELS),
        ("scheduler_ready", crate::scheduler_ready::MODELS),
        ("scheduler_sleep", crate::scheduler_sleep::MODELS),
        ("scheduler_waiters", crate::scheduler_waiters::MODELS),
        ("state_bounds", crate::state_bounds::MODELS),
        ("state_entry", crate::state_entry::MODELS),
        ("state_table", crate::state_table::MODELS),
        ("store_backlog", crate::store_backlog::MODELS),
        ("store_flight", crate::store_flight::MODELS),
        ("store_io_pool", crate::store_io_pool::MODELS),
        ("store_reads", crate::store_reads::MODELS),
        ("sync_twin_channel", crate::sync_twin_channel::MODELS),
        ("sync_twin_place", crate::sync_twin_place::MODELS),
    ];

    /// Thread switches in one interleaving before loom takes it for an endless loop.
    const MAX_BRANCHES: usize = 20_000;

    /// How many interleavings lie between two reports of their number.
    const REPORT_EVERY: u64 = 4096;

    /// A claim about all interleavings of a few threads.
    pub(crate) struct Model {
        /// The claim, as a name; the file's name goes before it.
        pub(crate) name: &'static str,
        /// How many threads there are, the model's own first one included; at most 5.
        pub(crate) threads: usize,
        /// How many times a running thread is preempted at most in one interleaving.
        pub(crate) bound: usize,
        /// Places where the code under test asks `sync::weakened`; each must make this model fail.
        pub(crate) weakenings: &'static [&'static str],
        /// One interleaving.
        pub(crate) run: fn(),
    }

    pub(crate) fn main() -> ! {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let code = match *arguments {
            ["--list"] => list(),
            ["--run", name, "--bound", bound] => match (find(name), bound.parse()) {
                (Some(model), Ok(bound)) => explore(model, bound),
                _ => usage(),
            },
            ["--run", name] => find(name).map_or_else(usage, |model| explore(model, model.bound)),
            _ => usage(),
        };
        std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 2 });
    }

    fn usage() -> ExitCode {
        eprintln!("usage: --list | --run MODEL [--bound N]; `cargo loom` does it");
        ExitCode::from(2)
    }

    fn list() -> ExitCode {
        for (file, models) in REGISTRY {
            for Model { name, threads, bound, weakenings, .. } in *models {
                println!("{file}::{name}\t{threads}\t{bound}\t{}", weakenings.join(","));
            }
        }
        ExitCode::SUCCESS
    }

    fn find(name: &str) -> Option<&'static Model> {
        let (file, name) = name.split_once("::")?;
        let (_, models) = REGISTRY.iter().find(|(other, _)| *other == file)?;
        models.iter().find(|model| model.name == name)
    }

    fn explore(model: &'static Model, bound: usize) -> ExitCode {
        // Loom keeps the number of interleavings to itself. This is not one of its atomics, so
        // counting adds no interleaving.
        static EXPLORED: AtomicU64 = AtomicU64::new(0);
        static FIRST: Once = Once::new();
        std::panic::set_hook(Box::new(|panic| {
            FIRST.call_once(|| {
                say("explored", EXPLORED.load(Ordering::Relaxed));
                say("panic", panic.to_string().replace(['\n', '\t'], " "));
            });
        }));

        let mut builder = loom::model::Builder::new();
        // All of these have an environment variable that could end the search early.
        builder.max_threads = model.threads;
        builder.preemption_bound = Some(bound);
        builder.max_branches = MAX_BRANCHES;
        builder.max_permutations = None;
        builder.max_duration = None;
        builder.checkpoint_file = None;
        builder.check(move || {
            let explored = EXPLORED.fetch_add(1, Ordering::Relaxed) + 1;
            if explored.is_multiple_of(REPORT_EVERY) {
                say("explored", explored);
            }
            (model.run)();
        });
        say("explored", EXPLORED.load(Ordering::Relaxed));
        ExitCode::SUCCESS
    }

    fn say(what: &str, value: impl std::fmt::Display) {
        let mut out = std::io::stdout().lock();
        // The runner may be gone; the exit code is what counts then.
        let _ = writeln!(out, "{what}\t{value}").and_then(|()| out.flush());
    }
}
