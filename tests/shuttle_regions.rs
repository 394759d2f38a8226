//! The whole native engine with shared memory, under random schedules: what random programs on
//! regions come to is what running them one by one comes to.
//!
//! Loom explores each protocol in small, every interleaving of it. This runs all of them together,
//! with two and three workers and a mailbox that is full most of the time, under schedules that a
//! priority-based scheduler draws: one at a time and few preemptions each, but in places where
//! thread schedulers hardly ever have them. A schedule in which everybody sleeps is a failure, too.
//!
//! ```sh
//! CARGO_TARGET_DIR=target/shuttle RUSTFLAGS="--cfg chorus_shuttle" \
//!     cargo test --no-default-features --test shuttle_regions
//! ```
//!
//! Without the cfg there is nothing in here. `CHORUS_SEED` chooses programs and schedules,
//! `CHORUS_CASES` how many blocks there are.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
#![cfg(chorus_shuttle)]

#[path = "region_blocks/act.rs"]
mod act;
#[path = "region_blocks/program.rs"]
mod program;
mod turn {
    //! A wait that suspends: the context is woken at once, while it is still on its way to sleep.

    use std::{future::poll_fn, task::Poll};

    pub(crate) async fn elsewhere() {
        let mut asked = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Path, execute_sequential_with},
    region::config::SharedMemoryConfig,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use shuttle::scheduler::PctScheduler;

use act::{Tx, transaction};
use program::{KEYS, OWNERS, Program, founder, program};

/// Blocks without `CHORUS_CASES`.
const CASES: u64 = 300;
/// Schedules of each block.
const SCHEDULES: usize = 30;
/// Places in a schedule where the running thread gives way.
const DEPTH: usize = 4;
/// Closures and operations need more than shuttle's 32 KiB.
const STACK: usize = 1 << 20;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// Shared memory with so many places for mail. Made anew for each schedule, which may not take
/// anything from another.
fn memory(mailbox: usize) -> Arc<SharedMemory> {
    let mut config = SharedMemoryConfig::production();
    config.chain.active_from = Some(0);
    config.host.registry_mailbox = mailbox;
    // Each block of a pool is an object of the explorer.
    config.host.pools.blocks = [1; 4];
    SharedMemory::new(config).unwrap()
}

/// One schedule of one block. Returns how many incarnations were in vain, and how often one waited.
fn run(programs: &[Program], threads: usize, mailbox: usize) -> [u64; 2] {
    let block: Vec<Tx> = programs.iter().map(transaction).collect();
    let base: HashMap<u8, u8> = (0..KEYS).map(|key| (key, key * 100)).collect();
    let base = Arc::new(base);
    let reference = execute_sequential_with(&block, base.clone(), &memory(mailbox)).unwrap();

    let memory = memory(mailbox);
    let engine = Engine::builder().threads(threads).path(Path::Parallel);
    let engine = engine.shared_memory(memory.clone()).build().unwrap();
    let outcome = engine.execute(&block, base).unwrap();
    assert_eq!(outcome.results, reference.results);
    assert_eq!(outcome.changes, reference.changes);
    assert_eq!(outcome.regions, reference.regions);

    let changes = outcome.regions.unwrap();
    memory.commit(&changes).unwrap();
    assert_eq!(memory.root(), changes.root);
    [outcome.statistics.incarnations - block.len() as u64, outcome.statistics.suspensions]
}

#[test]
fn random_programs_on_regions_give_the_sequential_outcome_under_random_schedules() {
    let seed = number("CHORUS_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut generator = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = prop::collection::vec(program(), 2..6);
    let seen = Arc::new([const { AtomicU64::new(0) }; 2]);
    for case in 0..number("CHORUS_CASES", CASES) {
        let mut programs: Vec<_> = (0..OWNERS).map(|owner| founder(owner, 4)).collect();
        programs.extend(strategy.new_tree(&mut generator).unwrap().current());
        let (threads, mailbox) = (2 + case as usize % 2, 1 + case as usize % 3);
        let seen = seen.clone();
        let mut config = shuttle::Config::new();
        config.stack_size = STACK;
        // That orderings are not explored: they are in the models.
        config.silence_warnings = true;
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(case);
        let scheduler = PctScheduler::new_from_seed(seed, DEPTH, SCHEDULES);
        shuttle::Runner::new(scheduler, config).run(move || {
            for (seen, more) in seen.iter().zip(run(&programs, threads, mailbox)) {
                seen.fetch_add(more, Ordering::Relaxed);
            }
        });
    }
    // Otherwise the test shows nothing.
    let [in_vain, suspensions] = [&seen[0], &seen[1]].map(|seen| seen.load(Ordering::Relaxed));
    println!("{in_vain} incarnations in vain, {suspensions} suspensions");
    assert!(in_vain > 0 && suspensions > 0);
}
