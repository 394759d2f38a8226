use std::time::Instant;

use super::{
    rpc_server::{Batches, Fault, Instead},
    *,
};

#[test]
fn reads_at_the_same_time_are_one_request() {
    let small = Small::new();
    let store = small.connect(options());
    assert_crowd(&store, 40);
    let seen = small.server.seen();
    // Two calls each.
    assert_eq!((seen.requests, seen.largest_batch), (1, 80));
}

#[test]
fn a_batch_is_no_larger_than_set() {
    let small = Small::new();
    let store = small.connect(RpcOptions { batch: 10, ..options() });
    assert_crowd(&store, 50);
    let seen = small.server.seen();
    assert_eq!((seen.requests, seen.largest_batch), (10, 10));
}

#[test]
fn requests_in_flight_are_bounded_and_connections_are_kept() {
    let small = Small::new();
    let store = small.connect(RpcOptions { batch: 2, in_flight: 3, ..options() });
    small.server.set_delay(Duration::from_millis(10));
    assert_crowd(&store, 50);
    assert_crowd(&store, 50);
    let seen = small.server.seen();
    assert_eq!(seen.requests, 50);
    assert_eq!(seen.most_at_once, 3);
    assert!(seen.connections <= 3, "{} connections", seen.connections);
}

#[test]
fn a_batch_may_be_answered_in_any_order() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::Reversed, 1);
    assert_crowd(&store, 40);
    assert_eq!(small.server.seen().requests, 1);
}

#[test]
fn a_node_that_takes_smaller_batches_gets_smaller_ones() {
    let small = Small::new();
    small.server.set_batches(Batches::UpTo(12));
    let store = small.connect(options());
    assert_crowd(&store, 50);
    let first = small.server.seen();
    small.server.reset();
    assert_crowd(&small_again(&store), 50);
    let second = small.server.seen();
    assert!(first.largest_batch > 12 && second.largest_batch <= 12, "{first:?}");
}

#[test]
fn a_node_that_refuses_batches_gets_single_calls() {
    let small = Small::new();
    small.server.set_batches(Batches::Refused);
    let store = small.connect(options());
    assert_crowd(&store, 50);
    small.server.reset();
    assert_crowd(&small_again(&store), 50);
    let seen = small.server.seen();
    assert_eq!((seen.largest_batch, seen.requests), (1, 101));
}

/// The same node's state anew, of which nothing is known yet.
fn small_again(store: &RpcStore) -> RpcStore {
    store.node().state_after_blocking(AT).unwrap()
}

#[test]
fn what_a_batch_lacks_is_asked_again_and_the_rest_is_not() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::MissingItem, 1);
    assert_crowd(&store, 20);
    let seen = small.server.seen();
    assert_eq!((seen.requests, seen.calls.len()), (2, 41));
}

#[test]
fn what_batches_always_lack_is_got_alone() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.fault(Fault::MissingItem, usize::MAX);
    assert_crowd(&store, 5);
    assert_eq!(small.server.seen().requests, 2);
}

#[test]
fn an_error_in_a_batch_is_an_error_of_that_read_only() {
    let small = Small::new();
    let store = small.connect(RpcOptions { proofs: false, ..options() });
    let third = format!("{:#x}", crowd(2));
    small.server.instead("eth_getBalance", &third, Instead::Error(-32000, "boom"), usize::MAX);
    let pending = store.read_many(&crowd_queries(5));
    for (index, pending) in pending.into_iter().enumerate() {
        let result = pending.wait(&store);
        match index {
            2 => {
                let error = result.unwrap_err().to_string();
                assert!(error.contains(&format!("eth_getBalance(\"{third}\"")), "{error}");
                assert!(error.ends_with("error -32000: boom"), "{error}");
            }
            _ => assert!(result.is_ok()),
        }
    }
    assert_eq!(small.server.seen().requests, 1);
}

#[test]
fn a_limit_in_a_batch_is_waited_out_for_what_met_it() {
    let small = Small::new();
    let store = small.connect(RpcOptions { proofs: false, ..options() });
    let third = format!("{:#x}", crowd(2));
    small.server.instead("eth_getCode", &third, Instead::Error(-32005, "slow down"), 2);
    assert_crowd(&store, 5);
    let seen = small.server.seen();
    assert_eq!((seen.requests, seen.calls.len()), (3, 17));
    assert_eq!(store.node().statistics().repeated, 2);
}

#[test]
fn urgent_reads_go_before_those_that_are_not() {
    let small = Small::new();
    let store = small.connect(RpcOptions { batch: 2, in_flight: 1, ..options() });
    small.server.set_delay(Duration::from_millis(5));
    let (reads, pending): (Vec<_>, Vec<_>) = (0..20)
        .map(|index| chorus::store::Read::pending(crowd_queries(20)[index], 20 - index as u32))
        .unzip();
    store.fetch(reads);
    for pending in pending {
        pending.wait(&store).unwrap();
    }
    let calls = small.server.seen().calls;
    let proofs = calls.iter().filter(|call| call.starts_with("eth_getProof"));
    let order: Vec<_> = proofs.cloned().collect();
    let expected: Vec<_> = (0..20).rev().map(|index| format!("{:#x}", crowd(index))).collect();
    let matches = order.iter().zip(&expected).filter(|(call, address)| call.contains(*address));
    assert_eq!(matches.count(), 20, "{order:?}");
}

#[test]
fn a_slow_node_costs_a_round_trip_and_not_one_per_read() {
    let small = Small::new();
    small.server.set_delay(Duration::from_millis(50));
    let store = small.connect(options());
    let begin = Instant::now();
    assert_crowd(&store, 50);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}
