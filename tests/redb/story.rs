//! A chain of made-up changes: what block `number` changes is a function of the seed and the number.

use alloy_primitives::{Address, Bytes, U256};
use chorus::{
    evm::{AccountChange, Bytecode, StateDiff},
    store::{MemoryStore, redb::RedbStore},
};
use fastrand::Rng;

use crate::desk::{block, hash};

/// Few enough accounts and slots that blocks meet one another's.
const ACCOUNTS: u64 = 48;
const SLOTS: u64 = 200;

#[derive(Clone, Copy)]
pub(crate) struct Story {
    pub(crate) seed: u64,
}

impl Story {
    /// What the block changes.
    pub(crate) fn diff(self, number: u64) -> StateDiff {
        let mut rng = Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut accounts = Vec::new();
        for account in 0..ACCOUNTS {
            if rng.u8(..4) == 0 {
                accounts.push((address(account), change(&mut rng)));
            }
        }
        StateDiff { accounts }
    }

    /// What the block changes, told as an execution over `before` tells it: what comes into being is
    /// created, and what does not exist is not wiped.
    pub(crate) fn diff_over(self, before: &MemoryStore, number: u64) -> StateDiff {
        let mut diff = self.diff(number);
        diff.accounts.retain(|(address, change)| !change.deleted || before.get(address).is_some());
        for (address, change) in &mut diff.accounts {
            let exists = before.get(address).is_some();
            (change.created, change.wiped) = (!exists, change.wiped && exists);
        }
        diff
    }

    /// A state without a history, of `accounts` with some slots and codes.
    pub(crate) fn genesis(self, accounts: u64) -> MemoryStore {
        let mut rng = Rng::with_seed(self.seed);
        let mut builder = MemoryStore::builder();
        for account in 0..accounts {
            let address = address(account);
            builder.balance(address, word(&mut rng)).nonce(address, rng.u64(..));
            builder.bytecode(address, code(&mut rng));
            for _ in 0..rng.u64(..20) {
                builder.slot(address, word(&mut rng), word(&mut rng));
            }
        }
        builder.block_hash(7, hash(7)).build()
    }

    pub(crate) fn apply(self, store: &RedbStore, number: u64) {
        store.apply(&self.diff(number), block(number), Some(hash(number - 1))).unwrap();
    }
}

pub(crate) fn address(account: u64) -> Address {
    Address::from_word(hash(account))
}

fn change(rng: &mut Rng) -> AccountChange {
    match rng.u8(..10) {
        0 => AccountChange { wiped: true, deleted: true, ..Default::default() },
        kind => AccountChange {
            wiped: kind == 1,
            balance: rng.bool().then(|| word(rng)),
            nonce: rng.bool().then(|| rng.u64(..)),
            code: (rng.u8(..4) == 0).then(|| {
                let code = code(rng);
                (code.hash_slow(), code)
            }),
            storage: slots(rng),
            ..Default::default()
        },
    }
}

fn slots(rng: &mut Rng) -> Vec<(U256, U256)> {
    let mut slots = Vec::new();
    for slot in 0..SLOTS {
        if rng.u8(..4) == 0 {
            let value = if rng.u8(..4) == 0 { U256::ZERO } else { word(rng) };
            slots.push((U256::from_be_bytes(hash(slot).0), value));
        }
    }
    slots.sort_unstable();
    slots
}

/// One of a few codes: none, ordinary ones of many lengths, delegations, and an ordinary one whose
/// bytes are those of a delegation.
fn code(rng: &mut Rng) -> Bytecode {
    match rng.u8(..12) {
        0 => Bytecode::default(),
        1 => Bytecode::new_eip7702(address(1)),
        2 => Bytecode::new_legacy(Bytecode::new_eip7702(address(2)).original_bytes()),
        length => {
            let length = 1usize << length;
            Bytecode::new_legacy(Bytes::from(vec![length as u8 | 1; length]))
        }
    }
}

/// A number of any length.
fn word(rng: &mut Rng) -> U256 {
    let word = U256::from(rng.u128(..)) << 128 | U256::from(rng.u128(1..));
    word >> rng.usize(..256)
}
