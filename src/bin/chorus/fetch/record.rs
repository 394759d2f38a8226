//! A store that notes what is read of another.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use chorus::{
    evm::{StateStore, StoreError},
    store::{Answer, Query},
    sync::Mutex,
};
use revm::state::AccountInfo;
use serde_json::{Map, Value, json};

/// Notes every answer. It reads by blocking, as one-by-one execution does.
pub(super) struct Recorder<S> {
    store: S,
    answers: Mutex<BTreeMap<Query, Answer>>,
}

/// The files that hold what was read.
pub(super) struct Recorded {
    pub(super) prestate: String,
    /// Only if hashes were read.
    pub(super) block_hashes: Option<String>,
}

impl<S: StateStore> Recorder<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store, answers: Mutex::new(BTreeMap::new()) }
    }

    fn note<T: Clone>(
        &self,
        query: Query,
        result: Result<T, StoreError>,
        answer: impl FnOnce(T) -> Answer,
    ) -> Option<Result<T, StoreError>> {
        if let Ok(value) = &result {
            self.answers.lock().insert(query, answer(value.clone()));
        }
        Some(result)
    }

    /// What was read, in the format of block directories.
    pub(super) fn recorded(self) -> Recorded {
        let (mut accounts, mut hashes) = (Map::new(), Map::new());
        // Accounts come first in the order of queries, so that slots find theirs.
        for (query, answer) in self.answers.into_inner() {
            match (query, answer) {
                (Query::Account(address), Answer::Account(Some(info))) => {
                    accounts.insert(format!("{address:#x}"), account(&info));
                }
                (Query::Slot(address, slot), Answer::Slot(value)) if !value.is_zero() => {
                    let entry = accounts.entry(format!("{address:#x}")).or_insert(json!({}));
                    entry["storage"][B256::from(slot).to_string()] = json!(B256::from(value));
                }
                (Query::BlockHash(number), Answer::BlockHash(hash)) => {
                    hashes.insert(number.to_string(), json!(hash));
                }
                _ => {}
            }
        }
        Recorded {
            prestate: Value::Object(accounts).to_string(),
            block_hashes: (!hashes.is_empty()).then(|| Value::Object(hashes).to_string()),
        }
    }
}

fn account(info: &AccountInfo) -> Value {
    let mut entry = json!({"balance": info.balance, "nonce": info.nonce});
    if let Some(code) = info.code.as_ref().filter(|code| !code.is_empty()) {
        entry["code"] = json!(code.original_bytes());
    }
    entry
}

impl<S: StateStore> StateStore for Recorder<S> {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.note(Query::Account(address), self.store.account(address), Answer::Account)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.note(Query::Slot(address, slot), self.store.storage(address, slot), Answer::Slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        Some(self.store.has_storage(address))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.note(Query::BlockHash(number), self.store.block_hash(number), Answer::BlockHash)
    }
}
