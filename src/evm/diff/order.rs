//! The order of a diff: that of addresses, and of each account's slots.
//!
//! An address is the end of a hash, so its first bits say nearly exactly where it will stand; so is the slot of an entry
//! of a mapping. Keys are put into about as
//! many buckets as there are keys, by these bits, and the few of each bucket are compared. For 1,400 accounts that takes
//! a third of the time of sorting them by comparisons, and whoever put the pieces of a diff together did that while
//! nobody else had anything to do.

use std::cmp::Ordering;

use alloy_primitives::{Address, U256};

/// Buckets at most, as a power of two: their counters stay in the first-level cache.
const MOST: u32 = 12;

/// An account or a slot on its way to its place: the first bytes of its name, and what finds it.
pub(in super::super) type Key<T> = (u64, T);

/// A number by which most addresses stand in their order already.
#[inline]
pub(in super::super) fn first_bytes(address: &Address) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = address.0.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The keys in their order. Those whose first bytes are the same are compared otherwise.
pub(in super::super) fn in_order<T: Copy + Default>(
    keys: &[Key<T>],
    otherwise: impl Fn(&T, &T) -> Ordering,
) -> Vec<Key<T>> {
    let bits = (keys.len() as u64).checked_ilog2().unwrap_or(0).clamp(1, MOST);
    let bucket = |(first, _): &Key<T>| (first >> (u64::BITS - bits)) as usize;
    let mut places = vec![0; 1 << bits];
    for key in keys {
        places[bucket(key)] += 1;
    }
    let mut before = 0;
    for place in &mut places {
        before += std::mem::replace(place, before);
    }
    let mut sorted = vec![Key::default(); keys.len()];
    for key in keys {
        let place = &mut places[bucket(key)];
        sorted[*place] = *key;
        *place += 1;
    }
    // Each bucket's place is now the next one's.
    let mut from = 0;
    for to in places {
        if to > from + 1 {
            sorted[from..to].sort_unstable_by(|(first, one), (second, other)| {
                first.cmp(second).then_with(|| otherwise(one, other))
            });
        }
        from = to;
    }
    sorted
}

/// Slots of fewer are sorted by comparisons.
const FEW: usize = 64;

/// Puts an account's slots, all different, in their order.
pub(in super::super) fn put_in_order(slots: &mut Vec<(U256, U256)>) {
    if slots.len() >= FEW && !is_crowded(slots) {
        let keys: Vec<Key<u32>> =
            slots.iter().enumerate().map(|(at, (slot, _))| (high(slot), at as u32)).collect();
        let slot = |at: u32| &slots[at as usize].0;
        let order = in_order(&keys, |one, other| slot(*one).cmp(slot(*other)));
        *slots = order.into_iter().map(|(_, at)| slots[at as usize]).collect();
    } else {
        slots.sort_unstable_by_key(|(slot, _)| *slot);
    }
}

/// Whether many of the slots would come into one bucket, as those of an array do: of a few of them, more than a quarter.
fn is_crowded(slots: &[(U256, U256)]) -> bool {
    let few = slots.iter().step_by(slots.len().div_ceil(FEW / 4));
    let mut buckets: Vec<_> = few.map(|(slot, _)| high(slot) >> (u64::BITS - MOST)).collect();
    buckets.sort_unstable();
    buckets.chunk_by(u64::eq).any(|same| same.len() > buckets.len() / 4)
}

fn high(slot: &U256) -> u64 {
    let [.., high] = *slot.as_limbs();
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_however_their_first_bits_are_spread() {
        let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for shift in [0, 8, 32, 60] {
            for len in [0, 1, 2, 3, 100, 5_000] {
                let keys: Vec<Key<u32>> =
                    (0..len).map(|at| (spread(at) >> shift, at as u32)).collect();
                let mut expected = keys.clone();
                expected.sort_unstable_by_key(|(first, at)| (*first, u32::MAX - at));
                assert_eq!(in_order(&keys, |one, other| other.cmp(one)), expected);
            }
        }
    }

    #[test]
    fn slots_are_in_order_be_they_hashes_or_numbers() {
        let hash =
            |number: u64| U256::from_be_bytes(alloy_primitives::keccak256(number.to_be_bytes()).0);
        let array = |number: u64| hash(0) + U256::from(number * 7 % 1_000);
        let mixed = |number: u64| if number & 1 == 0 { array(number) } else { hash(number) };
        let number = |number: u64| U256::from(number * 7 % 1_000);
        let kinds: [&dyn Fn(u64) -> U256; 4] = [&hash, &array, &mixed, &number];
        for (kind, len) in kinds.iter().flat_map(|kind| [0, 1, FEW, 1_000].map(|len| (kind, len))) {
            let mut slots: Vec<_> = (0..len as u64).map(|at| (kind(at), U256::from(at))).collect();
            let mut expected = slots.clone();
            expected.sort_unstable();
            put_in_order(&mut slots);
            assert_eq!(slots, expected);
        }
    }
}
