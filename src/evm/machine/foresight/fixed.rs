//! What contracts of one code read of their storage.
//!
//! Contracts that share their code, as all pools of an exchange do, read the same slots: the ones at
//! fixed places. Where a context first waits for a slot of a contract, those that others of its code
//! were waited for are asked for with it, so that one wait does for all of them. Slots at computed
//! places, such as the entries of mappings, are each contract's own and are not learned.
//!
//! It is a guess that costs a read if it is wrong, and it is forgotten with the block.

use std::collections::HashMap;

use alloy_primitives::{B256, U256};
use smallvec::SmallVec;

use crate::sync::{Mutex, RandomState};

/// Places below this are fixed ones.
const FIXED: u64 = 1 << 32;
/// How many slots are learned of one code.
const MOST: usize = 16;

/// Slots by code.
#[derive(Default)]
pub(in super::super) struct Foresight {
    codes: Mutex<HashMap<B256, Code, RandomState>>,
}

#[derive(Default)]
struct Code {
    slots: SmallVec<[u64; 8]>,
    /// How many of the slots were asked for, by contract (the number of its entry).
    asked: HashMap<u32, usize, RandomState>,
}

impl Foresight {
    /// Notes that a slot of a contract of that code is waited for, and says which others of its slots
    /// to ask for.
    pub(in super::super) fn note(
        &self,
        code: B256,
        account: u32,
        slot: U256,
    ) -> SmallVec<[U256; 8]> {
        let mut codes = self.codes.lock();
        let code = codes.entry(code).or_default();
        let asked = code.asked.entry(account).or_default();
        let others = &code.slots[*asked..];
        let others = others.iter().map(|slot| U256::from(*slot)).filter(|other| *other != slot);
        let others = others.collect();
        if let Ok(slot) = u64::try_from(slot)
            && slot < FIXED
            && code.slots.len() < MOST
            && !code.slots.contains(&slot)
        {
            code.slots.push(slot);
        }
        *asked = code.slots.len();
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_of_known_code_is_asked_for_what_others_were_waited_for() {
        let (foresight, code) = (Foresight::default(), B256::repeat_byte(1));
        let note =
            |account, slot: U256| -> Vec<U256> { foresight.note(code, account, slot).into_vec() };
        let slots = |of: &[u64]| of.iter().copied().map(U256::from).collect::<Vec<_>>();
        assert_eq!(note(1, U256::from(6)), slots(&[]));
        assert_eq!(note(1, U256::MAX), slots(&[]));
        assert_eq!(note(1, U256::from(8)), slots(&[]));
        assert_eq!(note(2, U256::from(8)), slots(&[6]));
        assert_eq!(note(2, U256::from(6)), slots(&[]));
        assert_eq!(note(3, U256::MAX - U256::ONE), slots(&[6, 8]));
        assert_eq!(note(3, U256::from(7)), slots(&[]));
        assert_eq!(note(1, U256::from(9)), slots(&[7]));
        assert_eq!(foresight.note(B256::ZERO, 4, U256::from(6)).into_vec(), slots(&[]));
    }
}
