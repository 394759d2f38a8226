use std::time::Instant;

use chorus::store::rpc::{CallError, Fault as CallFault, RpcError};

use super::{rpc_server::Fault, *};

/// The account is read in spite of the fault, which comes so often.
#[track_caller]
fn assert_overcomes(fault: Fault, times: usize) {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(fault.clone(), times);
    assert!(store.account(PERSON).unwrap().is_some());
    let requests = small.server.seen().requests;
    // A connection that is closed at once is no request, and a new one is made for the next.
    assert!(requests > times || matches!(fault, Fault::CloseAtAccept), "{requests}");
}

/// The read fails with something that contains `expected`, after so many requests.
#[track_caller]
fn assert_fails(fault: Fault, expected: &str, requests: usize) {
    let small = Small::new();
    let store = small.connect(RpcOptions { proofs: false, batch: 1, ..options() });
    small.server.fault(fault, usize::MAX);
    let error = store.storage(CONTRACT, U256::from(1)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(error.contains(&format!("slot 0x1 of account {CONTRACT}")), "{error}");
    assert!(error.contains(&format!("eth_getStorageAt(\"{CONTRACT:#x}\",\"0x1\",")), "{error}");
    assert_eq!(small.server.seen().requests, requests, "{error}");
}

#[test]
fn a_connection_that_closes_in_mid_reply_is_tried_again() {
    assert_overcomes(Fault::CloseMidReply, 2);
    assert_fails(Fault::CloseMidReply, "the connection broke", 4);
}

#[test]
fn a_connection_that_closes_without_a_reply_is_tried_again() {
    assert_overcomes(Fault::CloseBeforeReply, 2);
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::CloseBeforeReply, usize::MAX);
    let error = store.account(PERSON).unwrap_err().to_string();
    assert!(error.contains("the connection broke") && error.contains("(tried 4 times)"), "{error}");
}

#[test]
fn a_connection_that_closes_at_once_is_tried_again() {
    let (world, _directory) = small_world();
    let server = Server::new(world);
    server.fault(Fault::CloseAtAccept, 2);
    let node = node(&server, options());
    assert_eq!(node.chain_id(), 1);
    assert!(server.seen().connections >= 3);
}

#[test]
fn statuses_of_trouble_that_may_pass_are_tried_again() {
    for status in [429, 502, 503, 504] {
        assert_overcomes(Fault::Status(status, None, "busy"), 2);
    }
    assert_fails(Fault::Status(503, None, "busy"), "HTTP status 503: busy (tried 4 times)", 4);
}

#[test]
fn other_statuses_are_errors_at_once() {
    for status in [400, 401, 403, 404, 500, 301] {
        let expected = format!("HTTP status {status}: sorry");
        assert_fails(Fault::Status(status, None, "sorry"), &expected, 1);
    }
}

#[test]
fn an_error_that_comes_with_a_status_is_the_nodes() {
    let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"unheard of"}}"#;
    assert_fails(Fault::Status(400, None, text), "error -32601: unheard of", 1);
}

#[test]
fn the_time_that_a_429_names_is_kept() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::Status(429, Some("1"), ""), 1);
    let begin = Instant::now();
    assert!(store.account(PERSON).unwrap().is_some());
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn a_429_that_names_more_time_than_there_is_is_an_error_at_once() {
    for after in ["3600", "18446744073709551615"] {
        let begin = Instant::now();
        assert_fails(Fault::Status(429, Some(after), "tomorrow"), "HTTP status 429: tomorrow", 1);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_retry_after_that_is_a_date_is_an_ordinary_pause() {
    assert_overcomes(Fault::Status(429, Some("Fri, 31 Dec 1999 23:59:59 GMT"), ""), 2);
}

#[test]
fn a_slow_reply_times_out_and_is_tried_again() {
    let small = Small::new();
    let request_timeout = Duration::from_millis(150);
    let store = small.connect(RpcOptions { request_timeout, ..options() });
    small.server.fault(Fault::Slow(Duration::from_millis(600)), 1);
    assert!(store.account(PERSON).unwrap().is_some());
    small.server.fault(Fault::Slow(Duration::from_millis(600)), 10);
    let error = store.account(CONTRACT).unwrap_err().to_string();
    assert!(error.contains("no reply within 150ms (tried 4 times)"), "{error}");
}

#[test]
fn the_deadline_ends_what_attempts_would_not() {
    let small = Small::new();
    let store = small.connect(RpcOptions {
        deadline: Duration::from_millis(300),
        attempts: 1_000_000,
        ..options()
    });
    small.server.fault(Fault::Status(503, None, ""), usize::MAX);
    let begin = Instant::now();
    let error = store.account(PERSON).unwrap_err().to_string();
    assert!(error.contains("HTTP status 503 (tried "), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn where_nobody_listens_there_is_no_connection() {
    let url = rpc_server::nobody();
    let error = RpcNode::connect_blocking(&url, options(), None).unwrap_err();
    let RpcError::Call(call) = &error else { panic!("{error}") };
    let CallError { node, method, attempts, fault, .. } = &**call;
    assert_eq!((node, *method, *attempts), (&url, "eth_chainId", 4));
    assert!(matches!(fault, CallFault::Connect(_)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_reply_that_is_too_large_is_not_read() {
    let small = Small::new();
    let largest_reply = 100_000;
    let store = small.connect(RpcOptions { largest_reply, proofs: false, ..options() });
    small.server.fault(Fault::Oversized(200_000), 1);
    // The batch is made smaller.
    assert!(store.account(PERSON).unwrap().is_some());
    small.server.fault(Fault::Oversized(200_000), usize::MAX);
    let error = store.storage(CONTRACT, U256::from(1)).unwrap_err().to_string();
    assert!(error.ends_with("the reply is larger than 100000 bytes"), "{error}");
}
