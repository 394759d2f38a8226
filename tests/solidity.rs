//! Shared memory as Solidity sees it: errors caught, decoded and let through, and the bytecode that the
//! compiler makes of the example.
// Tests may use std.
#![cfg(feature = "evm")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use chorus::{
    engine::SharedMemory,
    evm::{
        Block, BlockEnv, Engine, Executed, InvalidPolicy, Path as Way, Sequential, SpecId,
        StateStore, TransactionOutcome, TxEnv,
    },
    region::{
        Name, Permissions, RegionError, RegionOptions,
        config::SharedMemoryConfig,
        error::{LookupError, MapError},
    },
    store::MemoryStore,
};

const CONTRACT: Address = Address::repeat_byte(0xcc);
const STRANGER: Address = Address::repeat_byte(0xdd);
const CODE: &str = include_str!("contracts/SharedErrors.hex");

/// Calls a function of `SharedErrors`, in parallel and one by one, where a stranger has a region.
fn call(function: &str, words: &[U256]) -> Executed {
    let memory = SharedMemory::new(SharedMemoryConfig::production()).unwrap();
    let (stranger, name) = (STRANGER.into(), Name::new("book").unwrap());
    let (all, options) = (Permissions::ALL, RegionOptions::NONE);
    memory.create(stranger, name, 4096, all, options).unwrap();
    memory.create(CONTRACT.into(), Name::new("own").unwrap(), 32, all, options).unwrap();

    let mut data = keccak256(function)[..4].to_vec();
    data.extend(words.iter().flat_map(|word| word.to_be_bytes::<32>()));
    let (kind, data, gas_limit) = (TxKind::Call(CONTRACT), data.into(), 1_000_000);
    let transaction = TxEnv { kind, data, gas_limit, chain_id: Some(1), ..TxEnv::default() };
    let env = BlockEnv { number: U256::ONE, gas_limit, ..BlockEnv::default() };
    let block = Arc::new(Block::new(SpecId::SHANGHAI, 1, env, [transaction]));
    let code = Bytes::from(hex::decode(CODE.trim()).unwrap());
    let store = MemoryStore::builder().code(CONTRACT, code).build();
    let store: Arc<dyn StateStore> = Arc::new(store);

    let engine = Engine::builder().threads(2).path(Way::Parallel).shared_memory(memory.clone());
    let mut outcome = engine.build().unwrap().execute(&block, &store).unwrap();
    let mut sequential = Sequential::with_shared_memory(memory);
    let expected = sequential.execute(&block, &*store, InvalidPolicy::Fail).unwrap();
    assert_eq!(outcome.transactions, expected.transactions);
    match outcome.transactions.remove(0) {
        TransactionOutcome::Executed(executed) => executed,
        TransactionOutcome::Skipped(reason) => panic!("{reason}"),
    }
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}

#[test]
fn solidity_catches_and_decodes_errors_of_shared_memory() {
    let executed = call("catchAll(address)", &[word(STRANGER)]);
    assert!(executed.result.is_success(), "{:?}", executed.result);
    assert_eq!(executed.result.output().unwrap()[..], U256::from(6).to_be_bytes::<32>());
    assert_eq!(executed.diagnostics.len(), 6, "caught, and noted all the same");
}

#[test]
fn an_error_that_is_let_through_is_what_the_transaction_reverts_with() {
    let executed = call("letThrough()", &[]);
    assert!(!executed.result.is_success() && !executed.result.is_halt());
    let nothing = keccak256("nothing");
    let expected = [&keccak256("InvalidHandle(bytes32)")[..4], &nothing[..]].concat();
    assert_eq!(executed.result.output().unwrap()[..], expected);
    let handle = nothing.into();
    let error = RegionError::Map(MapError::Lookup(LookupError::InvalidHandle { handle }));
    assert_eq!(executed.diagnostics[0].error, error);
}

#[test]
fn a_view_function_maps_read_only_and_reads() {
    let mut name = B256::ZERO;
    name[..3].copy_from_slice(b"own");
    let executed = call("look(address,bytes32)", &[word(CONTRACT), name.into()]);
    assert!(executed.result.is_success(), "{:?}", executed.result);
    // Offset, length, and 32 zeros.
    assert_eq!(executed.result.output().unwrap().len(), 96);
}

#[test]
fn a_call_of_no_function_is_malformed() {
    let executed = call("misspell()", &[]);
    assert!(executed.result.is_success(), "{:?}", executed.result);
    let output = executed.result.output().unwrap();
    assert_eq!(output[64..68], keccak256("MalformedCall()")[..4]);
}

/// A compiler of the version that made the bytecode.
fn solc() -> Option<String> {
    let named = std::env::var("CHORUS_SOLC").ok();
    let names = named.into_iter().chain(["solc".to_owned(), "solcjs".to_owned()]);
    names.into_iter().find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("0.8.30"))
    })
}

#[test]
fn the_bytecode_of_the_example_is_what_the_source_says() {
    let Some(solc) = solc() else {
        return eprintln!("NOT TESTED: neither solc nor solcjs 0.8.30 is here");
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("examples/solidity");
    let output = Command::new(&solc)
        .args(["--standard-json", "--base-path", "."])
        .current_dir(root)
        .stdin(Stdio::from(File::open(folder.join("settings.json")).unwrap()))
        .output()
        .unwrap();
    // solcjs has something to say in front of it.
    let text = String::from_utf8(output.stdout).unwrap();
    let json = &text[text.find('{').expect("JSON")..];
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["errors"], serde_json::Value::Null, "no error and no warning");
    for name in ["Maker", "Taker"] {
        let contract = &json["contracts"]["examples/solidity/OrderBook.sol"][name];
        let compiled = contract["evm"]["deployedBytecode"]["object"].as_str().unwrap();
        let kept = std::fs::read_to_string(folder.join(format!("{name}.hex"))).unwrap();
        assert_eq!(compiled, kept.trim(), "{name}");
    }
}
