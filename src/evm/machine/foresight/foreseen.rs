//! What forecasts leave for the transactions: hashes, and the entries of what they will read.
//!
//! To name the entry of a mapping a forecast hashes what the transaction hashes when it executes, and one
//! that goes on, when a value lands, hashes part of it again. A hash costs more than everything else that
//! a read costs which is made ahead. So it is computed once, and kept until the transaction has committed:
//! incarnations after the first find it, too. What was hashed is compared whole: a forecast that is wrong leaves a
//! hash that nobody asks for.
//!
//! The entries are remembered by the worker's guide when the transaction begins ([`Table::remind`]), all of them at
//! once: one by one each would be looked for in an index that another worker has written to.
//!
//! Each transaction has its own list, whose lock is shared by an incarnation or a scout and the forecasts beside it.
//! Whoever commits gives its memory to the next that is made: from the allocator it would go to and fro between
//! the workers.
//!
//! [`Table::remind`]: crate::state::Table::remind

use alloy_primitives::U256;

use super::preimages::Hashed;
use crate::{
    evm::keccak,
    state::{EntryId, TxIndex},
    sync::{Mutex, MutexGuard},
};

/// How many hashes are kept of one transaction, and how many entries.
const MOST: usize = 64;
/// For so many there is room from the first on.
const USUAL: usize = 16;
/// After so many searches in vain in a row, the transaction hashes what nobody has foreseen.
const PATIENCE: u32 = 32;
/// So many lists are kept for others.
const SPARE: usize = 256;

/// What was foreseen of a block's transactions. Nothing where the store is not slow.
#[derive(Debug, Default)]
pub(in super::super) struct Foreseen {
    transactions: Box<[Mutex<List>]>,
    spare: Mutex<Vec<Left>>,
}

/// What was foreseen of one transaction.
#[derive(Debug, Default)]
struct List {
    left: Option<Left>,
    /// Where the last hash was found. Who asks again asks for the same, or in the order in which they were
    /// computed, so a search begins here.
    at: usize,
    /// Searches in vain since the last hash was found or added.
    misses: u32,
}

/// What is left for a transaction.
#[derive(Debug)]
struct Left {
    hashes: Vec<Hashed>,
    /// The slots that it will probably read.
    slots: Vec<EntryId>,
}

impl Default for Left {
    fn default() -> Self {
        Self { hashes: Vec::with_capacity(USUAL), slots: Vec::with_capacity(USUAL) }
    }
}

impl Left {
    fn clear(&mut self) {
        self.hashes.clear();
        self.slots.clear();
    }
}

impl List {
    fn find(&mut self, key: U256, place: U256) -> Option<U256> {
        let same = |hashed: &Hashed| hashed.key == key && hashed.place == place;
        let hashes = &self.left.as_ref()?.hashes;
        let (before, from) = hashes.split_at_checked(self.at)?;
        let found = from.iter().position(same).map(|found| found + self.at);
        self.at = found.or_else(|| before.iter().position(same))?;
        Some(hashes[self.at].hash)
    }
}

impl Foreseen {
    /// For so many transactions.
    pub(in super::super) fn new(transactions: usize) -> Self {
        let transactions = (0..transactions).map(|_| Mutex::default()).collect();
        Self { transactions, spare: Mutex::default() }
    }

    fn of(&self, tx: TxIndex) -> Option<MutexGuard<'_, List>> {
        Some(self.transactions.get(tx.get())?.lock())
    }

    fn leave<'a>(&self, list: &'a mut List) -> &'a mut Left {
        let make = || self.spare.lock().pop().unwrap_or_default();
        list.left.get_or_insert_with(make)
    }

    fn push(&self, list: &mut List, hashed: Hashed) {
        let hashes = &mut self.leave(list).hashes;
        if hashes.len() < MOST {
            hashes.push(hashed);
            list.misses = 0;
        }
    }

    /// The hash of a key and a place, computed if it was not for this transaction.
    pub(super) fn hash(&self, tx: TxIndex, key: U256, place: U256) -> U256 {
        let Some(mut list) = self.of(tx) else { return keccak::entry(key, place) };
        list.find(key, place).unwrap_or_else(|| {
            let hash = keccak::entry(key, place);
            self.push(&mut list, Hashed { key, place, hash });
            hash
        })
    }

    /// The hash of a key and a place, if a forecast has computed it, for another one.
    pub(super) fn known(&self, tx: TxIndex, key: U256, place: U256) -> Option<U256> {
        self.of(tx)?.find(key, place)
    }

    /// Adds what a forecast has computed.
    pub(super) fn add(&self, tx: TxIndex, hashed: impl ExactSizeIterator<Item = Hashed>) {
        if hashed.len() > 0
            && let Some(mut list) = self.of(tx)
        {
            hashed.for_each(|hashed| self.push(&mut list, hashed));
        }
    }

    /// The hash of a key and a place, if a forecast of the transaction has computed it.
    pub(super) fn find(&self, tx: TxIndex, key: U256, place: U256) -> Option<U256> {
        let mut list = self.of(tx)?;
        if list.left.is_none() || list.misses == PATIENCE {
            return None;
        }
        let found = list.find(key, place);
        list.misses = if found.is_some() { 0 } else { list.misses + 1 };
        found
    }

    /// Notes slots that the transaction will probably read.
    pub(super) fn note_slots(&self, tx: TxIndex, slots: &[EntryId]) {
        if let Some(mut list) = self.of(tx) {
            let noted = &mut self.leave(&mut list).slots;
            noted.extend(slots.iter().take(MOST.saturating_sub(noted.len())));
        }
    }

    /// Passes over the slots that were noted for the transaction, which begins.
    pub(in super::super) fn with_slots(&self, tx: TxIndex, begin: impl FnOnce(&[EntryId])) {
        if let Some(list) = self.of(tx)
            && let Some(left) = &list.left
        {
            begin(&left.slots);
        }
    }

    /// The transaction has committed. What a late forecast adds goes with the block.
    pub(in super::super) fn forget(&self, tx: TxIndex) {
        let list = self.of(tx).map(|mut list| std::mem::take(&mut *list));
        if let Some(mut left) = list.and_then(|list| list.left) {
            left.clear();
            let mut spare = self.spare.lock();
            if spare.len() < SPARE {
                spare.push(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TX: TxIndex = TxIndex(1);

    fn number(number: u64) -> U256 {
        U256::from(number)
    }

    #[test]
    fn a_hash_is_found_for_its_own_transaction_and_exactly_what_was_hashed() {
        let hashes = Foreseen::new(2);
        // All bytes of both words count.
        let high = |at: usize| U256::ONE << at;
        let words: Vec<_> = (0..4).map(|limb| high(limb * 64)).collect();
        let (known, other) = (words[0], words[1]);
        let hashed = hashes.hash(TX, known, other);
        assert_eq!(hashed, keccak::entry(known, other));
        for (key, place) in words.iter().flat_map(|key| words.iter().map(move |at| (*key, *at))) {
            let expected = ((key, place) == (known, other)).then_some(hashed);
            assert_eq!(hashes.find(TX, key, place), expected);
        }
        assert_eq!(hashes.find(TxIndex(0), known, other), None);
        assert_eq!(hashes.find(TxIndex(2), known, other), None);
    }

    #[test]
    fn a_list_is_bounded_and_hashes_beyond_are_right_all_the_same() {
        let hashes = Foreseen::new(2);
        for at in 0..2 * MOST as u64 {
            assert_eq!(
                hashes.hash(TX, number(at), number(7)),
                keccak::entry(number(at), number(7))
            );
        }
        let found = |at: &u64| hashes.find(TX, number(*at), number(7)).is_some();
        // In whatever order they are asked for.
        assert_eq!((0..MOST as u64).rev().filter(found).count(), MOST);
        assert_eq!((0..2 * MOST as u64).filter(found).count(), MOST);
        assert!(!found(&0), "who asks for so many others is not searched for");
        hashes.forget(TX);
        assert!(!found(&0));
    }

    #[test]
    fn a_list_that_is_taken_over_says_nothing_of_the_transaction_before() {
        let (foreseen, other) = (Foreseen::new(2), TxIndex(0));
        let ids = crate::state::Table::<super::super::super::cells::AccountCell>::new();
        let ids: Vec<_> = (0..2 * MOST as u8)
            .map(|at| ids.intern(&alloy_primitives::Address::repeat_byte(at)))
            .collect();
        foreseen.hash(TX, number(1), number(7));
        foreseen.note_slots(TX, &ids);
        let left = |tx| {
            let mut found = None;
            foreseen.with_slots(tx, |slots| found = Some(slots.to_vec()));
            found
        };
        assert_eq!(left(TX), Some(ids[..MOST].to_vec()), "bounded");
        foreseen.forget(TX);
        foreseen.note_slots(other, &ids[..1]);
        assert_eq!((left(TX), left(other)), (None, Some(vec![ids[0]])));
        assert_eq!(foreseen.known(other, number(1), number(7)), None);
    }

    #[test]
    fn a_block_over_a_fast_store_keeps_none() {
        let hashes = Foreseen::new(0);
        assert_eq!(hashes.hash(TX, number(1), number(2)), keccak::entry(number(1), number(2)));
        assert_eq!(hashes.find(TX, number(1), number(2)), None);
        hashes.forget(TX);
    }
}
