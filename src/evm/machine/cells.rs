//! The two kinds of locations of an Ethereum state: accounts and storage slots.
//!
//! An account is one location with versioned *fields*: a change names the fields it sets, balances
//! change by a delta, and an observation names the fields it depends on, so transactions that touch
//! different fields of an account do not conflict.
//!
//! Destroying an account wipes its storage. Rather than write every slot, the account's *generation*
//! changes, and slots are keyed by it: the slots of the new generation are fresh locations that read
//! as zero. Reading a slot observes the generation.

use std::hash::{BuildHasher, Hasher};

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::{bytecode::Bytecode, state::AccountInfo};

use crate::{
    state::{Bounds, Cell, bounds},
    sync::RandomState,
};

impl bounds::Word for U256 {
    const ZERO: Self = U256::ZERO;
    const MAX: Self = U256::MAX;
    fn next(self) -> Self {
        self.saturating_add(U256::ONE)
    }
    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn minus(self, other: Self) -> Self {
        self.saturating_sub(other)
    }
    fn fits(self, other: Self) -> bool {
        self.checked_add(other).is_some()
    }
}

/// Accounts by address.
#[derive(Debug)]
pub(crate) enum AccountCell {}

/// The value of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// An account can exist and be empty, before EIP-161.
    pub(crate) exists: bool,
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    /// `None` stands for empty code.
    pub(crate) code: Option<Bytecode>,
    /// 0 for the storage from before the block; else 1 + the transaction that wiped it.
    pub(crate) generation: u32,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            exists: false,
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
            code: None,
            generation: 0,
        }
    }
}

impl Account {
    pub(crate) fn from_info(info: Option<AccountInfo>) -> Self {
        match info {
            None => Self::default(),
            Some(info) => Self {
                exists: true,
                nonce: info.nonce,
                balance: info.balance,
                code_hash: info.code_hash,
                code: info.code.filter(|_| info.code_hash != KECCAK256_EMPTY),
                generation: 0,
            },
        }
    }

    pub(crate) fn to_info(&self) -> Option<AccountInfo> {
        self.clone().into_info()
    }

    pub(crate) fn into_info(self) -> Option<AccountInfo> {
        let mut info = self.into_loaded()?;
        info.code.get_or_insert_default();
        Some(info)
    }

    /// EIP-161: no balance, no nonce, no code.
    pub(crate) fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }

    /// What revm loads. It gets no code of an account without: the empty code is one object whose count
    /// all workers would write to, for each account that is loaded and dropped, and nearly nobody asks for it.
    pub(crate) fn into_loaded(self) -> Option<AccountInfo> {
        let absent = self.code.is_none() && self.code_hash == KECCAK256_EMPTY;
        self.exists.then(|| AccountInfo {
            balance: self.balance,
            nonce: self.nonce,
            code_hash: self.code_hash,
            account_id: None,
            code: if absent { None } else { Some(self.code.unwrap_or_default()) },
        })
    }

    fn destroy(&mut self, generation: u32) {
        *self = Self { generation, ..Self::default() };
    }
}

/// What a transaction does to an account.
#[derive(Clone, Debug)]
pub(crate) enum AccountChange {
    /// Sets fields, and adds to the balance modulo 2^256 (a debit is its complement).
    Update { balance: U256, nonce: Option<Nonce>, code: Option<Box<NewCode>> },
    /// Destroys the account and its storage.
    Destroy { generation: u32 },
    /// Pays a beneficiary that the transaction did not otherwise touch. A zero fee is still a touch:
    /// it creates an account before EIP-161, and from then on deletes an empty one.
    Reward { amount: U256, state_clear: bool, generation: u32 },
}

/// What a transaction does to a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nonce {
    /// It is that of a sender, or of a new account, and becomes this.
    Set(u64),
    /// A contract used it to create others, and it becomes this.
    Used(u64),
    /// A contract created so many others and did not use it.
    Raised(u64),
}

/// Code that an account gets, and its hash; `None` stands for empty code. In a box of its own: few changes have any, and
/// each account's entry has room for a change.
pub(crate) type NewCode = (B256, Option<Bytecode>);

/// Fields of an account that an incarnation depends on, other than the balance.
pub(crate) mod field {
    pub(crate) const NONCE: u8 = 1;
    pub(crate) const CODE: u8 = 2;
    pub(crate) const EXISTS: u8 = 4;
    pub(crate) const EMPTY: u8 = 8;
    pub(crate) const GENERATION: u8 = 16;
    /// The nonce was predicted: earlier transactions of the sender will raise it to what was seen.
    pub(crate) const PREDICTED: u8 = 32;
}

/// What an incarnation saw of an account.
#[derive(Clone, Debug)]
pub(crate) struct AccountSeen {
    pub(crate) fields: u8,
    pub(crate) exists: bool,
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    pub(crate) generation: u32,
    /// The balances for which every check went the same way.
    pub(crate) bounds: Bounds<U256>,
}

impl AccountSeen {
    pub(crate) fn of(account: &Account) -> Self {
        Self {
            fields: 0,
            exists: account.exists,
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
            generation: account.generation,
            bounds: Bounds::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }
}

impl Cell for AccountCell {
    type Key = Address;
    type Value = Account;
    type Change = AccountChange;
    type Seen = AccountSeen;

    #[inline]
    fn hash(address: &Address, seed: &RandomState) -> u64 {
        // By words: hashing bytes begins with how many there are.
        let [a, b, c, d, e, f, g, h, rest @ ..] = &address.0.0;
        let [i, j, k, l, m, n, o, p, last @ ..] = rest;
        let mut hasher = seed.build_hasher();
        hasher.write_u64(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]));
        hasher.write_u64(u64::from_le_bytes([*i, *j, *k, *l, *m, *n, *o, *p]));
        hasher.write_u32(u32::from_le_bytes(*last));
        hasher.finish()
    }

    fn apply(account: &mut Account, change: &AccountChange) {
        match change {
            AccountChange::Update { balance, nonce, code } => {
                account.exists = true;
                account.balance = account.balance.wrapping_add(*balance);
                match nonce {
                    Some(Nonce::Set(nonce) | Nonce::Used(nonce)) => account.nonce = *nonce,
                    Some(Nonce::Raised(by)) => account.nonce = account.nonce.saturating_add(*by),
                    None => {}
                }
                if let Some(new) = code {
                    (account.code_hash, account.code) = (**new).clone();
                }
            }
            AccountChange::Destroy { generation } => account.destroy(*generation),
            AccountChange::Reward { amount, state_clear, generation } => {
                // revm leaves a balance alone that the reward would overflow.
                account.balance = account.balance.checked_add(*amount).unwrap_or(account.balance);
                if *state_clear && account.is_empty() {
                    if account.exists {
                        account.destroy(*generation);
                    }
                } else {
                    account.exists = true;
                }
            }
        }
    }

    fn holds(account: &Account, seen: &AccountSeen) -> bool {
        let depends = |field| seen.fields & field != 0;
        seen.bounds.contains(account.balance)
            && (!depends(field::NONCE) || account.nonce == seen.nonce)
            && (!depends(field::CODE) || account.code_hash == seen.code_hash)
            && (!depends(field::EXISTS) || account.exists == seen.exists)
            && (!depends(field::EMPTY) || account.is_empty() == seen.is_empty())
            && (!depends(field::GENERATION) || account.generation == seen.generation)
    }

    fn may_hold(account: &Account, seen: &AccountSeen) -> bool {
        let pending = seen.fields & field::PREDICTED != 0 && account.nonce < seen.nonce;
        // An account whose transactions are not through may even not exist yet.
        pending || Self::holds(account, seen)
    }

    fn worth_waiting(change: &AccountChange) -> bool {
        // A nonce or balance is predicted rather than waited for: the transactions of one sender
        // run side by side.
        !matches!(change, AccountChange::Update { code: None, .. } | AccountChange::Reward { .. })
    }

    fn worth_telling(change: &AccountChange) -> bool {
        // Few readers use a balance itself, and nonces of senders are predicted; the commit cursor finds those
        // to whom it matters.
        let used = matches!(change, AccountChange::Update { nonce: Some(Nonce::Used(_)), .. });
        used || Self::worth_waiting(change)
    }

    fn hardly_changes(account: &Account) -> bool {
        // Of a contract there is nothing worth telling but its end, or a delegation to another, to any but those who
        // use its nonce.
        account.code.is_some()
    }
}

/// Storage slots.
#[derive(Debug)]
pub(crate) enum SlotCell {}

/// Names a slot: the account's entry, the generation of its storage, and the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotKey {
    pub(crate) account: u32,
    pub(crate) generation: u32,
    pub(crate) slot: U256,
}

impl Cell for SlotCell {
    type Key = SlotKey;
    type Value = U256;
    type Change = U256;
    type Seen = U256;

    #[inline]
    fn hash(key: &SlotKey, seed: &RandomState) -> u64 {
        let mut hasher = seed.build_hasher();
        for limb in key.slot.as_limbs() {
            hasher.write_u64(*limb);
        }
        hasher.write_u64(u64::from(key.account) << 32 | u64::from(key.generation));
        hasher.finish()
    }

    fn apply(value: &mut U256, change: &U256) {
        *value = *change;
    }

    fn holds(value: &U256, seen: &U256) -> bool {
        value == seen
    }
}
