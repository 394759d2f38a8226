//! Whether a slow store is worth a look before it is asked to fetch.
//!
//! What it has at hand is found by a look, and needs no read. But where everything is cold, a look is a miss in the
//! processor's cache for each read that is made ahead: of the time that swaps take beyond their own at a latency of 100 µs
//! it was 5 %. So where looks were in vain for a while, few are taken. What is fetched although it was at hand costs the
//! hand-over, and a place among the reads under way.

use crate::{
    store::{Query, ReadResult, StateStore},
    sync::atomic::{AtomicU32, Ordering},
};

/// After so many in vain in a row, ...
const PATIENCE: u32 = 16;
/// ... one of so many is taken.
const ONE_OF: u32 = 16;

/// How often nothing was found in a row, looks that were not taken included. Relaxed: it costs time if wrong.
#[derive(Debug, Default)]
pub(super) struct AtHand(AtomicU32);

impl AtHand {
    /// What the store has at hand of it, if that is worth a look.
    pub(super) fn look(&self, store: &dyn StateStore, query: Query) -> Option<ReadResult> {
        let vain = self.0.load(Ordering::Relaxed);
        let taken = vain < PATIENCE || vain.is_multiple_of(ONE_OF);
        let found = if taken { store.try_get(query) } else { None };
        let next = if found.is_some() { 0 } else { vain.wrapping_add(1).max(1) };
        self.0.store(next, Ordering::Relaxed);
        found
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use std::cell::Cell;

    use alloy_primitives::{Address, U256};

    use super::*;
    use crate::{
        evm::{AccountInfo, StoreError},
        sync::Mutex,
    };

    /// A store that counts looks, and has all at hand or nothing.
    #[derive(Default)]
    struct Counting {
        looks: Mutex<Cell<u32>>,
        has: Mutex<Cell<bool>>,
    }

    impl StateStore for Counting {
        fn try_account(&self, _: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
            let looks = self.looks.lock();
            looks.set(looks.get() + 1);
            self.has.lock().get().then_some(Ok(None))
        }

        fn try_storage(&self, _: Address, _: U256) -> Option<Result<U256, StoreError>> {
            None
        }

        fn try_has_storage(&self, _: Address) -> Option<Result<bool, StoreError>> {
            None
        }
    }

    #[test]
    fn looks_become_rare_where_they_are_in_vain_and_frequent_where_they_are_not() {
        let store = Counting::default();
        let at_hand = AtHand::default();
        let look = |times| {
            store.looks.lock().set(0);
            let found = (0..times)
                .filter(|_| at_hand.look(&store, Query::Account(Address::ZERO)).is_some());
            (found.count(), store.looks.lock().get())
        };
        assert_eq!(look(1_600), (0, PATIENCE + 99));
        store.has.lock().set(true);
        let (found, looks) = look(1_000);
        assert!(found >= 1_000 - ONE_OF as usize && looks as usize == found);
        store.has.lock().set(false);
        assert_eq!(look(PATIENCE), (0, PATIENCE));
    }
}
