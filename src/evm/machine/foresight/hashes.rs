//! Hashes that forecasts computed, by the transaction that will compute them.
//!
//! To name the entry of a mapping a forecast hashes what the transaction hashes when it executes, and one
//! that goes on, when a value lands, hashes part of it again. A hash costs more than everything else that
//! a read costs which is made ahead. So it is computed once, and kept until the transaction has committed:
//! incarnations after the first find it, too.
//!
//! What was hashed is compared whole: a forecast that is wrong leaves a hash that nobody asks for. Each
//! transaction has its own list, whose lock is shared by an incarnation or a scout and the forecasts beside it.
//!
//! To hand over the entries of slots as well, which spares a second lookup in their table, gained nothing: swaps
//! at 100 µs a read took 192–268 ms without and 214–332 ms with it, in turns.

use alloy_primitives::{U256, keccak256};

use super::preimages::Hashed;
use crate::{
    state::TxIndex,
    sync::{Mutex, MutexGuard},
};

/// How many hashes are kept of one transaction.
const MOST: usize = 64;
/// For so many there is room from the first on.
const USUAL: usize = 16;
/// After so many searches in vain in a row, the transaction hashes what nobody has foreseen.
const PATIENCE: u32 = 32;

/// The hashes of a block's transactions. Of none where the store is not slow.
#[derive(Debug, Default)]
pub(in super::super) struct Hashes {
    transactions: Box<[Mutex<List>]>,
}

/// The hashes of one transaction.
#[derive(Debug, Default)]
struct List {
    hashes: Vec<Hashed>,
    /// Where the last one was found. Who asks again asks for the same, or in the order in which they were
    /// computed, so a search begins here.
    at: usize,
    /// Searches in vain since the last hash was found or added.
    misses: u32,
}

impl List {
    fn find(&mut self, key: U256, place: U256) -> Option<U256> {
        let same = |hashed: &Hashed| hashed.key == key && hashed.place == place;
        let (before, from) = self.hashes.split_at_checked(self.at)?;
        let found = from.iter().position(same).map(|found| found + self.at);
        self.at = found.or_else(|| before.iter().position(same))?;
        Some(self.hashes[self.at].hash)
    }

    fn push(&mut self, hashed: Hashed) {
        if self.hashes.is_empty() {
            self.hashes.reserve(USUAL);
        }
        if self.hashes.len() < MOST {
            self.hashes.push(hashed);
            self.misses = 0;
        }
    }
}

impl Hashes {
    /// For so many transactions.
    pub(in super::super) fn new(transactions: usize) -> Self {
        Self { transactions: (0..transactions).map(|_| Mutex::default()).collect() }
    }

    fn of(&self, tx: TxIndex) -> Option<MutexGuard<'_, List>> {
        Some(self.transactions.get(tx.get())?.lock())
    }

    /// The hash of a key and a place, computed if it was not for this transaction.
    pub(super) fn hash(&self, tx: TxIndex, key: U256, place: U256) -> U256 {
        let Some(mut list) = self.of(tx) else { return hash(key, place) };
        list.find(key, place).unwrap_or_else(|| {
            let hash = hash(key, place);
            list.push(Hashed { key, place, hash });
            hash
        })
    }

    /// The hash of a key and a place, if a forecast of the transaction has computed it.
    pub(super) fn find(&self, tx: TxIndex, key: U256, place: U256) -> Option<U256> {
        let mut list = self.of(tx)?;
        if list.hashes.is_empty() || list.misses == PATIENCE {
            return None;
        }
        let found = list.find(key, place);
        list.misses = if found.is_some() { 0 } else { list.misses + 1 };
        found
    }

    /// The transaction has committed. What a late forecast adds goes with the block.
    pub(in super::super) fn forget(&self, tx: TxIndex) {
        if let Some(mut list) = self.of(tx) {
            *list = List::default();
        }
    }
}

/// Where the entry of a key is in the mapping at a place.
pub(super) fn hash(key: U256, place: U256) -> U256 {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&key.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&place.to_be_bytes::<32>());
    U256::from_be_bytes(keccak256(bytes).0)
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
        let hashes = Hashes::new(2);
        // All bytes of both words count.
        let high = |at: usize| U256::ONE << at;
        let words: Vec<_> = (0..4).map(|limb| high(limb * 64)).collect();
        let (known, other) = (words[0], words[1]);
        let hashed = hashes.hash(TX, known, other);
        assert_eq!(hashed, hash(known, other));
        for (key, place) in words.iter().flat_map(|key| words.iter().map(move |at| (*key, *at))) {
            let expected = ((key, place) == (known, other)).then_some(hashed);
            assert_eq!(hashes.find(TX, key, place), expected);
        }
        assert_eq!(hashes.find(TxIndex(0), known, other), None);
        assert_eq!(hashes.find(TxIndex(2), known, other), None);
    }

    #[test]
    fn a_list_is_bounded_and_hashes_beyond_are_right_all_the_same() {
        let hashes = Hashes::new(2);
        for at in 0..2 * MOST as u64 {
            assert_eq!(hashes.hash(TX, number(at), number(7)), hash(number(at), number(7)));
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
    fn a_block_over_a_fast_store_keeps_none() {
        let hashes = Hashes::new(0);
        assert_eq!(hashes.hash(TX, number(1), number(2)), hash(number(1), number(2)));
        assert_eq!(hashes.find(TX, number(1), number(2)), None);
        hashes.forget(TX);
    }
}
