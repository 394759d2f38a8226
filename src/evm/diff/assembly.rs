//! The diff, from the pieces.
//!
//! The slots of each account and their order need nothing of the accounts' changes. So where there are many, a worker puts
//! them together while the caller does the accounts.

use alloy_primitives::{Address, U256};

use super::{
    Piece,
    order::{Key, first_bytes, in_order, put_in_order},
};
use crate::{
    context::Shares,
    evm::{AccountChange, StateDiff},
    sync::time::Duration,
};

/// To hand over fewer slots than this costs more than it saves.
const MANY: usize = 128;

/// How long to put a slot in its place takes at the most, three times as long as it mostly does. A worker that
/// needs longer may be off its core.
const PATIENCE: Duration = Duration::from_nanos(100);

/// Changed slots with their values.
type Slots = Vec<(U256, U256)>;

/// The pieces of a diff on their way.
pub(crate) struct Assembly {
    pieces: Vec<Piece>,
    /// By the position of an account: 0 if none of its slots changed, else one more than the place of these.
    places: Vec<u32>,
    /// How many slots, by place.
    counts: Vec<usize>,
    /// One piece: the slots, by place.
    storage: Shares<Vec<Slots>>,
}

impl Assembly {
    /// Of the pieces of a block that knows accounts at so many positions.
    pub(crate) fn new(pieces: Vec<Piece>, positions: usize) -> Self {
        let (mut places, mut counts) = (vec![0; positions], Vec::new());
        for (position, count) in pieces.iter().flat_map(|piece| &piece.runs) {
            let place = &mut places[*position as usize];
            if *place == 0 {
                counts.push(0);
                *place = counts.len() as u32;
            }
            counts[*place as usize - 1] += *count as usize;
        }
        Self { pieces, places, counts, storage: Shares::new(1) }
    }

    /// Whether there is something in it for a worker.
    pub(crate) fn is_large(&self) -> bool {
        self.slots() >= MANY
    }

    fn slots(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Puts the slots together, if nobody has begun to.
    pub(crate) fn help(&self) {
        self.storage.help(|_| self.storage());
    }

    /// The diff.
    pub(crate) fn finish(&self) -> StateDiff {
        let order = self.order();
        let mut accounts = Vec::with_capacity(order.len());
        let mut with_slots = Vec::with_capacity(self.counts.len());
        for (at, (_, found)) in order.iter().enumerate() {
            if let Some(place) = found.place.checked_sub(1) {
                with_slots.push((at, place));
            }
            accounts.push(self.account(found));
        }
        let patience = PATIENCE * u32::try_from(self.slots()).unwrap_or(u32::MAX);
        let mut storage = self.storage.finish(patience, |_| self.storage());
        let mut storage = storage.pop().unwrap_or_default();
        for (account, place) in with_slots {
            accounts[account].1.storage = std::mem::take(&mut storage[place as usize]);
        }
        StateDiff { accounts }
    }

    /// The accounts that changed, by address.
    fn order(&self) -> Vec<Key<Found>> {
        let mut places = self.places.clone();
        for position in self.pieces.iter().flat_map(|piece| &piece.gone) {
            places[*position as usize] = 0;
        }
        let changed = self.pieces.iter().map(|piece| piece.changed.len()).sum::<usize>();
        let mut keys = Vec::with_capacity(changed + self.counts.len());
        for (piece, made) in (0..).zip(&self.pieces) {
            keys.extend((0..).zip(&made.marks).map(|(at, (first, position))| {
                (*first, Found { piece, at, place: places[*position as usize] })
            }));
            let others = (made.changed.len() as u32..).zip(&made.others);
            keys.extend(others.filter_map(|(at, (address, position))| {
                let place = places[*position as usize];
                (place != 0).then(|| (first_bytes(address), Found { piece, at, place }))
            }));
        }
        in_order(&keys, |one, other| self.address(one).cmp(self.address(other)))
    }

    /// The account, without its slots.
    fn account(&self, found: &Found) -> (Address, AccountChange) {
        let piece = &self.pieces[found.piece as usize];
        match found.among(piece) {
            Ok(changed) => changed.clone(),
            Err((address, _)) => (*address, AccountChange::default()),
        }
    }

    fn address(&self, found: &Found) -> &Address {
        match found.among(&self.pieces[found.piece as usize]) {
            Ok((address, _)) | Err((address, _)) => address,
        }
    }

    /// The changed slots, in their order, by place.
    fn storage(&self) -> Vec<Slots> {
        let mut storage: Vec<Slots> =
            self.counts.iter().map(|count| Vec::with_capacity(*count)).collect();
        for piece in &self.pieces {
            let mut left = &piece.slots[..];
            for (position, count) in &piece.runs {
                let (own, others) = left.split_at(*count as usize);
                storage[self.places[*position as usize] as usize - 1].extend_from_slice(own);
                left = others;
            }
        }
        storage.iter_mut().for_each(put_in_order);
        storage
    }
}

/// Where an account is.
#[derive(Clone, Copy, Default)]
struct Found {
    piece: u32,
    /// Among those that changed, and then the others.
    at: u32,
    /// One more than the place of its slots, if any changed.
    place: u32,
}

impl Found {
    /// With its change, or with its position if nothing but slots of it changed.
    fn among<'a>(
        &self,
        piece: &'a Piece,
    ) -> Result<&'a (Address, AccountChange), &'a (Address, u32)> {
        let at = self.at as usize;
        piece.changed.get(at).ok_or_else(|| &piece.others[at - piece.changed.len()])
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        panic::{AssertUnwindSafe, catch_unwind},
    };

    use super::*;
    use crate::{
        evm::diff::order::first_bytes,
        sync::{Arc, channel::unbounded, thread},
    };

    /// What changed of so many accounts, some of which are gone, have changed by their slots alone, or not at all.
    fn pieces(accounts: u32, random: &mut fastrand::Rng) -> (Vec<Piece>, StateDiff) {
        let mut pieces: Vec<_> = (0..5).map(|_| Piece::default()).collect();
        let mut expected = BTreeMap::new();
        for position in 0..accounts {
            let mut address = Address::ZERO;
            // Some differ in their last bytes only.
            let from = [0, 10][random.usize(..2)];
            random.fill(&mut address[from..]);
            let kind = random.u32(..4);
            let change = AccountChange { nonce: Some(position.into()), ..Default::default() };
            let piece = random.choice(&mut pieces).unwrap();
            if kind < 2 {
                piece.marks.push((first_bytes(&address), position));
                piece.changed.push((address, change.clone()));
            } else {
                piece.others.push((address, position));
            }
            if kind == 0 {
                piece.gone.push(position);
            }
            let mut slots = BTreeMap::new();
            for _ in 0..[0, 0, 1, 3, 200][random.usize(..5)] {
                let (slot, value) = (U256::from(random.u128(..)), U256::from(random.u8(..)));
                let piece = random.choice(&mut pieces).unwrap();
                match piece.runs.last_mut() {
                    Some((last, count)) if *last == position => *count += 1,
                    _ => piece.runs.push((position, 1)),
                }
                piece.slots.push((slot, value));
                slots.insert(slot, value);
            }
            let storage = if kind == 0 { Vec::new() } else { slots.into_iter().collect() };
            if kind < 2 || !storage.is_empty() {
                let change = if kind < 2 { change } else { AccountChange::default() };
                expected.insert(address, AccountChange { storage, ..change });
            }
        }
        (pieces, StateDiff { accounts: expected.into_iter().collect() })
    }

    #[test]
    fn slots_that_a_worker_is_at_are_waited_for_and_made_if_they_do_not_come() {
        let (pieces, expected) = pieces(500, &mut fastrand::Rng::with_seed(5));
        let assembly = Arc::new(Assembly::new(pieces, 500));
        let (began, begun) = unbounded();
        let helper = thread::spawn({
            let assembly = assembly.clone();
            move || {
                assembly.storage.help(|_| {
                    began.send(()).unwrap();
                    assembly.storage()
                });
            }
        });
        begun.recv().unwrap();
        assert_eq!(assembly.finish(), expected);
        helper.join().unwrap();
        let (pieces, expected) = self::pieces(500, &mut fastrand::Rng::with_seed(6));
        let assembly = Assembly::new(pieces, 500);
        let gone = || assembly.storage.help(|_| panic!("off its core for good"));
        assert!(catch_unwind(AssertUnwindSafe(gone)).is_err());
        assert_eq!(assembly.finish(), expected);
    }

    #[test]
    fn a_diff_is_in_order_and_whole_whoever_puts_its_slots_together() {
        let mut random = fastrand::Rng::with_seed(3);
        for accounts in [0, 1, 2, 40, 500] {
            for helped in [false, true] {
                let (pieces, expected) = pieces(accounts, &mut random);
                let assembly = Assembly::new(pieces, accounts as usize);
                if helped {
                    assembly.help();
                }
                assert_eq!(assembly.finish(), expected, "{accounts} accounts, helped: {helped}");
            }
        }
    }
}
