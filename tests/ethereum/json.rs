//! The formats of the suites, as far as they are needed.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Deserializer, de::Error};

use crate::world::{World, WorldAccount};

/// A number in hex with any number of leading zeros, with or without `0x`, or empty for zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) U256);

impl Number {
    /// The number, or the largest that fits. No case tells numbers beyond that apart.
    pub(crate) fn u64(self) -> u64 {
        self.0.saturating_to()
    }

    /// The number, or the largest that fits.
    pub(crate) fn u128(self) -> u128 {
        self.0.saturating_to()
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_number(&text).ok_or_else(|| D::Error::custom(format!("not a number: {text}")))
    }
}

/// A number, `None` if it has more than 256 bits (`0x:bigint 0x…`) or is none at all.
pub(crate) fn parse_number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() {
        return Some(Number::default());
    }
    U256::from_str_radix(digits, 16).ok().map(Number)
}

/// A recipient; `""` means that a contract is created.
fn recipient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(D::Error::custom)
}

/// A complete state.
pub(crate) type State = BTreeMap<Address, Account>;

#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    balance: Number,
    nonce: Number,
    code: Bytes,
    storage: BTreeMap<Number, Number>,
}

/// Turns a state of a file into a world.
pub(crate) fn world(state: &State) -> World {
    let accounts = state.iter().map(|(address, account)| {
        let mut result =
            WorldAccount::new(account.balance.0, account.nonce.u64(), account.code.clone());
        let slots = account.storage.iter().filter(|(_, value)| !value.0.is_zero());
        result.storage = slots.map(|(slot, value)| (slot.0, value.0)).collect();
        (*address, result)
    });
    World { accounts: accounts.collect() }
}

#[derive(Debug, Deserialize)]
pub(crate) struct StateTest {
    pub(crate) env: Env,
    pub(crate) pre: State,
    pub(crate) transaction: TransactionParts,
    pub(crate) post: BTreeMap<String, Vec<Post>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Env {
    pub(crate) current_coinbase: Address,
    pub(crate) current_difficulty: Number,
    pub(crate) current_gas_limit: Number,
    pub(crate) current_number: Number,
    pub(crate) current_timestamp: Number,
    pub(crate) current_base_fee: Option<Number>,
    pub(crate) current_random: Option<Number>,
    pub(crate) current_excess_blob_gas: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionParts {
    pub(crate) data: Vec<Bytes>,
    pub(crate) gas_limit: Vec<Number>,
    /// Text, because one case has a value of more than 256 bits.
    pub(crate) value: Vec<String>,
    pub(crate) nonce: Number,
    pub(crate) sender: Address,
    #[serde(deserialize_with = "recipient")]
    pub(crate) to: Option<Address>,
    pub(crate) gas_price: Option<Number>,
    pub(crate) max_fee_per_gas: Option<Number>,
    pub(crate) max_priority_fee_per_gas: Option<Number>,
    pub(crate) access_lists: Option<Vec<Option<Vec<AccessListItem>>>>,
    #[serde(default)]
    pub(crate) blob_versioned_hashes: Vec<B256>,
    pub(crate) max_fee_per_blob_gas: Option<Number>,
    #[serde(default)]
    pub(crate) authorization_list: Vec<Authorization>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessListItem {
    pub(crate) address: Address,
    pub(crate) storage_keys: Vec<B256>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Authorization {
    pub(crate) chain_id: Number,
    pub(crate) address: Address,
    pub(crate) nonce: Number,
    pub(crate) y_parity: Number,
    pub(crate) r: Number,
    pub(crate) s: Number,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    pub(crate) hash: B256,
    pub(crate) logs: B256,
    pub(crate) indexes: Indexes,
    pub(crate) txbytes: Bytes,
    pub(crate) expect_exception: Option<String>,
    pub(crate) state: Option<State>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Indexes {
    pub(crate) data: usize,
    pub(crate) gas: usize,
    pub(crate) value: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockchainTest {
    pub(crate) network: String,
    pub(crate) pre: State,
    #[serde(rename = "genesisRLP")]
    pub(crate) genesis_rlp: Bytes,
    pub(crate) blocks: Vec<RawBlock>,
    pub(crate) post_state: Option<State>,
    pub(crate) post_state_hash: Option<B256>,
    pub(crate) lastblockhash: B256,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawBlock {
    pub(crate) rlp: Bytes,
}
