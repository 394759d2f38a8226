//! Which threads the store that asks a node starts. One test, alone in its process: threads are counted
//! by their names.
#![cfg(all(feature = "rpc", target_os = "linux"))]
// Both sides of a wire run here; no protocol of the crate is at stake.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/fixture.rs"]
mod fixture;
#[path = "common/rpc_server/mod.rs"]
mod rpc_server;

use std::time::{Duration, Instant};

use chorus::store::{
    StateStore,
    rpc::{RpcOptions, RpcStore},
};
use rpc_server::{Server, World};

/// Threads with the name of the store's own, as the operating system sees them.
fn own_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "chorus-rpc").count()
}

fn all_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_store_starts_a_thread_only_without_a_handle_and_ends_it() {
    let directory = fixture::Fixture::new().write();
    let mut world = World::new();
    world.add(fixture::NUMBER, directory.path());
    let server = Server::new(world);
    let at = fixture::NUMBER - 1;

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let before = all_threads();
    let store =
        RpcStore::connect_blocking(&server.url(), at, RpcOptions::default(), Some(handle)).unwrap();
    assert!(store.account(fixture::sender()).unwrap().is_some());
    // The server has one for the connection.
    assert_eq!((own_threads(), all_threads()), (0, before + 1));
    drop(store);

    let store = RpcStore::connect_blocking(&server.url(), at, RpcOptions::default(), None).unwrap();
    assert_eq!(own_threads(), 1);
    let other = store.clone();
    drop(store);
    assert!(other.account(fixture::sender()).unwrap().is_some());
    drop(other);
    let begin = Instant::now();
    while own_threads() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(10), "the thread does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}
