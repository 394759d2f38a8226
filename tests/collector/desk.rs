//! Shared memory with a few regions, filled by commits.

use std::sync::Arc;

use chorus::{
    engine::SharedMemory,
    native::{self, BlockError, Engine, Outcome, Path, SharedError, Transaction},
    region::{
        Address, Handle, MapOptions, Name, Permissions, RegionOptions,
        change::{RegionChange, RegionChanges},
        config::SharedMemoryConfig,
        page::{PAGE_BYTES, Page},
        page_map::PageNumber,
        tier::Tiers,
    },
};

pub(crate) const OWNER: Address = Address([7; 20]);

pub(crate) type Block = Vec<Transaction<u64, u64, u8, SharedError>>;
pub(crate) type Run = Result<Outcome<u64, u64, u8, SharedError>, BlockError>;

/// Production, but nothing is collected unless a test says so, and two blocks make a region cold.
pub(crate) fn config() -> SharedMemoryConfig {
    let mut config = SharedMemoryConfig::production();
    config.host.collector.eager = false;
    config.host.collector.cold_after = 2;
    config
}

/// A page that compresses well and is no other's.
pub(crate) fn page(seed: u64) -> Arc<Page> {
    let mut bytes = [0; PAGE_BYTES];
    bytes[PAGE_BYTES / 2..PAGE_BYTES / 2 + 8].copy_from_slice(&(seed + 1).to_be_bytes());
    Page::from_bytes(&bytes)
}

/// A page that does not.
pub(crate) fn noise(seed: u64) -> Arc<Page> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    Page::from_bytes(&std::array::from_fn(|_| next()))
}

pub(crate) struct Desk {
    pub(crate) memory: Arc<SharedMemory>,
}

impl Desk {
    pub(crate) fn new(config: SharedMemoryConfig) -> Self {
        Self { memory: SharedMemory::new(config).unwrap() }
    }

    /// A region with these pages, written by a block of their own.
    pub(crate) fn region(
        &self,
        name: &str,
        options: RegionOptions,
        pages: impl IntoIterator<Item = Arc<Page>>,
    ) -> Handle {
        let name = Name::new(name).unwrap();
        let size = 1 << 20;
        let handle = self.memory.create(OWNER, name, size, Permissions::ALL, options).unwrap();
        self.write(handle, pages);
        handle
    }

    /// A block that writes these pages, from the first on.
    pub(crate) fn write(&self, handle: Handle, pages: impl IntoIterator<Item = Arc<Page>>) {
        let pages = pages.into_iter().enumerate();
        let pages = pages.map(|(number, page)| (PageNumber(number as u64), page)).collect();
        let after = self.memory.regions().meta(handle.id());
        self.commit(vec![RegionChange { id: handle.id(), after, pages }]);
    }

    /// Blocks that change nothing.
    pub(crate) fn pass(&self, blocks: u64) {
        (0..blocks).for_each(|_| self.commit(Vec::new()));
    }

    fn commit(&self, regions: Vec<RegionChange>) {
        let base_root = self.memory.root();
        let block = self.memory.block() + 1;
        let changes = RegionChanges { block, base_root, regions, ..RegionChanges::default() };
        self.memory.commit(&changes).unwrap();
    }

    pub(crate) fn tiers(&self, handle: Handle) -> Tiers {
        self.memory.list().into_iter().find(|region| region.handle == handle).unwrap().tiers
    }

    pub(crate) fn holds(&self, handle: Handle, number: u64, page: &Page) -> bool {
        let mut bytes = [0; PAGE_BYTES];
        self.memory.read(handle, number * PAGE_BYTES as u64, &mut bytes).unwrap();
        bytes == *page.bytes()
    }

    /// Executes a block one by one and on several numbers of threads. All come to the same.
    pub(crate) fn execute(&self, block: impl Fn() -> Block) -> Run {
        let state = std::collections::HashMap::new;
        let serial = native::execute_sequential_with(&block(), state(), &self.memory);
        for threads in [1, 2, 4] {
            let engine = Engine::<u64, u64, u8, SharedError>::builder()
                .threads(threads)
                .path(Path::Parallel)
                .shared_memory(self.memory.clone())
                .build()
                .unwrap();
            match (&serial, engine.execute(&block(), state())) {
                (Ok(serial), Ok(run)) => {
                    assert_eq!(serial.results, run.results);
                    assert_eq!(serial.regions, run.regions);
                }
                (Err(serial), Err(run)) => assert_eq!(serial.to_string(), run.to_string()),
                (serial, run) => panic!("{serial:?}\n{run:?}"),
            }
        }
        serial
    }
}

/// A transaction that reads a byte of a region.
pub(crate) fn reads(handle: Handle, offset: u64) -> Transaction<u64, u64, u8, SharedError> {
    Transaction::new(async move |view: native::View<u64, u64>| {
        let regions = view.regions();
        let mapping = regions.map(handle, MapOptions::READ_ONLY).await?;
        let mut byte = [0];
        regions.read(mapping, offset, &mut byte).await?;
        Ok(byte[0])
    })
    .acting_as(OWNER)
}

/// A transaction that writes a byte of a region.
pub(crate) fn writes(
    handle: Handle,
    offset: u64,
    byte: u8,
) -> Transaction<u64, u64, u8, SharedError> {
    Transaction::new(async move |view: native::View<u64, u64>| {
        let regions = view.regions();
        let mapping = regions.map(handle, MapOptions::NONE).await?;
        regions.write(mapping, offset, &[byte]).await?;
        Ok(byte)
    })
    .acting_as(OWNER)
}
