//! Stores that answer when and whence it suits the test.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, U256};
use chorus::{
    evm::{AccountInfo, StateStore, StoreError},
    store::{MemoryStore, Query, Read, ReadResult, Reply},
};

/// Has nothing at hand. What it does with reads, and when it is looked after, are closures.
struct Slow<F, D>(F, D, Duration);

impl<F, D> StateStore for Slow<F, D>
where
    F: Fn(Vec<Read>) + Send + Sync,
    D: Fn() -> bool + Send + Sync,
{
    fn try_account(&self, _: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        None
    }

    fn try_storage(&self, _: Address, _: U256) -> Option<Result<U256, StoreError>> {
        None
    }

    fn try_has_storage(&self, _: Address) -> Option<Result<bool, StoreError>> {
        None
    }

    fn try_block_hash(&self, _: u64) -> Option<Result<B256, StoreError>> {
        None
    }

    fn fetch(&self, reads: Vec<Read>) {
        (self.0)(reads);
    }

    fn drive(&self) -> bool {
        (self.1)()
    }

    fn latency(&self) -> Option<Duration> {
        Some(self.2)
    }
}

/// A store that has nothing at hand.
pub(crate) fn slow(fetch: impl Fn(Vec<Read>) + Send + Sync + 'static) -> Arc<dyn StateStore> {
    driven(fetch, || false)
}

/// The same, and it is looked after.
pub(crate) fn driven(
    fetch: impl Fn(Vec<Read>) + Send + Sync + 'static,
    drive: impl Fn() -> bool + Send + Sync + 'static,
) -> Arc<dyn StateStore> {
    Arc::new(Slow(fetch, drive, Duration::from_micros(100)))
}

/// The same, and it has answered so fast lately that it counts as one that takes no time.
pub(crate) fn brisk(fetch: impl Fn(Vec<Read>) + Send + Sync + 'static) -> Arc<dyn StateStore> {
    Arc::new(Slow(fetch, || false, Duration::ZERO))
}

/// What the world says.
pub(crate) fn said(world: &MemoryStore, query: Query) -> ReadResult {
    world.try_get(query).expect("memory has everything at hand")
}

/// Answers within `fetch`.
pub(crate) fn at_once(world: &Arc<MemoryStore>) -> Arc<dyn StateStore> {
    let world = world.clone();
    slow(move |reads| {
        for read in reads {
            let result = said(&world, read.query());
            read.answer(result);
        }
    })
}

/// Answers from a thread of its own, in random order and after random delays of up to so long.
pub(crate) fn foreign(world: &Arc<MemoryStore>, seed: u64, most: Duration) -> Arc<dyn StateStore> {
    let (sender, receiver) = channel();
    let world = world.clone();
    thread::spawn(move || answer_in_disorder(&world, &receiver, seed, most));
    slow(move |reads| reads.into_iter().for_each(|read| sender.send(read).unwrap()))
}

fn answer_in_disorder(
    world: &MemoryStore,
    reads: &Receiver<Read>,
    mut random: u64,
    most: Duration,
) {
    let mut below = |limit: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (random >> 33) as usize % limit.max(1)
    };
    let mut held: Vec<Read> = Vec::new();
    loop {
        if held.is_empty() {
            let Ok(read) = reads.recv() else { return };
            held.push(read);
        }
        let end = Instant::now() + Duration::from_nanos(below(most.as_nanos() as usize) as u64);
        while Instant::now() < end {
            thread::yield_now();
        }
        held.extend(reads.try_iter());
        let read = held.swap_remove(below(held.len()));
        let result = said(world, read.query());
        read.answer(result);
    }
}

/// A read to hand to another store. When that answers, `answer` says what the answer is.
pub(crate) fn after(read: Read, answer: impl FnOnce(Query) -> ReadResult + Send + 'static) -> Read {
    struct After<F>(Read, F);
    impl<F: FnOnce(Query) -> ReadResult + Send> Reply for After<F> {
        fn answer(self: Box<Self>, query: Query, _: ReadResult) {
            let Self(read, answer) = *self;
            read.answer(answer(query));
        }
    }
    Read::new(read.query(), read.rank(), Box::new(After(read, answer)))
}

/// What has been asked of a store, in order.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<Query>>);

impl Log {
    pub(crate) fn note(&self, reads: &[Read]) {
        self.0.lock().unwrap().extend(reads.iter().map(Read::query));
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn queries(&self) -> Vec<Query> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn times(&self) -> HashMap<Query, u32> {
        let mut times = HashMap::new();
        self.queries().into_iter().for_each(|query| *times.entry(query).or_default() += 1);
        times
    }

    pub(crate) fn asked_for_slot(&self, slot: u64) -> u32 {
        let is = |query: &Query| matches!(query, Query::Slot(_, at) if *at == U256::from(slot));
        self.queries().into_iter().filter(is).count() as u32
    }
}

/// Has one of so many locations of the world at hand, and fetches the rest from another store.
pub(crate) struct Partly {
    pub(crate) world: Arc<MemoryStore>,
    pub(crate) one_of: u64,
    pub(crate) rest: Arc<dyn StateStore>,
}

impl Partly {
    fn has(&self, query: Query) -> bool {
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let sum = match query {
            Query::Account(address) | Query::HasStorage(address) => sum(address.as_slice()),
            Query::Slot(address, slot) => {
                sum(address.as_slice()) + sum(&slot.to_be_bytes::<32>()) / 4
            }
            Query::BlockHash(number) => number,
        };
        sum.is_multiple_of(self.one_of)
    }
}

impl StateStore for Partly {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.has(Query::Account(address)).then(|| self.world.try_account(address))?
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.has(Query::Slot(address, slot)).then(|| self.world.try_storage(address, slot))?
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.has(Query::HasStorage(address)).then(|| self.world.try_has_storage(address))?
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.has(Query::BlockHash(number)).then(|| self.world.try_block_hash(number))?
    }

    fn fetch(&self, reads: Vec<Read>) {
        self.rest.fetch(reads);
    }

    fn latency(&self) -> Option<Duration> {
        self.rest.latency()
    }

    fn drive(&self) -> bool {
        self.rest.drive()
    }
}

/// Does not say how long its reads take, as if all were at hand.
pub(crate) struct Quiet<S>(pub(crate) S);

impl<S: StateStore> StateStore for Quiet<S> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.0.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.0.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.0.try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.0.try_block_hash(number)
    }

    fn fetch(&self, reads: Vec<Read>) {
        self.0.fetch(reads);
    }
}

/// The world, except for one location that cannot be read.
pub(crate) struct Broken {
    pub(crate) world: Arc<MemoryStore>,
    pub(crate) at: Query,
}

impl Broken {
    pub(crate) fn said(&self, query: Query) -> ReadResult {
        if query == self.at {
            return Err(StoreError::failed(query, "broken"));
        }
        said(&self.world, query)
    }
}

impl StateStore for Broken {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        let query = Query::Account(address);
        Some(self.said(query).and_then(|answer| answer.into_account(query)))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        let query = Query::Slot(address, slot);
        Some(self.said(query).and_then(|answer| answer.into_slot(query)))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        let query = Query::HasStorage(address);
        Some(self.said(query).and_then(|answer| answer.into_has_storage(query)))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        let query = Query::BlockHash(number);
        Some(self.said(query).and_then(|answer| answer.into_block_hash(query)))
    }
}
