//! One account as a block that runs sequentially sees it.

use alloy_primitives::{Address, U256};
use revm::{
    bytecode::Bytecode,
    primitives::{KECCAK_EMPTY, StorageKeyMap},
    state::AccountInfo,
};

use crate::evm::{AccountChange, StoreError, diff::order::put_in_order};

/// A slot: its value before the block and now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) before: U256,
    pub(super) now: U256,
}

/// An account as the block sees it.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) address: Address,
    /// The account now; `None` if it does not exist.
    pub(super) now: Option<AccountInfo>,
    /// What `now` was before the block, once it was replaced.
    pub(super) before: Option<Option<AccountInfo>>,
    /// It was destroyed within the block at least once (and may exist again).
    pub(super) destroyed: bool,
    /// The store's slots are out of sight: the account was absent or has been destroyed.
    pub(super) hidden: bool,
    /// Slots read or written so far.
    pub(super) slots: StorageKeyMap<Slot>,
}

impl Cached {
    /// Puts another state of the account in place.
    pub(super) fn replace(&mut self, now: Option<AccountInfo>) {
        let old = std::mem::replace(&mut self.now, now);
        self.before.get_or_insert(old);
    }

    /// Removes the account and all its slots.
    pub(super) fn destroy(&mut self) {
        if self.now.is_some() {
            self.replace(None);
            self.destroyed = true;
        }
        self.hidden = true;
        self.slots.clear();
    }

    /// How the account differs from before the block, if it does.
    pub(super) fn change(&self) -> Option<AccountChange> {
        let before = self.before.as_ref().unwrap_or(&self.now).as_ref();
        let Some(now) = &self.now else {
            return before.map(|_| AccountChange {
                wiped: true,
                deleted: true,
                ..Default::default()
            });
        };
        let wiped = self.destroyed && before.is_some();
        let empty = AccountInfo::default();
        let (base, fresh) = match before {
            Some(before) if !wiped => (before, false),
            _ => (&empty, true),
        };
        let mut storage: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.now != if fresh { U256::ZERO } else { slot.before })
            .map(|(key, slot)| (*key, slot.now))
            .collect();
        put_in_order(&mut storage);
        let change = AccountChange {
            wiped,
            deleted: false,
            created: before.is_none(),
            balance: (now.balance != base.balance).then_some(now.balance),
            nonce: (now.nonce != base.nonce).then_some(now.nonce),
            code: (now.code_hash != base.code_hash)
                .then(|| (now.code_hash, now.code.clone().unwrap_or_default())),
            storage,
        };
        let same = AccountChange::default();
        (change != same).then_some(change)
    }
}

/// Brings what a store said into the form that revm relies on.
pub(super) fn normalise(address: Address, info: &mut AccountInfo) -> Result<(), StoreError> {
    match &info.code {
        Some(code) if code.is_empty() => info.code_hash = KECCAK_EMPTY,
        Some(code) if info.code_hash.is_zero() => info.code_hash = code.hash_slow(),
        Some(_) => {}
        None if info.is_empty_code_hash() || info.code_hash.is_zero() => {
            info.code_hash = KECCAK_EMPTY;
            info.code = Some(Bytecode::default());
        }
        None => {
            let reason = format!("the store gave no code for code hash {}", info.code_hash);
            return Err(StoreError::Account { address, reason });
        }
    }
    Ok(())
}
