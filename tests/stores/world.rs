//! A small state, all that can be asked of it, and ways to ask.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
    mpsc,
};

use alloy_primitives::{Address, B256, U256};
use chorus::store::{Answer, MemoryStore, Query, Read, ReadResult, Reply, StateStore};

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
