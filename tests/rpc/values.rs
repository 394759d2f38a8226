use super::{
    rpc_server::{Fault, Instead},
    *,
};

/// Reading a slot meets a reply that is none: an error at once.
#[track_caller]
fn assert_no_reply(fault: Fault, expected: &str) {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(fault, usize::MAX);
    let error = store.storage(CONTRACT, U256::from(1)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert_eq!(small.server.seen().requests, 1);
}

#[test]
fn malformed_json_is_an_error_at_once() {
    for text in ["", "<html>", "{\"jsonrpc\":\"2.0\",", "nothing", "[]", "{}", "\u{0}"] {
        assert_no_reply(Fault::Text(text), "the reply is ");
    }
}

#[test]
fn malformed_json_in_answer_to_a_batch_is_an_error_of_every_read() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::Text("[{\"id\":"), 1);
    for pending in store.read_many(&crowd_queries(5)) {
        let error = pending.wait(&store).unwrap_err().to_string();
        assert!(error.contains("the reply is [{\\\"id\\\":: EOF"), "{error}");
    }
    assert_eq!(small.server.seen().requests, 1);
}

#[test]
fn the_reply_to_another_call_is_no_answer() {
    assert_no_reply(Fault::WrongIds, "its id is 100");
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::WrongIds, 1);
    for pending in store.read_many(&crowd_queries(5)) {
        let error = pending.wait(&store).unwrap_err().to_string();
        assert!(error.contains("which no call has"), "{error}");
    }
    assert_eq!(small.server.seen().requests, 1);
}

/// One method's result is wrong: an error that names method, parameters and value, at once.
#[track_caller]
fn assert_wrong(method: &'static str, result: serde_json::Value, proofs: bool, expected: &str) {
    let small = Small::new();
    let store = small.connect(RpcOptions { proofs, ..options() });
    small.server.instead(method, "", Instead::Result(result), usize::MAX);
    let error = match method {
        "eth_getStorageAt" => store.storage(CONTRACT, U256::from(1)).map(drop),
        _ => store.account(CONTRACT).map(drop),
    };
    let error = error.unwrap_err().to_string();
    let named = format!("{method}(\"{CONTRACT:#x}\",");
    assert!(error.contains(&named) && error.contains(expected), "{error}\n{expected}");
    assert!(error.len() < 600, "{error}");
    assert_eq!(small.server.seen().requests, 1);
}

#[test]
fn values_of_a_wrong_length_or_range_are_errors_at_once() {
    let storage = "expected 0x and 64 hex digits";
    assert_wrong(
        "eth_getStorageAt",
        json!("0x12"),
        true,
        &format!("the result is \"0x12\": {storage}"),
    );
    assert_wrong("eth_getStorageAt", json!(format!("0x{}", "1".repeat(66))), true, storage);
    assert_wrong("eth_getStorageAt", json!(format!("0x{}g", "1".repeat(63))), true, storage);
    assert_wrong("eth_getStorageAt", json!(null), true, "the result is null");
    assert_wrong("eth_getStorageAt", json!({"value": 1}), true, "the result is an object");
    assert_wrong("eth_getBalance", json!("0x"), false, "the result is \"0x\"");
    assert_wrong("eth_getBalance", json!("12"), false, "the result is \"12\"");
    assert_wrong("eth_getBalance", json!(format!("0x{}", "f".repeat(65))), false, "the result is");
    assert_wrong("eth_getTransactionCount", json!("0x10000000000000000"), false, "64 bits");
    assert_wrong("eth_getTransactionCount", json!([]), false, "the result is an array");
    assert_wrong("eth_getCode", json!("0x600"), false, "even number of hex digits");
    assert_wrong("eth_getCode", json!("6001"), false, "the result is \"6001\"");
    let long = format!("0x{}", "z".repeat(100_000));
    assert_wrong("eth_getCode", json!(long), false, "(100002 characters)");
}

#[test]
fn proofs_that_make_no_sense_are_errors_and_no_reason_to_do_without() {
    let proof = |key: &str, value: serde_json::Value| {
        let mut proof = json!({"address": CONTRACT, "balance": "0x1", "nonce": "0x1",
            "codeHash": alloy_primitives::B256::ZERO, "storageHash": alloy_primitives::B256::ZERO});
        proof[key] = value;
        proof
    };
    let wrong = |key, value, expected: &str| {
        assert_wrong("eth_getProof", proof(key, value), true, expected);
    };
    wrong("balance", json!("0xx"), "the result's balance is \"0xx\"");
    wrong("nonce", json!("0x10000000000000000"), "the result's nonce is");
    wrong("storageHash", json!("0x12"), "the result's storageHash is \"0x12\"");
    wrong("codeHash", json!(null), "the result's codeHash is missing");
    wrong("address", json!(PERSON), "was asked for");
    assert_wrong("eth_getProof", json!(null), true, "the result is null");
}

#[test]
fn code_that_does_not_have_the_proofs_hash_is_an_error() {
    assert_wrong("eth_getCode", json!("0x6002"), true, "its hash is not 0x");
}

#[test]
fn another_block_than_the_one_asked_for_is_an_error() {
    let small = Small::new();
    let node = node(&small.server, options());
    let header = json!({"number": "0x7", "hash": alloy_primitives::B256::ZERO});
    small.server.instead("eth_getBlockByNumber", "", Instead::Result(header), 1);
    let error = node.state_after_blocking(AT).unwrap_err().to_string();
    assert!(error.ends_with(&format!("number is \"0x7\": block {AT} was asked for")), "{error}");
    small.server.instead("eth_getBlockByNumber", "", Instead::Result(json!({})), 1);
    let error = node.state_after_blocking(AT).unwrap_err().to_string();
    assert!(error.contains("the result's number is missing"), "{error}");
    small.server.instead("eth_chainId", "", Instead::Result(json!("one")), 1);
    let error = RpcNode::connect_blocking(&small.server.url(), options(), None).unwrap_err();
    assert!(error.to_string().contains("eth_chainId(): the result is \"one\""), "{error}");
}
