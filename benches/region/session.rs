//! What operations cost through a mapping, as a transaction pays them: analysis, gas, journal and all.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Path, SharedError, Transaction},
    region::{
        Access, Address, Call, Handle, MapOptions, Name, Operation, Output, Permissions,
        RegionOptions, Session,
        config::{ChainConfig, SharedMemoryConfig},
        direct::DirectRegions,
        page::PAGE_BYTES,
        regions::Regions,
    },
};
use ruint::aliases::U256;

use super::{
    common::{Table, Target, each},
    copy,
};

/// Pages of the region under test.
const PAGES: u64 = 1_024;

fn chain() -> Arc<ChainConfig> {
    Arc::new(SharedMemoryConfig::production().chain)
}

/// A transaction with one region, mapped; all its pages are written unless the region is fresh.
struct Desk {
    session: Session,
    world: DirectRegions,
    handle: Handle,
    mapping: U256,
}

impl Desk {
    fn new(pages: u64, written: bool, options: MapOptions) -> Self {
        let config = chain();
        let mut desk = Self {
            session: Session::new(config.clone(), 0),
            world: DirectRegions::new(config, Arc::new(Regions::new()), 1),
            handle: Handle::default(),
            mapping: U256::ZERO,
        };
        let created = desk.perform(Operation::Create {
            name: *Name::new("bench").expect("a name").bytes(),
            size: U256::from(pages * PAGE_BYTES as u64),
            permissions: U256::from(7),
            options: U256::ZERO,
        });
        let Output::Handle(Some(handle)) = created else { panic!("{created:?}") };
        desk.handle = handle;
        if written {
            let mapping = desk.map(MapOptions::NONE);
            for page in 0..pages {
                desk.write(mapping, page * PAGE_BYTES as u64, &[1; PAGE_BYTES]);
            }
        }
        desk.mapping = desk.map(options);
        desk
    }

    fn call(&self) -> Call {
        let frame = self.session.depth();
        Call { frame, actor: Address::default(), is_static: false, gas: u64::MAX }
    }

    fn perform(&mut self, operation: Operation) -> Output {
        let call = self.call();
        let plan =
            self.session.analyse(&mut self.world, &call, &operation).expect("it is possible");
        self.session.execute(plan)
    }

    /// A mapping with a window of its own, so that it differs from others.
    fn map(&mut self, options: MapOptions) -> U256 {
        let options = U256::from(options.bits());
        let (offset, size) = (U256::ZERO, U256::ZERO);
        if let Some(earlier) = self.session_mappings() {
            self.perform(Operation::Unmap { mapping: earlier });
        }
        let mapped = self.perform(Operation::Map { handle: self.handle, options, offset, size });
        let Output::Mapping(mapping) = mapped else { panic!("{mapped:?}") };
        self.mapping = U256::from(mapping);
        self.mapping
    }

    fn session_mappings(&self) -> Option<U256> {
        (!self.mapping.is_zero()).then_some(self.mapping)
    }

    fn read(&mut self, offset: u64, into: &mut [u8]) {
        let (mapping, len) = (self.mapping, U256::from(into.len()));
        let access = Access { mapping, offset: U256::from(offset), len };
        let call = self.call();
        let read = self.session.read_at(&mut self.world, &call, &access, into);
        let _ = read.expect("it is mapped");
    }

    fn write(&mut self, mapping: U256, offset: u64, data: &[u8]) {
        let access = Access { mapping, offset: U256::from(offset), len: U256::from(data.len()) };
        let call = self.call();
        let written = self.session.write_at(&mut self.world, &call, &access, data);
        let _ = written.expect("it is mapped");
    }
}

/// Offsets of one page after another.
fn in_turn(bytes: u64) -> impl FnMut() -> u64 {
    let mut at = 0;
    move || {
        at = (at + bytes) % (PAGES * PAGE_BYTES as u64);
        at
    }
}

pub(crate) fn rows(table: &mut Table) {
    bytes(table);
    faults(table);
    checkpoints(table);
    registry(table);
    readers(table);
}

/// A buffer at a known place in a page of memory. How fast `memcpy` is depends by a third on where
/// source and target lie to each other in one, and the stack begins elsewhere in each run.
#[repr(align(4096))]
struct Aligned([u8; PAGE_BYTES]);

/// As many pages as the region has, so that both sides find them equally far away, each on the heap
/// by itself, as the region's are. One block of them all would begin each page at the same place in a
/// page of memory, by chance a good or a bad one (60 to 100 ns a copy), and might lie in huge ones.
fn pages() -> Vec<Box<[u8; PAGE_BYTES]>> {
    (0..PAGES).map(|_| Box::new([1; PAGE_BYTES])).collect()
}

fn bytes(table: &mut Table) {
    let page = Box::new(Aligned([7; PAGE_BYTES]));
    let page = &page.0;
    let mut plain = pages();
    let mut buffer = Box::new(Aligned([0; PAGE_BYTES]));
    let mut plain_buffer = Box::new(Aligned([0; PAGE_BYTES]));

    let mut desk = Desk::new(PAGES, true, MapOptions::NONE);
    let mut offset = in_turn(PAGE_BYTES as u64);
    let mut other = in_turn(PAGE_BYTES as u64);
    table.row(
        "mapping: read 4 KiB / memcpy",
        Target::AtMost(2.0),
        each(|| desk.read(offset(), black_box(&mut buffer.0))),
        each(|| copy(black_box(&mut plain_buffer.0), &plain[other() as usize / PAGE_BYTES])),
    );

    let mut desk = Desk::new(PAGES, true, MapOptions::NONE);
    let mapping = desk.mapping;
    let mut offset = in_turn(PAGE_BYTES as u64);
    let mut other = in_turn(PAGE_BYTES as u64);
    table.row(
        "mapping: write 4 KiB / memcpy",
        Target::AtMost(2.0),
        each(|| desk.write(mapping, offset(), black_box(page))),
        each(|| copy(&mut plain[other() as usize / PAGE_BYTES], black_box(page))),
    );

    let mut desk = Desk::new(PAGES, true, MapOptions::NONE);
    let mut word = [0; 32];
    // The operands stand ready, as they do on a stack: to make words of them is the caller's part.
    let (mapping, offset, len) = (desk.mapping, U256::from(4_096 + 64), U256::from(32));
    let access = Access { mapping, offset, len };
    let call = desk.call();
    table.single(
        "mapping: read 32 B",
        Target::Nanoseconds(30.0),
        each(|| {
            let Desk { session, world, .. } = &mut desk;
            let (call, access) = (black_box(&call), black_box(&access));
            session.read_at(world, call, access, black_box(&mut word)).expect("it is mapped")
        }),
    );
    // As the precompile does, which pays for the result in between.
    let operation = Operation::Read { mapping, offset, len };
    table.single(
        "mapping: read 32 B, analysed first",
        Target::None,
        each(|| {
            let Desk { session, world, .. } = &mut desk;
            let plan = session.analyse(world, black_box(&call), black_box(&operation));
            session.read(plan.expect("it is mapped"), black_box(&mut word))
        }),
    );
    let mut desk = Desk::new(PAGES, true, MapOptions::NONE);
    let mapping = desk.mapping;
    table.single(
        "mapping: write 32 B",
        Target::None,
        each(|| desk.write(mapping, black_box(4_096 + 64), black_box(&[3; 32]))),
    );
    let mut desk = Desk::new(PAGES, true, MapOptions::COPY_ON_WRITE);
    table.single(
        "snapshot: read 32 B",
        Target::None,
        each(|| desk.read(black_box(4_096 + 64), black_box(&mut word))),
    );
}

/// The first write to a page in a new frame: the page is in the journal, so it is copied.
fn faults(table: &mut Table) {
    let mut desk = Desk::new(PAGES, true, MapOptions::NONE);
    let mut offset = in_turn(PAGE_BYTES as u64);
    let source = pages();
    let mut other = in_turn(PAGE_BYTES as u64);
    let mapping = desk.mapping;
    let mut writes = 0_u64;
    let mut kept: Vec<Box<[u8; PAGE_BYTES]>> = Vec::with_capacity(PAGES as usize);
    desk.session.checkpoint(false);
    table.row(
        "mapping: copy-on-write fault / 4 KiB copy",
        Target::AtMost(2.0),
        each(|| {
            desk.write(mapping, offset(), black_box(&[9; 32]));
            writes += 1;
            // Each page faults once a checkpoint.
            if writes.is_multiple_of(PAGES) {
                desk.session.commit();
                desk.session.checkpoint(false);
            }
        }),
        // As many copies are kept, and let go of together, as the journal keeps pages.
        each(|| {
            let at = other() as usize;
            if kept.len() == PAGES as usize {
                kept.clear();
            }
            kept.push(source[at / PAGE_BYTES].clone());
        }),
    );
}

fn checkpoints(table: &mut Table) {
    for pages in [1, PAGES] {
        let mut desk = Desk::new(pages, true, MapOptions::NONE);
        table.single(
            format!("checkpoint and commit, {pages} pages"),
            Target::Nanoseconds(50.0),
            each(|| {
                desk.session.checkpoint(true);
                desk.session.commit();
            }),
        );
        table.single(
            format!("checkpoint and revert, {pages} pages"),
            Target::Nanoseconds(50.0),
            each(|| {
                desk.session.checkpoint(true);
                desk.session.revert();
            }),
        );
    }
    let mut desk = Desk::new(PAGES, true, MapOptions::NONE);
    let mapping = desk.mapping;
    table.single(
        "revert of one write",
        Target::None,
        each(|| {
            desk.session.checkpoint(false);
            desk.write(mapping, 64, &[5; 32]);
            desk.session.revert();
        }),
    );
}

/// What a map costs a transaction: blocks of closures that map a region, which the registry answers,
/// less blocks of closures that do nothing.
fn registry(table: &mut Table) {
    type Block = Vec<Transaction<u64, u64, (), SharedError>>;
    const TRANSACTIONS: u64 = 20;
    const REGIONS: u64 = 50;
    const MAPS: u64 = TRANSACTIONS * REGIONS;
    let memory = SharedMemory::new(SharedMemoryConfig::production()).expect("a preset");
    let owner = Address::from_number(1);
    let create = |number: u64| {
        let name = Name::new(&format!("bench {number}")).expect("a name");
        memory
            .create(owner, name, PAGE_BYTES as u64, Permissions::ALL, RegionOptions::NONE)
            .expect("there is none")
    };
    let handles: Arc<[Handle]> = (0..REGIONS).map(create).collect();
    let engine = Engine::<u64, u64, (), SharedError>::builder()
        .threads(1)
        .path(Path::Parallel)
        .shared_memory(memory)
        .build()
        .expect("one thread");
    let block = |maps: bool| -> Block {
        let handles = handles.clone();
        let transaction = move |_| {
            let handles = handles.clone();
            Transaction::new(async move |view: chorus::native::View<u64, u64>| {
                let (regions, maps) = (view.regions(), if maps { handles.len() } else { 0 });
                for handle in &handles[..maps] {
                    regions.map(*handle, MapOptions::NONE).await?;
                }
                Ok(())
            })
            .acting_as(owner)
        };
        (0..TRANSACTIONS).map(transaction).collect()
    };
    let (mapping, idle) = (block(true), block(false));
    let run = |block: &Block| {
        let begin = Instant::now();
        let outcome = engine.execute(block, std::collections::HashMap::new()).expect("it runs");
        assert!(outcome.results.iter().all(Result::is_ok));
        begin.elapsed()
    };
    table.single("map, answered by the registry", Target::Nanoseconds(1_000.0), |times: u64| {
        let blocks = times.div_ceil(MAPS);
        let spent: Duration = (0..blocks).map(|_| run(&mapping).saturating_sub(run(&idle))).sum();
        spent.mul_f64(times as f64 / (blocks * MAPS) as f64)
    });
}

/// Eight readers of one published region: the ratio shows whether they write a line they share.
fn readers(table: &mut Table) {
    let memory = SharedMemory::new(SharedMemoryConfig::production()).expect("a preset");
    let name = Name::new("bench").expect("a name");
    let owner = Address::from_number(1);
    let handle = memory
        .create(owner, name, 4 * PAGE_BYTES as u64, Permissions::ALL, RegionOptions::NONE)
        .expect("there is none");
    let mut block = vec![
        Transaction::<u64, u64, (), SharedError>::new(
            async move |view: chorus::native::View<u64, u64>| {
                let regions = view.regions();
                let mapping = regions.map(handle, MapOptions::NONE).await?;
                regions.write(mapping, 0, &[1; 4 * PAGE_BYTES]).await.map(drop)
            },
        )
        .acting_as(owner),
    ];
    let engine = Engine::<u64, u64, (), SharedError>::builder()
        .threads(1)
        .shared_memory(memory.clone())
        .build()
        .expect("one thread");
    let outcome = engine.execute(&block, std::collections::HashMap::new()).expect("it runs");
    memory.commit(&outcome.regions.expect("shared memory is on")).expect("it is the next block");
    block.clear();

    let snapshot = memory.regions();
    let read = |_: usize| {
        let mut word = [0; 32];
        let _ = black_box(snapshot.read(handle, black_box(4_096), &mut word));
        black_box(word);
    };
    table.row(
        "readers of one published region, 8 threads / 1 on its own turn",
        Target::None,
        super::common::on_threads(8, read),
        move |times| {
            // The same work, one thread after another.
            let mut alone = super::common::on_threads(1, read);
            (0..8).map(|_| alone(times)).sum()
        },
    );
}
