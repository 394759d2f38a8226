//! Several blocks on one shared memory, executed in every way.

use std::{collections::HashMap, sync::Arc};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Outcome, Path, execute_sequential_with},
    region::{SecurityLevel, change::RegionChanges, config::SharedMemoryConfig},
};
use proptest::prelude::*;

use crate::{
    act::{Log, Told, Tx, transaction},
    model::Model,
    program::{KEYS, OWNERS, Program, founder, program},
};

/// Executions of each block on each number of threads.
const REPETITIONS: usize = 2;

type Block = Outcome<u8, u8, Log, Log>;

#[derive(Clone, Debug)]
pub(crate) struct Chain {
    preset: u8,
    security: SecurityLevel,
    copy_on_write: bool,
    /// Limits so small that programs reach them.
    tight: bool,
    mailbox: usize,
    /// One for each number of threads.
    windows: [u32; 4],
    blocks: Vec<Vec<Program>>,
}

/// What was seen over all chains, to know that the test shows something.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    programs: u64,
    executions: u64,
    in_vain: u64,
    suspensions: u64,
    failed: u64,
    operations: u64,
    errors: u64,
    denied: u64,
    regions_changed: u64,
    pages_changed: u64,
}

impl Tally {
    pub(crate) fn is_telling(&self) {
        assert!(self.in_vain > 0 && self.suspensions > 0, "{self:?}");
        assert!(self.failed > 0 && self.failed < self.programs / 2, "{self:?}");
        assert!(self.errors > 0 && self.operations > self.errors / 2, "{self:?}");
        assert!(self.denied > 0 && self.pages_changed > self.regions_changed / 4, "{self:?}");
    }

    fn block(&mut self, reference: &Block, regions: &RegionChanges) {
        self.programs += reference.results.len() as u64;
        self.failed += reference.results.iter().filter(|result| result.is_err()).count() as u64;
        self.operations += regions.usage.succeeded.total();
        self.errors += regions.usage.failed.total();
        self.denied += regions.usage.denied;
        self.regions_changed += regions.regions.len() as u64;
        self.pages_changed +=
            regions.regions.iter().map(|change| change.pages.len() as u64).sum::<u64>();
    }
}

fn level() -> impl Strategy<Value = SecurityLevel> {
    prop_oneof![
        1 => Just(SecurityLevel::None),
        1 => Just(SecurityLevel::Basic),
        4 => Just(SecurityLevel::Strict),
        1 => Just(SecurityLevel::Paranoid),
    ]
}

impl Chain {
    pub(crate) fn strategy() -> impl Strategy<Value = Self> {
        let window = prop::sample::select(vec![1, 2, 7, 256]);
        let blocks = prop::collection::vec(prop::collection::vec(program(), 1..40), 3);
        (
            0..3u8,
            level(),
            prop::bool::weighted(0.9),
            prop::bool::weighted(0.15),
            prop::sample::select(vec![1, 3, 1024]),
            prop::array::uniform4(window),
            (prop::option::weighted(0.8, prop::sample::select(vec![4, 5])), blocks),
        )
            .prop_map(
                |(preset, security, copy_on_write, tight, mailbox, windows, programs)| {
                    let (founding, mut blocks) = programs;
                    if let Some(options) = founding {
                        let founders = (0..OWNERS).map(|owner| founder(owner, options));
                        blocks[0].splice(0..0, founders);
                    }
                    Self { preset, security, copy_on_write, tight, mailbox, windows, blocks }
                },
            )
    }

    fn memory(&self) -> Arc<SharedMemory> {
        let mut config = match self.preset {
            0 => SharedMemoryConfig::production(),
            1 => SharedMemoryConfig::development(),
            _ => SharedMemoryConfig::testing(),
        };
        config.chain.security_level = self.security;
        config.chain.enable_copy_on_write = self.copy_on_write;
        if self.tight {
            config.chain.max_region_size = 8_192;
            config.chain.max_shared_regions = 2;
            config.chain.pool_blocks = [1, 1, 0, 0];
        }
        config.host.registry_mailbox = self.mailbox;
        SharedMemory::new(config).unwrap()
    }

    /// Executes the blocks in all ways, each on what the one before it left.
    pub(crate) fn run(&self, tally: &mut Tally) {
        let (one_by_one, together) = (self.memory(), self.memory());
        let engines = [1, 2, 4, 8].into_iter().zip(self.windows).map(|(threads, window)| {
            let engine = Engine::builder().threads(threads).window(window).path(Path::Parallel);
            let engine = engine.shared_memory(together.clone()).build().unwrap();
            (format!("{threads} threads, window {window}"), engine)
        });
        let engines: Vec<_> = engines.collect();
        let mut state: HashMap<u8, u8> = (0..KEYS).map(|key| (key, key * 100)).collect();
        let mut model = Model::default();
        for (number, programs) in self.blocks.iter().enumerate() {
            let block: Vec<Tx> = programs.iter().map(transaction).collect();
            let base = Arc::new(state.clone());
            let reference = execute_sequential_with(&block, base.clone(), &one_by_one).unwrap();
            let regions = reference.regions.as_ref().unwrap();
            assert_eq!(regions.block, number as u64 + 1);
            tally.block(&reference, regions);
            let mut last = None;
            for (how, engine) in &engines {
                for _ in 0..REPETITIONS {
                    let outcome = engine.execute(&block, base.clone()).unwrap();
                    check(&outcome, &reference, how);
                    tally.executions += 1;
                    tally.in_vain += outcome.statistics.incarnations - block.len() as u64;
                    tally.suspensions += outcome.statistics.suspensions;
                    last = outcome.regions;
                }
            }
            // Executing has changed nothing.
            assert_eq!(together.root(), regions.base_root);
            assert_eq!(one_by_one.root(), regions.base_root);
            one_by_one.commit(regions).unwrap();
            together.commit(&last.unwrap()).unwrap();
            model.apply(regions);
            for memory in [&one_by_one, &together] {
                assert_eq!(memory.root(), regions.root);
                model.check(&memory.regions());
            }
            assert_eq!(together.list(), one_by_one.list());
            // When memory is given back depends on who still looks at it; what was done does not.
            assert_eq!(together.metrics().usage, one_by_one.metrics().usage);
            reference.apply_to(&mut state);
        }
    }
}

fn check(outcome: &Block, reference: &Block, how: &str) {
    for (at, (found, expected)) in outcome.results.iter().zip(&reference.results).enumerate() {
        let (found, expected) = (either(found), either(expected));
        for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "{how}, transaction {at}, step {step}");
        }
    }
    assert_eq!(outcome.results, reference.results, "{how}");
    assert_eq!(outcome.changes, reference.changes, "{how}");
    assert_eq!(outcome.regions, reference.regions, "{how}");
}

fn either(result: &Result<Log, Log>) -> &[Told] {
    match result {
        Ok(log) | Err(log) => log,
    }
}
