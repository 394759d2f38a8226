//! How blocks read from a store that is slow.
//!
//! A block on the workers has its reads given up by [`machine::overdue`](super::machine), which lands
//! an error where the answer should have landed. One that runs on the calling thread alone waits for
//! one read at a time, and [`Patient`] is the store that gives up.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{StateStore, StoreError};
use crate::{
    context::Control,
    store::{Query, Read, ReadResult},
    sync::{
        Arc,
        time::{Duration, Instant},
    },
};

/// How often a thread that waits for a read looks whether its block was stopped.
const LOOK: Duration = Duration::from_millis(10);

/// How many reads may be under way unless told otherwise. Two workers execute some 300 ERC-20 transfers a millisecond, of
/// three cold reads each: at 1 ms a read 256 at a time took 4.3 × the time at zero latency, 1,024 took 2.6 ×. At 100 µs a
/// read swaps ask for some hundreds together, and those that find no place free cost the queue: they took 1.36 × with
/// 256, 1.34 × with 512, 1.30 × with 768, 1,024 and more. Where the device serves 64 or 128 at a time, 256 and 1,024 took
/// the same time.
const IN_FLIGHT: usize = 1024;
/// From what latency on a store is far away.
const FAR: Duration = Duration::from_micros(500);

/// Whether a store with that latency is far away.
pub(crate) fn is_far(latency: Option<Duration>) -> bool {
    latency.is_some_and(|latency| latency >= FAR)
}

/// Whether the engine runs transactions ahead, on guessed values, to find out what they will read.
/// Results are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scouting {
    /// Where a read takes long enough to be worth it, and a worker has nothing else to do.
    #[default]
    Auto,
    /// Never: a transaction's reads follow one another, as far as they are not known beforehand.
    Off,
}

/// What an engine is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// How many reads may be under way.
    pub(crate) in_flight: usize,
    /// How long an answer is waited for.
    pub(crate) timeout: Option<Duration>,
    pub(crate) scouting: Scouting,
}

impl Default for Reading {
    fn default() -> Self {
        let timeout = Some(Duration::from_secs(30));
        Self { in_flight: IN_FLIGHT, timeout, scouting: Scouting::Auto }
    }
}

/// A store of which each read has to be answered in time, and before the block is stopped.
pub(crate) struct Patient<'a> {
    pub(crate) store: &'a dyn StateStore,
    pub(crate) timeout: Option<Duration>,
    pub(crate) control: Option<Arc<Control>>,
}

impl Patient<'_> {
    fn wait(&self, query: Query) -> ReadResult {
        if let Some(result) = self.store.try_get(query) {
            return result;
        }
        let (read, pending) = Read::pending(query, 0);
        let end = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.store.fetch(vec![read]);
        let stopped = || self.control.as_ref().is_some_and(|control| control.reason().is_some());
        let late = || end.is_some_and(|end| Instant::now() >= end);
        let every = self.timeout.map_or(LOOK, |timeout| timeout.min(LOOK));
        let answer = pending.wait_looking(self.store, || stopped() || late(), every);
        answer.unwrap_or_else(|| match self.timeout {
            Some(after) if !stopped() => Err(StoreError::TimedOut { query, after }),
            // The block is about to end for that reason.
            _ => Err(StoreError::Dropped { query }),
        })
    }
}

impl StateStore for Patient<'_> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.store.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.store.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.store.try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.store.try_block_hash(number)
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let query = Query::Account(address);
        self.wait(query)?.into_account(query)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let query = Query::Slot(address, slot);
        self.wait(query)?.into_slot(query)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StoreError> {
        let query = Query::HasStorage(address);
        self.wait(query)?.into_has_storage(query)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StoreError> {
        let query = Query::BlockHash(number);
        self.wait(query)?.into_block_hash(query)
    }
}
