use std::{sync::mpsc, time::Instant};

use chorus::store::{Answer, Read, ReadResult, Reply, StoreError};

use super::{rpc_server::Fault, *};

#[test]
fn on_an_embedders_runtime_of_any_flavour_reads_are_awaited() {
    let small = Small::new();
    let url = small.server.url();
    let read = || async {
        let handle = tokio::runtime::Handle::current();
        let store = RpcStore::connect(&url, AT, options(), Some(handle)).await.unwrap();
        let query = Query::Account(PERSON);
        let account = store.read(query).await.unwrap().into_account(query).unwrap().unwrap();
        assert_eq!(account.nonce, 7);
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(read());
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(read());
}

#[test]
fn reads_of_a_runtime_that_ends_are_dropped_and_those_after_as_well() {
    let small = Small::new();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let url = small.server.url();
    let store = RpcStore::connect_blocking(&url, AT, options(), Some(handle)).unwrap();
    small.server.set_delay(Duration::from_millis(500));
    let pending = store.read(Query::Account(PERSON));
    std::thread::sleep(Duration::from_millis(50));
    runtime.shutdown_background();
    let query = Query::Account(PERSON);
    assert_eq!(pending.wait(&store), Err(StoreError::Dropped { query }));
    let query = Query::Account(CONTRACT);
    assert_eq!(store.read(query).wait(&store), Err(StoreError::Dropped { query }));
    let error = store.node().block_json_blocking(NUMBER).unwrap_err().to_string();
    assert!(error.contains("the runtime has ended"), "{error}");
}

#[test]
fn a_store_that_is_dropped_drops_its_reads_at_once() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.set_delay(Duration::from_millis(500));
    let begin = Instant::now();
    let query = Query::Account(PERSON);
    let pending = store.read(query);
    drop(store);
    let nothing = chorus::store::MemoryStore::default();
    assert_eq!(pending.wait(&nothing), Err(StoreError::Dropped { query }));
    assert!(begin.elapsed() < Duration::from_millis(400));
}

#[test]
fn reads_that_are_prefetched_are_at_hand_afterwards() {
    let small = Small::new();
    let store = small.connect(options());
    store.prefetch(&crowd_queries(50));
    let begin = Instant::now();
    while store.try_account(crowd(49)).is_none() {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(2));
    }
    let calls = small.server.seen().calls.len();
    assert_crowd(&store, 50);
    assert_eq!(small.server.seen().calls.len(), calls);
}

#[test]
fn a_read_of_what_is_prefetched_already_is_no_second_call() {
    let small = Small::new();
    let store = small.connect(options());
    small.server.set_delay(Duration::from_millis(30));
    store.prefetch(&crowd_queries(50));
    assert_crowd(&store, 50);
    assert_eq!(small.server.seen().calls_of("eth_getProof"), 50);
}

#[test]
fn a_read_that_nobody_wants_is_not_sent() {
    let small = Small::new();
    let store = small.connect(RpcOptions { in_flight: 1, batch: 1, ..options() });
    small.server.set_delay(Duration::from_millis(30));
    let first = store.read(Query::Slot(CONTRACT, U256::from(1)));
    std::thread::sleep(Duration::from_millis(10));
    let unwanted = store.read(Query::Slot(CONTRACT, U256::from(2)));
    drop(unwanted);
    let last = store.read(Query::Slot(CONTRACT, U256::from(3)));
    first.wait(&store).unwrap();
    last.wait(&store).unwrap();
    assert_eq!(small.server.seen().calls_of("eth_getStorageAt"), 2);
}

/// Hands over what it is answered.
struct Sent(mpsc::Sender<ReadResult>);

impl Reply for Sent {
    fn answer(self: Box<Self>, _: Query, result: ReadResult) {
        self.0.send(result).unwrap();
    }
}

#[test]
fn every_read_is_answered_once_whatever_the_node_does() {
    let faults = [
        Fault::CloseAtAccept,
        Fault::CloseMidReply,
        Fault::CloseBeforeReply,
        Fault::Slow(Duration::from_millis(120)),
        Fault::Status(429, None, ""),
        Fault::Status(429, Some("0"), ""),
        Fault::Status(400, None, "no"),
        Fault::Status(503, None, ""),
        Fault::Text("{"),
        Fault::WrongIds,
        Fault::MissingItem,
        Fault::Reversed,
        Fault::Oversized(2_000_000),
    ];
    let small = Small::new();
    let mut random = fastrand::Rng::with_seed(data::seed());
    for _ in 0..20 {
        let store = small.connect(RpcOptions {
            batch: random.usize(1..30),
            in_flight: random.usize(1..5),
            request_timeout: Duration::from_millis(100),
            largest_reply: 1_000_000,
            ..options()
        });
        for _ in 0..12 {
            small.server.fault(random.choice(&faults).unwrap().clone(), 1);
        }
        let (sender, receiver) = mpsc::channel();
        let count = 50;
        for query in crowd_queries(count) {
            store.fetch(vec![Read::new(query, random.u32(..9), Box::new(Sent(sender.clone())))]);
        }
        drop(sender);
        let mut answered = 0;
        while let Ok(result) = receiver.recv_timeout(Duration::from_secs(30)) {
            answered += 1;
            if let Ok(answer) = result {
                assert!(matches!(answer, Answer::Account(Some(_))));
            }
        }
        assert_eq!(answered, count);
        // What is left of the faults would meet the next connection.
        while RpcNode::connect_blocking(&small.server.url(), options(), None).is_err() {}
        small.server.clear_faults();
    }
}
