//! A small state, all that can be asked of it, and ways to ask.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    mpsc,
};

use alloy_primitives::{Address, B256, U256};
use chorus::{
    evm::{AccountChange, StateDiff},
    store::{Answer, MemoryStore, Query, Read, ReadResult, Reply, StateStore, StoreError},
};
use revm::{bytecode::Bytecode, state::AccountInfo};

/// Accounts 0 to 19 exist, with slots, code for some, and each has a hash of a block.
pub(crate) fn world() -> Arc<MemoryStore> {
    let mut builder = MemoryStore::builder();
    for number in 0..20_u64 {
        let account = address(number);
        builder.balance(account, U256::from(number) << 70).nonce(account, number % 3);
        if number % 4 == 1 {
            builder.code(account, vec![0x60, number as u8, 0x00].into());
        }
        for slot in 0..number % 7 {
            builder.slot(account, U256::from(slot), U256::from(number * 100 + slot + 1));
        }
        builder.block_hash(number, B256::with_last_byte(number as u8 + 1));
    }
    Arc::new(builder.build())
}

/// The address of an account of the world, or of one that it has not, from 20 on.
pub(crate) fn address(number: u64) -> Address {
    Address::left_padding_from(&(0x1000 + number).to_be_bytes())
}

/// Everything that the world has, and as much that it has not.
pub(crate) fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    for number in 0..40 {
        let account = address(number);
        queries.push(Query::Account(account));
        queries.extend((0..8).map(|slot| Query::Slot(account, U256::from(slot))));
        queries.push(Query::HasStorage(account));
        queries.push(Query::BlockHash(number));
    }
    queries
}

/// Asks through the blocking method of each kind.
pub(crate) fn blocking(store: &dyn StateStore, query: Query) -> ReadResult {
    match query {
        Query::Account(address) => store.account(address).map(Answer::Account),
        Query::Slot(address, slot) => store.storage(address, slot).map(Answer::Slot),
        Query::HasStorage(address) => store.has_storage(address).map(Answer::HasStorage),
        Query::BlockHash(number) => store.block_hash(number).map(Answer::BlockHash),
    }
}

/// Fetches as the engine does, whatever is at hand, driving the store until all is answered. The answers
/// are in the order of the queries.
pub(crate) fn fetched(store: &dyn StateStore, queries: &[Query]) -> Vec<ReadResult> {
    let reads = queries.iter().map(|query| Read::pending(*query, 0));
    let (reads, pending): (Vec<_>, Vec<_>) = reads.unzip();
    store.fetch(reads);
    pending.into_iter().map(|pending| pending.wait(store)).collect()
}

/// That the store answers like the world, asked in three ways.
pub(crate) fn assert_like_world(store: &dyn StateStore, world: &MemoryStore, queries: &[Query]) {
    let expected: Vec<_> = queries.iter().map(|query| world.try_get(*query).unwrap()).collect();
    assert_eq!(fetched(store, queries), expected);
    let many = store.read_many(queries).into_iter().map(|pending| pending.wait(store));
    assert_eq!(many.collect::<Vec<_>>(), expected);
    for (query, expected) in queries.iter().zip(expected) {
        assert_eq!(blocking(store, *query), expected);
        if let Some(at_hand) = store.try_get(*query) {
            assert_eq!(at_hand, expected);
        }
    }
}

/// Sends the answer through a channel, and says whether it is wanted.
pub(crate) struct Mail {
    pub(crate) sender: mpsc::Sender<(Query, ReadResult)>,
    pub(crate) wanted: Arc<AtomicBool>,
}

impl Reply for Mail {
    fn answer(self: Box<Self>, query: Query, result: ReadResult) {
        // The test may have gone.
        let _ = self.sender.send((query, result));
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Relaxed)
    }
}

/// A read whose answer arrives in a channel.
pub(crate) fn mailed(query: Query, rank: u32, sender: &mpsc::Sender<(Query, ReadResult)>) -> Read {
    let wanted = Arc::new(AtomicBool::new(true));
    Read::new(query, rank, Box::new(Mail { sender: sender.clone(), wanted }))
}

/// The world behind a door: reads wait until they are let through.
pub(crate) struct Gate {
    pub(crate) world: Mutex<MemoryStore>,
    waiting: Mutex<Vec<Read>>,
    fetched: AtomicUsize,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let world = Mutex::new(MemoryStore::clone(&world()));
        Arc::new(Self { world, waiting: Mutex::default(), fetched: AtomicUsize::new(0) })
    }

    /// How many reads came so far.
    pub(crate) fn fetched(&self) -> usize {
        self.fetched.load(Relaxed)
    }

    /// The reads that wait.
    pub(crate) fn take(&self) -> Vec<Read> {
        std::mem::take(&mut *self.waiting.lock().unwrap())
    }

    /// Answers what waits, with what holds now.
    pub(crate) fn open(&self) {
        for read in self.take() {
            let answer = self.world.lock().unwrap().try_get(read.query()).unwrap();
            read.answer(answer);
        }
    }
}

impl StateStore for Gate {
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
        self.fetched.fetch_add(reads.len(), Relaxed);
        self.waiting.lock().unwrap().extend(reads);
    }

    /// Blocking readers let themselves in.
    fn drive(&self) -> bool {
        self.open();
        false
    }
}

/// Random changes that can follow the state, as a block would make them.
pub(crate) fn changes(state: &MemoryStore, random: &mut fastrand::Rng) -> StateDiff {
    let mut touched: Vec<_> = (0..40).filter(|_| random.u8(..8) == 0).map(address).collect();
    touched.sort_unstable();
    let change = |address: Address| {
        let before = state.get(&address);
        let mut change = AccountChange { created: before.is_none(), ..Default::default() };
        if before.is_some() {
            match random.u8(..8) {
                0 => return (address, AccountChange { deleted: true, wiped: true, ..change }),
                1 => change.wiped = true,
                _ => {}
            }
        }
        if random.bool() {
            change.balance = Some(U256::from(random.u64(1..)));
        }
        if random.bool() {
            change.nonce = Some(random.u64(100..200));
        }
        if random.u8(..4) == 0 {
            let code = Bytecode::new_legacy(vec![0x5b, random.u8(..)].into());
            change.code = Some((code.hash_slow(), code));
        }
        for slot in (0..8).filter(|_| random.u8(..3) == 0).collect::<Vec<u64>>() {
            let value = U256::from(random.u64(..3));
            if !((change.wiped || change.created) && value.is_zero()) {
                change.storage.push((U256::from(slot), value));
            }
        }
        (address, change)
    };
    StateDiff { accounts: touched.into_iter().map(change).collect() }
}
