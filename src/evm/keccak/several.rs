//! Where entries of mappings are, several at a time.

use alloy_primitives::{U256, keccak256};

use super::lanes::{LANES, LENGTH, Lanes};

/// So many are hashed sooner side by side than one by one.
const WORTH: usize = 2;

/// Where the entry of a key is in the mapping at a place.
pub(crate) fn entry(key: U256, place: U256) -> U256 {
    U256::from_be_bytes(keccak256(input(key, place)).0)
}

/// The same for several keys, each with the place of its mapping, in their order.
pub(crate) fn entries(pairs: &[(U256, U256)]) -> impl Iterator<Item = U256> {
    entries_on(Lanes::detect(), pairs)
}

fn entries_on(lanes: Option<Lanes>, pairs: &[(U256, U256)]) -> impl Iterator<Item = U256> {
    pairs.chunks(LANES).flat_map(move |some| {
        let mut found = [U256::ZERO; LANES];
        match lanes {
            Some(lanes) if some.len() >= WORTH => {
                let mut inputs = [[0; LENGTH]; LANES];
                for (to, (key, place)) in inputs.iter_mut().zip(some) {
                    *to = input(*key, *place);
                }
                found = lanes.hash(&inputs).map(U256::from_be_bytes);
            }
            _ => {
                for (to, (key, place)) in found.iter_mut().zip(some) {
                    *to = entry(*key, *place);
                }
            }
        }
        found.into_iter().take(some.len())
    })
}

fn input(key: U256, place: U256) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..32].copy_from_slice(&key.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&place.to_be_bytes::<32>());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_there_are_each_is_its_own() {
        for count in 0..=2 * LANES as u64 + 3 {
            let pair = |at| (U256::from(at) << 130, U256::MAX - U256::from(at));
            let pairs: Vec<_> = (0..count).map(pair).collect();
            let expected: Vec<_> = pairs.iter().map(|(key, place)| entry(*key, *place)).collect();
            for lanes in [None, Some(Lanes::Emulated), Lanes::detect()] {
                assert!(entries_on(lanes, &pairs).eq(expected.iter().copied()), "{lanes:?}");
            }
        }
    }
}
