//! A complete state as a plain map.

use std::{collections::BTreeMap, fmt};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use chorus::evm::{
    AccountInfo, Bytecode, StateDiff, StateStore, StoreError,
    roots::{FullAccount, state_root},
};

/// An account of a [`World`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorldAccount {
    pub(crate) info: AccountInfo,
    /// Non-zero slots.
    pub(crate) storage: BTreeMap<U256, U256>,
}

impl WorldAccount {
    pub(crate) fn new(balance: U256, nonce: u64, code: Bytes) -> Self {
        let code = match code.strip_prefix(&[0xef, 0x01, 0x00]) {
            Some(target) if target.len() == 20 => {
                Bytecode::new_eip7702(Address::from_slice(target))
            }
            _ => Bytecode::new_legacy(code),
        };
        let info = AccountInfo::new(balance, nonce, code.hash_slow(), code);
        Self { info, storage: BTreeMap::new() }
    }

    fn set(&mut self, slot: U256, value: U256) {
        if value.is_zero() {
            self.storage.remove(&slot);
        } else {
            self.storage.insert(slot, value);
        }
    }
}

/// Every account of a state, in memory. Block hashes are those that state tests assume: the hash
/// of the number's decimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) accounts: BTreeMap<Address, WorldAccount>,
}

impl World {
    /// Root of the state trie.
    pub(crate) fn root(&self) -> B256 {
        state_root(self.accounts.iter().map(|(address, account)| {
            let storage = account.storage.iter().map(|(slot, value)| (*slot, *value));
            let info = &account.info;
            let full = FullAccount {
                balance: info.balance,
                nonce: info.nonce,
                code_hash: info.code_hash,
                storage,
            };
            (*address, full)
        }))
    }

    /// Applies a block's diff, checking that each entry of it means what it should: nothing in it
    /// is unchanged, and its flags agree with what is here.
    pub(crate) fn apply(&mut self, diff: &StateDiff) -> Result<(), String> {
        let mut last = None;
        for (address, change) in &diff.accounts {
            let wrong = |what: &str| Err(format!("diff of {address}: {what}: {change:?}"));
            if last.replace(*address).is_some_and(|last| last >= *address) {
                return wrong("out of order");
            }
            let existed = self.accounts.contains_key(address);
            if change.created == existed {
                return wrong("`created` disagrees with the state before");
            }
            if (change.deleted && !change.wiped) || (change.wiped && !existed) {
                return wrong("`wiped` disagrees with the state before");
            }
            if change.wiped {
                self.accounts.remove(address);
            }
            if change.deleted {
                if change.balance.is_some()
                    || change.nonce.is_some()
                    || change.code.is_some()
                    || !change.storage.is_empty()
                {
                    return wrong("something is left of a deleted account");
                }
                continue;
            }
            let account = self.accounts.entry(*address).or_default();
            let before = account.clone();
            if let Some(balance) = change.balance {
                account.info.balance = balance;
            }
            if let Some(nonce) = change.nonce {
                account.info.nonce = nonce;
            }
            if let Some((hash, code)) = &change.code {
                if code.hash_slow() != *hash {
                    return wrong("code and its hash disagree");
                }
                account.info.code_hash = *hash;
                account.info.code = Some(code.clone());
            }
            for (slot, value) in &change.storage {
                account.set(*slot, *value);
            }
            let same = change.balance == Some(before.info.balance)
                || change.nonce == Some(before.info.nonce)
                || change.code.as_ref().is_some_and(|(hash, _)| *hash == before.info.code_hash)
                || change.storage.iter().any(|(slot, value)| {
                    before.storage.get(slot).copied().unwrap_or_default() == *value
                })
                || (*account == before && !change.created && !change.wiped);
            if same {
                return wrong("something is unchanged");
            }
            if change.storage.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
                return wrong("slots out of order");
            }
        }
        Ok(())
    }

    /// Where this state differs from the expected one, for a message.
    pub(crate) fn differences(&self, expected: &Self) -> Differences {
        let mut lines = Vec::new();
        for (address, want) in &expected.accounts {
            match self.accounts.get(address) {
                None => lines.push(format!("{address} is missing")),
                Some(have) if have != want => lines.push(format!(
                    "{address} has balance {} nonce {} code {} storage {:?}, not {} {} {} {:?}",
                    have.info.balance,
                    have.info.nonce,
                    have.info.code_hash,
                    have.storage,
                    want.info.balance,
                    want.info.nonce,
                    want.info.code_hash,
                    want.storage
                )),
                Some(_) => {}
            }
        }
        let surplus =
            self.accounts.keys().filter(|address| !expected.accounts.contains_key(*address));
        lines.extend(surplus.map(|address| format!("{address} should not be there")));
        Differences(lines)
    }
}

/// Differences between two states, one line each.
pub(crate) struct Differences(pub(crate) Vec<String>);

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl StateStore for World {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        Some(Ok(self.accounts.get(&address).map(|account| account.info.clone())))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        let account = self.accounts.get(&address);
        let value = account.and_then(|account| account.storage.get(&slot));
        Some(Ok(value.copied().unwrap_or_default()))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        Some(Ok(self.accounts.get(&address).is_some_and(|account| !account.storage.is_empty())))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        Some(Ok(keccak256(number.to_string())))
    }
}

#[test]
fn the_root_of_an_empty_world_is_that_of_an_empty_trie() {
    let empty = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
    assert_eq!(World::default().root(), empty.parse::<B256>().unwrap());
    assert_eq!(WorldAccount::default().info.code_hash, KECCAK256_EMPTY);
}
