//! The loader: every shared block loads, and every kind of damage is one line that names file,
//! field and value.

#![cfg(feature = "evm")]

#[path = "common/data.rs"]
mod data;
#[path = "common/fixture.rs"]
mod fixture;

use std::{fs, path::Path};

use alloy_primitives::{B256, U256};
use chorus::evm::{Block, ChainSpec, Ommer, SpecId, StateStore, input};
use fixture::Fixture;
use serde_json::{Value, json};

fn load(directory: &Path) -> Result<Block, String> {
    let loaded = input::load_block(directory, &ChainSpec::mainnet());
    loaded.map(|(block, _)| block).map_err(|error| error.to_string())
}

/// The error of a damaged fixture: one line that begins with the file.
#[track_caller]
fn error_of(fixture: &Fixture, file: &str) -> String {
    let directory = fixture.write();
    let error = load(directory.path()).expect_err("damage went unnoticed");
    let path = directory.path().join(file).display().to_string();
    assert!(error.starts_with(&path), "{error}");
    assert!(!error.contains('\n') && error.len() < 500, "{error}");
    error[path.len()..].to_owned()
}

#[test]
fn every_shared_block_loads() {
    let Some(blocks) = data::blocks_dir() else { return };
    let chain = ChainSpec::mainnet();
    let directories = input::discover(&blocks).unwrap();
    let mut numbers = Vec::new();
    for directory in &directories {
        let (block, store) = input::load_block(directory, &chain).unwrap();
        let number: u64 = block.env.number.try_into().unwrap();
        assert_eq!(directory.file_name().unwrap().to_str().unwrap(), number.to_string());
        assert_eq!(store.is_empty(), block.transactions.is_empty(), "block {number}");
        let byzantium = block.spec.is_enabled_in(SpecId::BYZANTIUM);
        // The one file that is not a node's whole answer.
        let complete = number != 22_546_209;
        assert_eq!(block.claims.gas_used.is_some(), complete, "block {number}");
        assert_eq!(block.claims.logs_bloom.is_some(), complete, "block {number}");
        assert_eq!(block.claims.receipts_root.is_some(), complete && byzantium, "block {number}");
        assert!(block.transactions.iter().all(|tx| tx.hash.is_zero() != complete));
        numbers.push(number);
    }
    assert!(numbers.is_sorted(), "{numbers:?}");
    println!("{} blocks loaded", numbers.len());
    assert!(!numbers.is_empty());
}

#[test]
fn transactions_of_every_type_keep_their_fields_sender_and_hash() {
    let fixture = Fixture::new();
    let directory = fixture.write();
    let (block, store) = input::load_block(directory.path(), &ChainSpec::mainnet()).unwrap();
    assert_eq!(block.spec, SpecId::OSAKA);
    assert_eq!(block.transactions.len(), 5);
    for (index, tx) in block.transactions.iter().enumerate() {
        assert_eq!(usize::from(tx.env.tx_type), index);
        assert_eq!(tx.env.caller, fixture::sender());
        assert_eq!(tx.env.nonce, index as u64);
        assert_eq!(tx.env.chain_id, Some(1));
        assert_eq!(json!(tx.hash), fixture.block["transactions"][index]["hash"]);
        assert_eq!(tx.env.gas_priority_fee, (index >= 2).then_some(1));
    }
    assert_eq!(block.transactions[1].env.access_list[0].storage_keys.len(), 1);
    assert_eq!(block.transactions[3].env.blob_hashes.len(), 1);
    let authorization = block.transactions[4].env.authorization_list[0].as_ref().right().unwrap();
    assert_eq!(authorization.authority(), Some(fixture::sender()));
    assert_eq!(block.withdrawals[0].amount_gwei, 5);
    assert_eq!(block.system.beacon_root, Some(B256::repeat_byte(0x33)));
    assert_eq!(block.system.parent_hash, Some(B256::repeat_byte(0x22)));
    assert_eq!(block.block_hashes[&(fixture::NUMBER - 1)], B256::repeat_byte(0x22));
    assert!(store.account(fixture::sender()).unwrap().is_some());
}

#[test]
fn blob_fees_follow_the_schedule_of_the_time() {
    let price = |time: u64| {
        let block = Fixture::new()
            .set("/excessBlobGas", json!("0x5000000"))
            .set("/timestamp", json!(format!("{time:#x}")));
        load(block.write().path()).unwrap().env.blob_excess_gas_and_price.unwrap().blob_gasprice
    };
    // e ^ (83,886,080 / fraction), as EIP-4844's series truncates it.
    assert_eq!(price(1_764_798_551), 18_837_597);
    assert_eq!(price(1_765_290_071), 23_174);
    assert_eq!(price(1_767_747_671), 1_311);
}

#[test]
fn an_rpc_answer_loads_as_it_came_and_unsigned_transactions_are_taken_at_their_word() {
    let plain = Fixture::new();
    let wrapped = json!({"jsonrpc": "2.0", "id": 1, "result": plain.block}).to_string();
    let block = Block::from_rpc_json("answer", &wrapped, &ChainSpec::mainnet()).unwrap();
    assert_eq!(block.transactions.len(), 5);

    let unsigned = plain.unsigned().set("/transactions/0/value", json!("0x7"));
    let block = load(unsigned.write().path()).unwrap();
    assert_eq!(block.transactions[0].env.value, U256::from(7));
    assert_eq!(block.transactions[0].env.caller, fixture::sender());
    assert!(block.transactions[0].hash.is_zero());
}

#[test]
fn a_damaged_block_field_is_named_with_its_value() {
    let long = format!("0x{}", "f".repeat(600));
    let cases: [(&str, Value, &str); 33] = [
        ("/number", json!("24200000"), "number is \"24200000\": expected a hex quantity"),
        ("/number", Value::Null, "number is missing"),
        ("/timestamp", json!("0x"), "timestamp is \"0x\": "),
        ("/timestamp", json!(-5), "timestamp is -5: "),
        ("/gasLimit", json!("0x10000000000000000"), "gasLimit is \"0x10000000000000000\": more"),
        ("/miner", json!("0x12"), "miner is \"0x12\": expected 0x and 40 hex digits"),
        ("/mixHash", Value::Null, "mixHash is missing"),
        ("/difficulty", json!("0x1"), "difficulty is \"0x1\": expected 0: block 24200000"),
        ("/baseFeePerGas", Value::Null, "baseFeePerGas is missing"),
        ("/excessBlobGas", json!("0xffffffffffffffff"), "the blob fee would exceed 128 bits"),
        ("/gasUsed", json!({"a": 1}), "gasUsed is an object of 1: "),
        ("/logsBloom", json!(long), "... (602 characters)"),
        ("/parentHash", json!("0xzz"), "parentHash is \"0xzz\": "),
        ("/withdrawals/0/amount", json!("five"), "withdrawals[0].amount is \"five\": "),
        ("/transactions", json!("all"), "transactions is \"all\": expected an array"),
        ("/transactions", Value::Null, "transactions is missing"),
        ("/transactions/1", json!(B256::ZERO), "transactions[1] is \"0x0000"),
        ("/transactions/3/type", json!("0x7f"), "transactions[3].type is \"0x7f\": unknown"),
        ("/transactions/2/type", Value::Null, "transactions[2].type is missing, though accessList"),
        ("/transactions/0/value", json!("1 ether"), "transactions[0].value is \"1 ether\": "),
        ("/transactions/0/value", json!("0x2"), "transactions[0].hash is \"0x"),
        ("/transactions/0/nonce", json!(1.5), "transactions[0].nonce is 1.5: "),
        ("/transactions/0/to", json!(["0x"]), "transactions[0].to is an array of 1: "),
        ("/transactions/3/to", Value::Null, "transactions[3].to is missing: type 3"),
        ("/transactions/0/input", json!("0x123"), "transactions[0].input is \"0x123\": "),
        ("/transactions/0/data", json!("0x12"), "transactions[0].data is \"0x12\": differs"),
        ("/transactions/0/gasPrice", json!(long), "transactions[0].gasPrice is \"0xfff"),
        ("/transactions/2/maxFeePerGas", Value::Null, "transactions[2].maxFeePerGas is missing"),
        ("/transactions/2/chainId", Value::Null, "transactions[2].chainId is missing"),
        ("/transactions/0/v", json!("0x1d"), "transactions[0].v is \"0x1d\": "),
        ("/transactions/2/s", Value::Null, "transactions[2].s is missing"),
        (
            "/transactions/1/accessList/0/storageKeys/0",
            json!("0x5"),
            "transactions[1].accessList[0].storageKeys[0] is \"0x5\": ",
        ),
        (
            "/transactions/4/authorizationList/0/nonce",
            json!(true),
            "transactions[4].authorizationList[0].nonce is true: ",
        ),
    ];
    for (pointer, value, expected) in cases {
        let error = error_of(&Fixture::new().set(pointer, value), "block.json");
        assert!(error.contains(expected), "{error}\n{expected}");
    }
}

#[test]
fn a_sender_that_did_not_sign_is_named() {
    let recipient = json!(fixture::RECIPIENT);
    let error = error_of(&Fixture::new().set("/transactions/2/from", recipient), "block.json");
    assert!(error.contains("transactions[2].from is \"0x"), "{error}");
    assert!(error.contains(&format!("signer is {:#x}", fixture::sender())), "{error}");

    // Without a hash to hold it against, a changed field shows as another signer.
    let changed = Fixture::new()
        .set("/transactions/2/hash", Value::Null)
        .set("/transactions/2/value", json!("0x99"));
    let error = error_of(&changed, "block.json");
    assert!(error.contains("transactions[2].from is"), "{error}");

    // The upper half of `s` signs nothing since Homestead.
    let high = json!(format!("{:#x}", U256::MAX - U256::from(1)));
    let high =
        Fixture::new().set("/transactions/2/hash", Value::Null).set("/transactions/2/s", high);
    let error = error_of(&high, "block.json");
    assert!(error.contains("transactions[2].s is") && error.contains("no signer"), "{error}");
}

#[test]
fn a_transaction_out_of_place_is_named() {
    let error = error_of(
        &Fixture::new().set("/transactions/1/transactionIndex", json!("0x0")),
        "block.json",
    );
    assert!(error.contains("transactions[1].transactionIndex is \"0x0\": "), "{error}");
}

#[test]
fn a_damaged_prestate_is_named_with_its_value() {
    let sender = format!("{:#x}", fixture::sender());
    let mut fixture = Fixture::new();
    fixture.prestate[&sender]["balance"] = json!("12 wei");
    let error = error_of(&fixture, "prestate.json");
    assert_eq!(error, format!(": {sender}.balance is \"12 wei\": expected a hex quantity (0x...)"));
}

#[test]
fn missing_and_damaged_files_are_named() {
    let directory = Fixture::new().write();
    let error = load(&directory.path().join("nowhere")).unwrap_err();
    assert!(error.contains("nowhere/block.json: No such file"), "{error}");

    for file in ["block.json", "prestate.json"] {
        let directory = Fixture::new().write();
        let path = directory.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        let error = load(directory.path()).unwrap_err();
        assert!(error.contains(file) && error.contains("EOF while parsing"), "{error}");

        fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        let error = load(directory.path()).unwrap_err();
        assert!(error.contains(file) && error.contains("UTF-8"), "{error}");

        fs::write(&path, text.replacen('{', "{\"twice\": 1, \"twice\": 2, ", 1)).unwrap();
        let error = load(directory.path()).unwrap_err();
        assert!(error.contains("duplicate key \"twice\""), "{error}");

        fs::remove_file(&path).unwrap();
        let error = load(directory.path()).unwrap_err();
        assert!(error.contains(file) && error.contains("No such file"), "{error}");
        // Half a block directory is damaged, not absent.
        assert_eq!(input::discover(directory.path()).unwrap().len(), 1);
    }
}

#[test]
fn block_hashes_are_added_and_may_not_contradict_the_header() {
    let directory = Fixture::new().write();
    let hashes = |value: Value| {
        fs::write(directory.path().join("block_hashes.json"), value.to_string()).unwrap();
        load(directory.path())
    };
    let block = hashes(json!({"24199000": B256::repeat_byte(9)})).unwrap();
    assert_eq!(block.block_hashes[&24_199_000], B256::repeat_byte(9));

    let error = hashes(json!({"24199999": B256::repeat_byte(9)})).unwrap_err();
    assert!(
        error.contains("24199999 is \"0x0909") && error.contains("has another hash"),
        "{error}"
    );
    let error = hashes(json!({"0x7": B256::repeat_byte(9)})).unwrap_err();
    assert!(error.contains("its key is not a block number"), "{error}");
    let error = hashes(json!({"7": "0x1"})).unwrap_err();
    assert!(error.contains("block_hashes.json: 7 is \"0x1\": "), "{error}");
}

#[test]
fn ommers_come_from_their_own_file() {
    let mut fixture = Fixture::new()
        .set("/number", json!("0xf4240"))
        .set("/difficulty", json!("0x1"))
        .set("/baseFeePerGas", Value::Null)
        .set("/withdrawals", Value::Null)
        .set("/transactions", json!([]));
    fixture.block["uncles"] = json!([B256::repeat_byte(1)]);
    let directory = fixture.write();
    assert_eq!(load(directory.path()).unwrap().ommers, []);

    let ommers = |value: Value| {
        fs::write(directory.path().join("ommers.json"), value.to_string()).unwrap();
        load(directory.path())
    };
    let answer = json!({"number": "0xf423e", "miner": fixture::RECIPIENT, "hash": B256::ZERO});
    let block = ommers(json!([answer])).unwrap();
    assert_eq!(block.ommers, [Ommer { number: 999_998, beneficiary: fixture::RECIPIENT }]);

    let error = ommers(json!([{"number": "0xf4240", "miner": fixture::RECIPIENT}])).unwrap_err();
    assert!(error.contains("ommers.json: [0].number is \"0xf4240\": "), "{error}");
    let error = ommers(json!([answer, answer])).unwrap_err();
    assert!(error.contains("[1].hash is") && error.contains("twice"), "{error}");
    let error = ommers(json!([])).unwrap_err();
    assert!(error.contains("the block names 1"), "{error}");
}

#[test]
fn directories_are_found_in_the_order_of_their_numbers() {
    let root = tempfile::tempdir().unwrap();
    for name in ["100", "20", "zebra", "3"] {
        Fixture::new().write_to(&root.path().join(name));
    }
    fs::create_dir(root.path().join("empty")).unwrap();
    fs::write(root.path().join("README.md"), "").unwrap();
    let found = input::discover(root.path()).unwrap();
    let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["3", "20", "100", "zebra"]);

    let error = |path: &Path| input::discover(path).unwrap_err().to_string();
    assert!(error(&root.path().join("empty")).contains("no block.json here"));
    assert!(error(&root.path().join("README.md")).contains("expected a block directory"));
    assert!(error(&root.path().join("absent")).contains("absent: No such file"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever one byte is changed to, loading answers, and in one line.
    #[test]
    fn no_damaged_byte_panics(position: proptest::sample::Index, byte: u8, prestate: bool) {
        let fixture = Fixture::new();
        let text = if prestate { fixture.prestate.to_string() } else { fixture.block.to_string() };
        let mut bytes = text.into_bytes();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        let text = String::from_utf8_lossy(&bytes);
        let error = if prestate {
            input::parse_prestate("p", &text, SpecId::OSAKA).err()
        } else {
            Block::from_rpc_json("b", &text, &ChainSpec::mainnet()).err()
        };
        if let Some(error) = error {
            proptest::prop_assert!(!error.to_string().contains('\n'));
        }
    }
}
