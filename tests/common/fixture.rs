//! A small block directory of our own: one signed transaction of each type, on mainnet after the
//! last blob-parameter fork. Tests damage it field by field.

#![allow(dead_code)]

use std::{fs, path::Path};

use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
    crypto::secp256k1::{recover_signer, sign_message},
    transaction::RlpEcdsaEncodableTx,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, address};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Block number of the fixture.
pub(crate) const NUMBER: u64 = 24_200_000;
/// Who receives.
pub(crate) const RECIPIENT: Address = address!("0x00000000000000000000000000000000000caFe0");
/// Gas used by the five transactions, one after another: a transfer costs 21,000, an access list
/// of one address and one slot 4,300 more, an authorization 25,000 more, of which the authority's
/// existence gives back a fifth of the whole 46,000.
pub(crate) const GAS_USED: u64 = 21_000 + 25_300 + 21_000 + 21_000 + 36_800;

const SECRET: B256 = B256::repeat_byte(0x42);
const FEE: u128 = 1_000_000_000;

/// A block directory as JSON, to be changed and then written.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) block: Value,
    pub(crate) prestate: Value,
}

/// Who signs with the fixture's key.
pub(crate) fn sender() -> Address {
    let message = B256::repeat_byte(1);
    recover_signer(&sign_message(SECRET, message).unwrap(), message).unwrap()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let block = json!({
            "number": quantity(NUMBER),
            "hash": B256::repeat_byte(0x11),
            "parentHash": B256::repeat_byte(0x22),
            "parentBeaconBlockRoot": B256::repeat_byte(0x33),
            "timestamp": quantity(1_767_747_671_u64),
            "miner": address!("0x00000000000000000000000000000000000f00d0"),
            "difficulty": "0x0",
            "mixHash": B256::repeat_byte(0x44),
            "gasLimit": quantity(60_000_000_u64),
            "gasUsed": quantity(GAS_USED),
            "baseFeePerGas": "0x7",
            "excessBlobGas": "0x0",
            "withdrawals": [{"index": "0x0", "validatorIndex": "0x0", "address": RECIPIENT,
                             "amount": "0x5"}],
            "uncles": [],
            "transactions": [legacy(0), access_list(1), dynamic_fee(2), blob(3), set_code(4)],
        });
        let prestate = json!({ format!("{:#x}", sender()): {
            "balance": "0xde0b6b3a7640000", "nonce": 0 } });
        Self { block, prestate }
    }

    /// Writes both files into a new directory.
    pub(crate) fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        self.write_to(directory.path());
        directory
    }

    /// Writes both files.
    pub(crate) fn write_to(&self, directory: &Path) {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("block.json"), self.block.to_string()).unwrap();
        fs::write(directory.join("prestate.json"), self.prestate.to_string()).unwrap();
    }

    /// Replaces, or with `Value::Null` blanks, the field at a JSON pointer of the block.
    pub(crate) fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match self.block.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
            object => object[key] = value,
        }
        self
    }

    /// Takes the signatures and hashes off all transactions, so that fields can be changed freely.
    pub(crate) fn unsigned(mut self) -> Self {
        for tx in self.block["transactions"].as_array_mut().unwrap() {
            let tx = tx.as_object_mut().unwrap();
            tx.retain(|key, _| !["r", "s", "v", "yParity", "hash"].contains(&key.as_str()));
        }
        self
    }
}

fn quantity(value: impl Into<u128>) -> String {
    format!("{:#x}", value.into())
}

fn legacy(nonce: u64) -> Value {
    let tx = TxLegacy {
        chain_id: Some(1),
        nonce,
        gas_price: FEE,
        gas_limit: 21_000,
        to: RECIPIENT.into(),
        value: U256::from(1),
        input: Bytes::new(),
    };
    signed(
        tx,
        json!({"type": "0x0", "nonce": quantity(nonce), "gas": quantity(21_000_u64),
        "gasPrice": quantity(FEE), "to": RECIPIENT, "value": "0x1", "input": "0x",
        "chainId": "0x1"}),
        |odd| json!({"v": if odd { "0x26" } else { "0x25" }}),
    )
}

fn list() -> (AccessList, Value) {
    let item = AccessListItem { address: RECIPIENT, storage_keys: vec![B256::repeat_byte(5)] };
    let json = json!([{"address": RECIPIENT, "storageKeys": [B256::repeat_byte(5)]}]);
    (AccessList(vec![item]), json)
}

fn parity(odd: bool) -> Value {
    let parity = quantity(u8::from(odd));
    json!({"v": parity, "yParity": parity})
}

fn access_list(nonce: u64) -> Value {
    let (access_list, list) = list();
    let tx = TxEip2930 {
        chain_id: 1,
        nonce,
        gas_price: FEE,
        gas_limit: 30_000,
        to: RECIPIENT.into(),
        value: U256::from(2),
        access_list,
        input: Bytes::new(),
    };
    signed(
        tx,
        json!({"type": "0x1", "nonce": quantity(nonce), "gas": quantity(30_000_u64),
        "gasPrice": quantity(FEE), "to": RECIPIENT, "value": "0x2", "input": "0x",
        "chainId": "0x1", "accessList": list}),
        parity,
    )
}

/// The fields that types 2 to 4 share.
fn dynamic(kind: u8, nonce: u64, gas: u64) -> Value {
    json!({"type": quantity(kind), "nonce": quantity(nonce), "gas": quantity(gas),
        "maxFeePerGas": quantity(FEE), "maxPriorityFeePerGas": "0x1", "to": RECIPIENT,
        "value": "0x3", "input": "0x", "chainId": "0x1", "accessList": []})
}

fn dynamic_fee(nonce: u64) -> Value {
    let tx = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: FEE,
        max_priority_fee_per_gas: 1,
        to: RECIPIENT.into(),
        value: U256::from(3),
        ..Default::default()
    };
    signed(tx, dynamic(2, nonce, 21_000), parity)
}

fn blob(nonce: u64) -> Value {
    let mut hash = B256::repeat_byte(6);
    hash[0] = 1;
    let tx = TxEip4844 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: FEE,
        max_priority_fee_per_gas: 1,
        to: RECIPIENT,
        value: U256::from(3),
        blob_versioned_hashes: vec![hash],
        max_fee_per_blob_gas: FEE,
        ..Default::default()
    };
    let mut json = dynamic(3, nonce, 21_000);
    json["blobVersionedHashes"] = json!([hash]);
    json["maxFeePerBlobGas"] = json!(quantity(FEE));
    signed(tx, json, parity)
}

fn set_code(nonce: u64) -> Value {
    let authorization =
        Authorization { chain_id: U256::from(1), address: RECIPIENT, nonce: nonce + 1 };
    let signature = sign_message(SECRET, authorization.signature_hash()).unwrap();
    let signed_authorization = authorization.into_signed(signature);
    let tx = TxEip7702 {
        chain_id: 1,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: FEE,
        max_priority_fee_per_gas: 1,
        to: RECIPIENT,
        value: U256::from(3),
        authorization_list: vec![signed_authorization],
        ..Default::default()
    };
    let mut json = dynamic(4, nonce, 100_000);
    json["authorizationList"] = json!([{"chainId": "0x1", "address": RECIPIENT,
        "nonce": quantity(nonce + 1), "yParity": quantity(u8::from(signature.v())),
        "r": signature.r(), "s": signature.s()}]);
    signed(tx, json, parity)
}

fn signed<T>(tx: T, mut json: Value, parity: impl Fn(bool) -> Value) -> Value
where
    T: SignableTransaction<Signature> + RlpEcdsaEncodableTx,
{
    let signature = sign_message(SECRET, tx.signature_hash()).unwrap();
    json["from"] = json!(sender());
    json["hash"] = json!(tx.tx_hash(&signature));
    json["r"] = json!(signature.r());
    json["s"] = json!(signature.s());
    for (key, value) in parity(signature.v()).as_object().unwrap() {
        json[key] = value.clone();
    }
    json
}
