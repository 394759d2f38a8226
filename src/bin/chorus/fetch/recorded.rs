//! What a block read, as the files of its directory.

use alloy_primitives::B256;
use chorus::store::{Answer, Query, ReadResult};
use revm::state::AccountInfo;
use serde_json::{Map, Value, json};

/// The files that hold what was read.
pub(super) struct Recorded {
    pub(super) prestate: String,
    /// Only if hashes were read.
    pub(super) block_hashes: Option<String>,
}

impl Recorded {
    /// The files for records in the order of queries. Slots that are zero are as good as absent, and so
    /// is an account that does not exist.
    pub(super) fn new(records: Vec<(Query, ReadResult)>) -> Self {
        let (mut accounts, mut hashes) = (Map::new(), Map::new());
        // Accounts come first in the order of queries, so that slots find theirs.
        for (query, result) in records {
            match (query, result) {
                (Query::Account(address), Ok(Answer::Account(Some(info)))) => {
                    accounts.insert(format!("{address:#x}"), account(&info));
                }
                (Query::Slot(address, slot), Ok(Answer::Slot(value))) if !value.is_zero() => {
                    let entry = accounts.entry(format!("{address:#x}")).or_insert(json!({}));
                    entry["storage"][B256::from(slot).to_string()] = json!(B256::from(value));
                }
                (Query::BlockHash(number), Ok(Answer::BlockHash(hash))) => {
                    hashes.insert(number.to_string(), json!(hash));
                }
                _ => {}
            }
        }
        Self {
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
