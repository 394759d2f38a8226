//! Shared memory as its host sees it, between blocks and while they run.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/event.rs"]
mod event;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use chorus::{
    engine::{SharedMemory, shared::HostError},
    native::{
        BlockError, Engine, Outcome, Path, SharedError, Transaction, execute_sequential_with,
    },
    region::{
        Address, Handle, MapOptions, Name, Permissions, RegionError, RegionOptions, SecurityLevel,
        config::SharedMemoryConfig,
        error::{CreateError, LookupError, MapError},
        page::PAGE_BYTES,
        regions::ApplyError,
        sidecar::{Sidecar, SidecarError},
    },
};
use event::Event;

type Tx = Transaction<u8, u64, u64, SharedError>;
type Block = Outcome<u8, u64, u64, SharedError>;

const PAGE: u64 = PAGE_BYTES as u64;

fn ann() -> Address {
    Address::from_number(1)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn memory_with(change: impl FnOnce(&mut SharedMemoryConfig)) -> Arc<SharedMemory> {
    let mut config = SharedMemoryConfig::production();
    change(&mut config);
    SharedMemory::new(config).unwrap()
}

fn memory() -> Arc<SharedMemory> {
    memory_with(|_| {})
}

fn region(memory: &SharedMemory, called: &str) -> Handle {
    let options = RegionOptions::PERSISTENT;
    memory.create(ann(), name(called), 2 * PAGE, Permissions::ALL, options).unwrap()
}

fn engine(memory: &Arc<SharedMemory>, threads: usize) -> Engine<u8, u64, u64, SharedError> {
    let engine = Engine::builder().threads(threads).path(Path::Parallel);
    engine.shared_memory(memory.clone()).build().unwrap()
}

/// Adds 1 to the number at the region's begin.
fn count(handle: Handle) -> Tx {
    let count = Tx::new(async move |view| {
        let regions = view.regions();
        let mapping = regions.map(handle, MapOptions::NONE).await?;
        let mut number = [0; 8];
        regions.read(mapping, 0, &mut number).await?;
        let next = u64::from_be_bytes(number) + 1;
        regions.write(mapping, 0, &next.to_be_bytes()).await?;
        Ok(next)
    });
    count.acting_as(ann())
}

fn destroy(handle: Handle) -> Tx {
    let destroy = Tx::new(async move |view| {
        view.regions().destroy(handle).await?;
        Ok(0)
    });
    destroy.acting_as(ann())
}

fn counts(handle: Handle, times: usize) -> Vec<Tx> {
    (0..times).map(|_| count(handle)).collect()
}

fn read_number(memory: &SharedMemory, handle: Handle) -> u64 {
    let mut bytes = [0; 8];
    assert_eq!(memory.read(handle, 0, &mut bytes), Ok(8));
    u64::from_be_bytes(bytes)
}

fn execute(memory: &Arc<SharedMemory>, block: &[Tx]) -> Block {
    engine(memory, 2).execute(block, HashMap::new()).unwrap()
}

fn execute_and_commit(memory: &Arc<SharedMemory>, block: &[Tx]) -> Block {
    let outcome = execute(memory, block);
    memory.commit(outcome.regions.as_ref().unwrap()).unwrap();
    outcome
}

#[test]
fn the_presets_hold_the_values_of_the_table() {
    let (production, development, testing) = (
        SharedMemoryConfig::production(),
        SharedMemoryConfig::development(),
        SharedMemoryConfig::testing(),
    );
    let row = |config: &SharedMemoryConfig| {
        let (chain, host) = (&config.chain, &config.host);
        let gc = &host.collector;
        (
            (chain.max_shared_regions, chain.max_region_size >> 20, chain.enable_copy_on_write),
            (host.enable_memory_mapping, host.enable_ipc, chain.security_level),
            (gc.enabled, gc.interval.as_millis(), gc.threshold >> 20, gc.eager),
            (chain.pool_blocks, host.memory_budget >> 20, chain.prefetch_limit, host.undo_blocks),
        )
    };
    assert_eq!(
        row(&production),
        (
            (1024, 64, true),
            (true, true, SecurityLevel::Strict),
            (true, 5_000, 512, true),
            ([1024, 256, 64, 16], 2048, 16, 64)
        )
    );
    assert_eq!(
        row(&development),
        (
            (256, 16, true),
            (false, false, SecurityLevel::Basic),
            (true, 10_000, 128, false),
            ([256, 64, 16, 4], 256, 16, 8)
        )
    );
    assert_eq!(
        row(&testing),
        (
            (32, 1, false),
            (false, false, SecurityLevel::None),
            (false, 60_000, 32, true),
            ([64, 16, 4, 1], 32, 4, 4)
        )
    );
    for config in [production, development, testing] {
        assert!(SharedMemory::new(config).unwrap().is_active(1));
    }
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused_and_both_fields_are_named() {
    let refused = |change: fn(&mut SharedMemoryConfig), fields: [&str; 2]| {
        let mut config = SharedMemoryConfig::production();
        change(&mut config);
        let message = SharedMemory::new(config).unwrap_err().to_string();
        assert!(fields.iter().all(|field| message.contains(field)), "{message}");
    };
    refused(
        |config| config.host.enable_memory_mapping = false,
        ["enable_ipc", "enable_memory_mapping"],
    );
    refused(
        |config| config.host.collector.interval = Duration::ZERO,
        ["collector.enabled", "collector.interval"],
    );
    refused(|config| config.host.memory_budget = 1, ["memory_budget", "pools"]);
    refused(
        |config| config.host.registry_mailbox = 0,
        ["registry_mailbox", "enable_shared_memory"],
    );
    refused(|config| config.chain.max_region_size = u64::MAX, ["max_region_size", "address space"]);
    refused(|config| config.chain.max_region_size = 0, ["max_region_size", "max_shared_regions"]);
}

#[test]
fn without_shared_memory_every_operation_is_off_and_the_outcome_has_no_regions() {
    let block = [Tx::new(async |view| {
        let open = view.regions().open(ann(), name("any")).await;
        assert_eq!(open, Err(SharedError::Off));
        assert_eq!(view.regions().checkpoint().unwrap_err(), SharedError::Off);
        Ok(1)
    })];
    let engine = Engine::builder().threads(2).path(Path::Parallel).build().unwrap();
    let outcome = engine.execute(&block, HashMap::new()).unwrap();
    assert_eq!(outcome.results, [Ok(1)]);
    assert!(outcome.regions.is_none());
}

#[test]
fn disabling_takes_effect_at_the_next_block_and_the_regions_stay() {
    let memory = memory();
    let handle = region(&memory, "counter");
    let host = memory.clone();
    let mut block = vec![Tx::new(async move |_| {
        host.disable();
        Ok(0)
    })];
    block.extend(counts(handle, 20));
    let outcome = execute_and_commit(&memory, &block);
    assert_eq!(outcome.results[20], Ok(20));
    assert!(!memory.is_enabled() && !memory.is_active(2));

    for path in [Path::Parallel, Path::Direct] {
        let engine = Engine::builder().threads(2).path(path).shared_memory(memory.clone());
        let off = engine.build().unwrap().execute(&counts(handle, 2), HashMap::new()).unwrap();
        assert_eq!(off.results, [Err(SharedError::Off), Err(SharedError::Off)]);
        assert!(off.regions.is_none());
    }
    assert_eq!(read_number(&memory, handle), 20);

    memory.enable();
    assert_eq!(execute_and_commit(&memory, &counts(handle, 1)).results, [Ok(21)]);
}

#[test]
fn a_chain_that_activates_later_has_none_before() {
    let memory = memory_with(|config| config.chain.active_from = Some(3));
    let handle = region(&memory, "genesis");
    for number in 1..3 {
        let outcome = execute(&memory, &counts(handle, 1));
        assert_eq!(outcome.results, [Err(SharedError::Off)]);
        // There is nothing to commit, so the host says that the block is over.
        memory.skip_to(number);
    }
    let outcome = execute_and_commit(&memory, &counts(handle, 1));
    assert_eq!(outcome.results, [Ok(1)]);
    assert_eq!(outcome.regions.unwrap().block, 3);
}

#[test]
fn the_host_creates_reads_lists_and_destroys() {
    let memory = memory();
    assert_eq!(memory.root(), [0; 32]);
    let rights = Permissions::READ;
    let handle = memory.create(ann(), name("a"), 100, rights, RegionOptions::NONE).unwrap();
    let root = memory.root();
    assert_ne!(root, [0; 32]);
    let [info] = &memory.list()[..] else { panic!("one region") };
    let live = info.meta.live.as_ref().unwrap();
    assert_eq!((info.handle, info.pages, live.size), (handle, 0, 100));
    // What the host creates is state, whether or not it says so.
    assert_eq!(live.birth.options, RegionOptions::PERSISTENT);
    assert_eq!((live.birth.owner, live.birth.ceiling), (ann(), rights));

    let mut bytes = [7; 200];
    assert_eq!(memory.read(handle, 90, &mut bytes), Ok(10));
    assert_eq!(bytes[..11], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(memory.read(handle, 100, &mut bytes), Ok(0));
    assert_eq!(memory.read(handle, u64::MAX, &mut bytes), Ok(0));
    assert_eq!(memory.read(handle, 0, &mut []), Ok(0));

    let before = memory.regions();
    memory.destroy(handle).unwrap();
    assert!(memory.list().is_empty());
    let gone = Err(HostError::NoRegion { handle });
    assert_eq!(memory.read(handle, 0, &mut bytes), gone);
    assert_eq!(memory.destroy(handle), Err(HostError::NoRegion { handle }));
    assert_ne!(memory.root(), root);
    // What somebody has got hold of stays as it was.
    assert_eq!(before.root(), root);
    assert_eq!(before.read(handle, 90, &mut bytes), Ok(Some(10)));

    let again = memory.create(ann(), name("a"), 100, rights, RegionOptions::NONE).unwrap();
    assert_eq!((again.id(), again.generation()), (handle.id(), 2));
    assert_eq!(memory.read(handle, 0, &mut bytes), gone);
}

#[test]
fn what_the_host_cannot_create_changes_nothing() {
    let memory = memory_with(|config| config.chain.enable_copy_on_write = false);
    let handle = region(&memory, "taken");
    let (root, stats) = (memory.root(), memory.stats().unwrap());
    let create = |called: &str, size: u64, options: RegionOptions| {
        memory.create(ann(), name(called), size, Permissions::ALL, options).unwrap_err()
    };
    let options = RegionOptions::NONE;
    assert_eq!(create("a", 0, options), CreateError::ZeroSize.into());
    let max = 64 << 20;
    let size = ruint::aliases::U256::from(max + 1);
    assert_eq!(create("a", max + 1, options), CreateError::RegionTooLarge { size, max }.into());
    assert_eq!(create("taken", 1, options), CreateError::RegionExists { handle }.into());
    for bits in [RegionOptions::COPY_ON_WRITE, RegionOptions::LZ4 | RegionOptions::ZSTD] {
        let option = ruint::aliases::U256::from(bits.bits());
        assert_eq!(create("a", 1, bits), CreateError::InvalidOption { option }.into());
    }
    assert_eq!((memory.root(), memory.stats().unwrap().regions), (root, stats.regions));
}

#[test]
fn a_sidecar_is_seen_by_the_transaction_it_is_attached_to_and_by_no_other() {
    let memory = memory();
    let text = vec![42; 5_000];
    let sidecar = memory.attach(&text).unwrap();
    let handle = sidecar.handle();
    let look = || {
        Tx::new(async move |view| {
            let mapping = view.regions().map(handle, MapOptions::READ_ONLY).await?;
            let mut bytes = [0; 6_000];
            let read = view.regions().read(mapping, 0, &mut bytes).await?;
            Ok(bytes[..read].iter().map(|byte| u64::from(*byte)).sum())
        })
    };
    let block = [look().with_sidecars([sidecar]), look()];
    let outcome = execute(&memory, &block);
    let unknown = RegionError::from(MapError::from(LookupError::InvalidHandle { handle }));
    assert_eq!(outcome.results, [Ok(42 * 5_000), Err(unknown.into())]);
    let reference = execute_sequential_with(&block, HashMap::new(), &memory).unwrap();
    assert_eq!((outcome.results, outcome.regions), (reference.results, reference.regions));
}

#[test]
fn what_the_chain_does_not_allow_is_not_attached() {
    let memory = memory_with(|config| {
        config.chain.max_sidecars = 2;
        config.chain.max_sidecar_size = 10;
    });
    assert_eq!(memory.attach(&[]).unwrap_err(), SidecarError::Empty.into());
    let too_large = SidecarError::TooLarge { size: 11, max: 10 };
    assert_eq!(memory.attach(&[1; 11]).unwrap_err(), too_large.clone().into());

    let attach = |sidecars: Vec<Arc<Sidecar>>| {
        let block = [count(Handle::default()), count(Handle::default()).with_sidecars(sidecars)];
        let sequential = execute_sequential_with(&block, HashMap::new(), &memory).unwrap_err();
        let parallel = engine(&memory, 2).execute(&block, HashMap::new()).unwrap_err();
        [sequential, parallel].map(|error| match error {
            BlockError::Sidecar { index: 1, source } => source,
            other => panic!("{other}"),
        })
    };
    let small = memory.attach(&[1; 10]).unwrap();
    let too_many = SidecarError::TooMany { count: 3, max: 2 };
    assert_eq!(attach(vec![small; 3]), [too_many.clone(), too_many]);
    let large = Sidecar::new(&[1; 11]).unwrap();
    assert_eq!(attach(vec![large]), [too_large.clone(), too_large]);
}

#[test]
fn changes_from_other_regions_are_refused_and_change_nothing() {
    let memory = memory();
    let handle = region(&memory, "counter");
    let early = execute(&memory, &counts(handle, 3)).regions.unwrap();
    let other = region(&memory, "other");
    let (root, list, metrics) = (memory.root(), memory.list(), memory.metrics());

    let refused = ApplyError::OtherBase { expected: early.base_root, found: root };
    assert_eq!(memory.commit(&early), Err(refused.into()));
    assert_eq!((memory.root(), memory.list()), (root, list));
    assert_eq!(memory.metrics().usage, metrics.usage);
    assert_eq!(read_number(&memory, handle), 0);

    // Executed again on what there is now, it can be committed; once.
    let late = execute(&memory, &counts(handle, 3)).regions.unwrap();
    assert_eq!(late.block, 1, "the refused one was no block");
    memory.commit(&late).unwrap();
    assert_eq!(read_number(&memory, handle), 3);
    assert!(matches!(memory.commit(&late), Err(HostError::Apply(_))));
    assert_eq!(read_number(&memory, handle), 3);
    memory.destroy(other).unwrap();
}

#[test]
fn a_block_executed_again_without_a_commit_has_the_same_outcome() {
    let memory = memory();
    let handle = region(&memory, "counter");
    let block = counts(handle, 50);
    let first = execute(&memory, &block);
    for _ in 0..5 {
        let again = execute(&memory, &block);
        assert_eq!((&again.results, &again.regions), (&first.results, &first.regions));
    }
    assert_eq!(read_number(&memory, handle), 0);
    memory.commit(&first.regions.unwrap()).unwrap();
    assert_eq!(read_number(&memory, handle), 50);
}

#[test]
fn use_and_metrics_tell_what_committed_transactions_did() {
    let memory = memory();
    let (handle, other) = (region(&memory, "counter"), region(&memory, "idle"));
    let mut usage = chorus::observe::Usage::default();
    for times in [3, 4] {
        let outcome = execute_and_commit(&memory, &counts(handle, times));
        usage += outcome.regions.unwrap().usage;
        // Executed and not committed, it does not count.
        execute(&memory, &counts(handle, 5));
    }
    let metrics = memory.metrics();
    assert_eq!(metrics.usage, usage);
    assert_eq!(metrics.usage.bytes_written, 7 * 8);
    assert_eq!(metrics.page_bytes.current, PAGE);
    assert!(metrics.registry_requests > 0);
    assert!(metrics.to_prometheus().contains("chorus_region_written_bytes_total 56"));

    let list = memory.list();
    let uses = |of| list.iter().find(|info| info.handle == of).unwrap().uses;
    assert_eq!((uses(handle).accesses, uses(handle).last_block), (7, 2));
    assert_eq!((uses(other).accesses, uses(other).last_block), (0, 0));
    let stats = memory.stats().unwrap();
    assert_eq!((stats.regions, stats.page_bytes, stats.waiting), (2, PAGE, 0));
}

#[test]
fn what_a_running_transaction_maps_is_not_collected_before_it_ends() {
    // Only the host collects here.
    let memory = memory_with(|config| config.host.collector.enabled = false);
    let handle = region(&memory, "counter");
    execute_and_commit(&memory, &counts(handle, 9));
    let (mapped, gate) = (Arc::new(AtomicBool::new(false)), Event::default());
    let (seen, wait) = (mapped.clone(), gate.clone());
    let reader = Tx::new(async move |view| {
        let regions = view.regions();
        let mapping = regions.map(handle, MapOptions::READ_ONLY).await?;
        seen.store(true, Ordering::SeqCst);
        wait.wait().await;
        let mut number = [0; 8];
        regions.read(mapping, 0, &mut number).await?;
        Ok(u64::from_be_bytes(number))
    });
    let block = [reader.acting_as(ann())];
    let running = {
        let memory = memory.clone();
        thread::spawn(move || execute(&memory, &block))
    };
    while !mapped.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    memory.destroy(handle).unwrap();
    let report = memory.collect().unwrap();
    assert_eq!((report.regions, report.waiting, report.bytes), (0, 1, 0));
    let stats = memory.stats().unwrap();
    assert_eq!((stats.regions, stats.page_bytes), (0, 0));
    assert_eq!((stats.waiting, stats.waiting_bytes), (1, PAGE));

    gate.fire();
    // It runs on the regions that were there when its block began.
    assert_eq!(running.join().unwrap().results, [Ok(9)]);
    let report = memory.collect().unwrap();
    assert_eq!((report.regions, report.waiting, report.bytes), (1, 0, PAGE));
    assert_eq!(memory.metrics().collected_bytes, PAGE);
    assert_eq!(memory.collect().unwrap().regions, 0);
}

#[test]
fn a_snapshot_outlives_destruction_and_collection() {
    let memory = memory();
    let handle = region(&memory, "counter");
    execute_and_commit(&memory, &counts(handle, 9));
    let snapshot = memory.regions();
    execute_and_commit(&memory, &[destroy(handle)]);
    memory.collect().unwrap();
    assert!(matches!(memory.read(handle, 0, &mut [0]), Err(HostError::NoRegion { .. })));
    let mut number = [0; 8];
    assert_eq!(snapshot.read(handle, 0, &mut number), Ok(Some(8)));
    assert_eq!(u64::from_be_bytes(number), 9);
}

#[test]
fn an_eager_collector_works_at_the_commit() {
    let memory = memory();
    let handle = region(&memory, "counter");
    execute_and_commit(&memory, &counts(handle, 1));
    execute_and_commit(&memory, &[destroy(handle)]);
    let metrics = memory.metrics();
    assert_eq!(metrics.collected_bytes, PAGE);
    assert_eq!(memory.stats().unwrap().waiting, 0);
    assert_eq!((metrics.page_bytes.current, metrics.page_bytes.peak), (0, PAGE));
}

#[test]
fn a_mailbox_with_one_place_serves_many_contexts() {
    let memory = memory_with(|config| config.host.registry_mailbox = 1);
    let handles: Vec<_> = (0..20).map(|at| region(&memory, &format!("region {at}"))).collect();
    let block: Vec<Tx> = (0..400).map(|at| count(handles[at % 20])).collect();
    let reference = execute_sequential_with(&block, HashMap::new(), &memory).unwrap();
    for threads in [1, 2, 4, 8] {
        let outcome = engine(&memory, threads).execute(&block, HashMap::new()).unwrap();
        assert_eq!(outcome.results, reference.results);
        assert_eq!(outcome.regions, reference.regions);
    }
}

#[test]
fn several_engines_share_one_memory_and_its_registry() {
    for mailbox in [1, 1024] {
        let memory = memory_with(|config| config.host.registry_mailbox = mailbox);
        let handles: Vec<_> = (0..50).map(|at| region(&memory, &format!("region {at}"))).collect();
        let block: Vec<Tx> = (0..100).map(|at| count(handles[at % 50])).collect();
        let reference = execute_sequential_with(&block, HashMap::new(), &memory).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let engine = engine(&memory, 2);
                    for _ in 0..10 {
                        let outcome = engine.execute(&block, HashMap::new()).unwrap();
                        assert_eq!(outcome.results, reference.results);
                        assert_eq!(outcome.regions, reference.regions);
                    }
                });
            }
        });
        memory.commit(&reference.regions.unwrap()).unwrap();
        assert_eq!(read_number(&memory, handles[7]), 2);
    }
}

#[test]
fn the_host_may_do_everything_while_blocks_run() {
    let memory = memory_with(|config| config.host.registry_mailbox = 2);
    let handle = region(&memory, "counter");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for host in 0..3 {
            let (memory, done) = (&memory, &done);
            scope.spawn(move || {
                let called = format!("of host {host}");
                while !done.load(Ordering::SeqCst) {
                    let mine = region(memory, &called);
                    assert_eq!(memory.read(mine, 0, &mut [1; 8]), Ok(8));
                    assert!(memory.list().iter().any(|info| info.handle == mine));
                    assert!(memory.stats().unwrap().regions >= 2);
                    memory.collect().unwrap();
                    memory.destroy(mine).unwrap();
                    assert!(memory.metrics().registry_requests > 0);
                    thread::sleep(Duration::from_micros(500));
                }
            });
        }
        let engine = engine(&memory, 2);
        let (mut committed, mut refused) = (0, 0);
        while committed < 20 && refused < 2_000 {
            let outcome = engine.execute(&counts(handle, 20), HashMap::new()).unwrap();
            let first = committed * 20 + 1;
            assert_eq!(outcome.results, (first..first + 20).map(Ok).collect::<Vec<_>>());
            match memory.commit(&outcome.regions.unwrap()) {
                Ok(()) => committed += 1,
                // A host's region has come or gone meanwhile.
                Err(HostError::Apply(_)) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            assert_eq!(read_number(&memory, handle), committed * 20);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(memory.list().len(), 1);
    memory.collect().unwrap();
    assert_eq!(memory.stats().unwrap().waiting, 0);
}
