use alloy_primitives::{B256, U256, keccak256};
use chorus::store::{
    Query, StateStore, StoreError,
    rpc::{Existence, Pin, RpcError, RpcNode, RpcOptions},
};

use super::*;

#[test]
fn accounts_slots_and_hashes_are_what_the_node_says() {
    let small = Small::new();
    for proofs in [true, false] {
        let store = small.connect(RpcOptions { proofs, ..options() });
        let person = store.account(PERSON).unwrap().unwrap();
        assert_eq!((person.balance, person.nonce), (U256::from(0x1234), 7));
        assert!(person.code.unwrap().is_empty());
        let contract = store.account(CONTRACT).unwrap().unwrap();
        let code = CODE.parse::<alloy_primitives::Bytes>().unwrap();
        assert_eq!(contract.code_hash, keccak256(&code));
        assert_eq!(contract.code.unwrap().original_bytes(), code);
        assert_eq!(store.account(NOBODY).unwrap(), None);
        assert_eq!(store.storage(CONTRACT, U256::from(1)).unwrap(), U256::from(0xff));
        assert_eq!(store.storage(CONTRACT, U256::from(2)).unwrap(), U256::ZERO);
        assert_eq!(store.block_hash(AT).unwrap(), B256::repeat_byte(0x22));
        assert_eq!(store.at().hash, B256::repeat_byte(0x22));
        let later = StoreError::BlockHash { number: NUMBER };
        assert_eq!(store.block_hash(NUMBER), Err(later));
    }
}

#[test]
fn a_proof_saves_a_call_and_says_whether_there_is_storage() {
    let small = Small::new();
    let store = small.connect(options());
    store.account(CONTRACT).unwrap();
    assert_eq!(small.server.seen().calls_of("eth_getProof"), 1);
    assert_eq!(small.server.seen().calls_of("eth_getCode"), 1);
    // It is at hand.
    assert_eq!(store.try_has_storage(CONTRACT), Some(Ok(true)));
    assert!(!store.has_storage(PERSON).unwrap());
    assert!(!store.has_storage(NOBODY).unwrap());
    let seen = small.server.seen();
    assert_eq!((seen.calls_of("eth_getProof"), seen.calls_of("eth_getBalance")), (3, 0));
}

#[test]
fn a_node_without_proofs_is_asked_for_them_once() {
    let small = Small::new();
    small.server.set_proofs(false);
    let store = small.connect(options());
    assert!(store.account(PERSON).unwrap().is_some());
    assert!(store.account(CONTRACT).unwrap().is_some());
    assert!(!store.has_storage(CONTRACT).unwrap());
    let seen = small.server.seen();
    assert_eq!(seen.calls_of("eth_getProof"), 1);
    assert_eq!(seen.calls_of("eth_getBalance"), 2);
    assert_eq!(seen.calls_of("eth_getTransactionCount"), 2);
}

#[test]
fn an_answer_is_asked_for_once_and_at_hand_from_then_on() {
    let small = Small::new();
    let store = small.connect(options());
    assert!(store.try_account(PERSON).is_none());
    let first = store.account(PERSON).unwrap();
    let calls = small.server.seen().calls.len();
    assert_eq!(store.try_account(PERSON), Some(Ok(first)));
    assert_eq!(small.server.seen().calls.len(), calls);
}

#[test]
fn empty_accounts_exist_only_where_the_hash_of_their_code_is_trusted() {
    let mut fixture = fixture::Fixture::new();
    fixture.prestate[format!("{PERSON:#x}")] = json!({"balance": "0x0", "nonce": 0});
    let directory = fixture.write();
    let mut world = World::new();
    world.add(NUMBER, directory.path());
    let server = Server::new(world);
    let exists = |existence| {
        let store = RpcStore::connect_blocking(
            &server.url(),
            AT,
            RpcOptions { existence, ..options() },
            None,
        )
        .unwrap();
        [PERSON, NOBODY].map(|address| store.account(address).unwrap().is_some())
    };
    assert_eq!(exists(Existence::NotEmpty), [false, false]);
    assert_eq!(exists(Existence::ByCodeHash), [true, false]);
}

#[test]
fn state_is_addressed_by_number_or_by_hash() {
    let small = Small::new();
    small.connect(options()).account(PERSON).unwrap();
    let by_number = format!("\"{AT:#x}\"");
    assert!(small.server.seen().calls.iter().all(|call| call.contains(&by_number)));
    let pinned = small.connect(RpcOptions { pin: Pin::Hash, ..options() });
    assert!(pinned.account(PERSON).unwrap().is_some());
    let by_hash = format!("{{\"blockHash\":\"{}\"}}", B256::repeat_byte(0x22));
    assert!(small.server.seen().calls.iter().all(|call| call.contains(&by_hash)));
}

#[test]
fn a_block_that_is_not_there_and_a_state_before_the_first_are_errors() {
    let small = Small::new();
    let node = node(&small.server, options());
    assert_eq!(node.chain_id(), 1);
    let error = node.state_after_blocking(5).unwrap_err();
    assert!(matches!(error, RpcError::NoBlock { number: 5, .. }), "{error}");
    assert_eq!(node.state_before_blocking(0).unwrap_err(), RpcError::Genesis);
    assert!(node.block_json_blocking(NUMBER).unwrap().contains("transactions"));
    // The block itself is there, but not the state after it.
    let store = node.state_after_blocking(NUMBER).unwrap();
    let error = store.account(PERSON).unwrap_err().to_string();
    assert!(error.contains("error -32000: missing trie node"), "{error}");
}

#[test]
fn addresses_that_are_none_are_refused() {
    for url in ["node", "ftp://127.0.0.1", "http://"] {
        let error = RpcNode::connect_blocking(url, options(), None).unwrap_err();
        assert!(matches!(error, RpcError::Url { .. }), "{error}");
    }
}

#[test]
fn latency_follows_what_requests_take() {
    let small = Small::new();
    small.server.set_delay(Duration::from_millis(60));
    let store = small.connect(options());
    for index in 0..10 {
        assert!(store.account(crowd(index)).unwrap().is_some());
    }
    let latency = store.latency().unwrap();
    assert!(latency > Duration::from_millis(40), "{latency:?}");
    assert_eq!(store.try_account(crowd(0)).map(|result| result.is_ok()), Some(true));
    let query = Query::Account(crowd(0));
    assert!(store.read(query).wait(&store).is_ok());
}
