//! The store that asks a node, against a real HTTP server on the loopback that behaves, or does not.
//!
//! | file | claims about |
//! |---|---|
//! | `reads` | what is read, and with how many calls |
//! | `batches` | which calls go together, and nodes that do not want that |
//! | `transport` | connections that fail, slow replies, statuses |
//! | `values` | replies and values that are wrong |
//! | `life` | runtimes, dropping, prefetching |
//! | `cache` | the file that keeps answers |
//! | `blocks` | real blocks over a node |
#![cfg(feature = "rpc")]
// These tests run both sides of a wire; no protocol of the crate is at stake in them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../common/data.rs"]
mod data;
#[path = "../common/fixture.rs"]
mod fixture;
#[path = "../common/rpc_server/mod.rs"]
mod rpc_server;

mod batches;
mod blocks;
#[cfg(feature = "redb")]
mod cache;
mod life;
mod reads;
mod transport;
mod values;

use std::time::Duration;

use alloy_primitives::{Address, U256, address};
use chorus::store::{
    Query, StateStore,
    rpc::{RpcNode, RpcOptions, RpcStore},
};
use rpc_server::{Server, World};
use serde_json::json;

/// The block that the small world has; its state is the one after the block before.
const NUMBER: u64 = fixture::NUMBER;
const AT: u64 = NUMBER - 1;
/// Has a balance and a nonce.
const PERSON: Address = address!("0x00000000000000000000000000000000000000a1");
/// Has code and two slots.
const CONTRACT: Address = address!("0x00000000000000000000000000000000000000c1");
/// Is absent.
const NOBODY: Address = address!("0x00000000000000000000000000000000000000ff");
const CODE: &str = "0x6001600055";

/// A world of one block with three accounts of ours and fifty more.
fn small_world() -> (World, tempfile::TempDir) {
    let mut fixture = fixture::Fixture::new();
    fixture.prestate[format!("{PERSON:#x}")] = json!({"balance": "0x1234", "nonce": 7});
    fixture.prestate[format!("{CONTRACT:#x}")] = json!({"balance": "0x0", "nonce": 1,
        "code": CODE, "storage": {
            "0x0000000000000000000000000000000000000000000000000000000000000001":
            "0x00000000000000000000000000000000000000000000000000000000000000ff"}});
    for index in 0..50 {
        fixture.prestate[format!("{:#x}", crowd(index))] =
            json!({"balance": format!("{:#x}", index + 1)});
    }
    let directory = fixture.write();
    let mut world = World::new();
    world.add(NUMBER, directory.path());
    (world, directory)
}

/// One of fifty accounts, whose balance is its index and one.
fn crowd(index: u64) -> Address {
    Address::from_word(U256::from(0x1000 + index).into())
}

fn crowd_queries(count: u64) -> Vec<Query> {
    (0..count).map(|index| Query::Account(crowd(index))).collect()
}

/// Options with which tests fail quickly.
fn options() -> RpcOptions {
    RpcOptions {
        backoff: Duration::from_millis(2),
        request_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(20),
        attempts: 4,
        ..RpcOptions::default()
    }
}

struct Small {
    server: Server,
    _directory: tempfile::TempDir,
}

impl Small {
    fn new() -> Self {
        let (world, directory) = small_world();
        Self { server: Server::new(world), _directory: directory }
    }

    /// A store that is connected, and a server that has seen nothing yet.
    fn connect(&self, options: RpcOptions) -> RpcStore {
        let store = RpcStore::connect_blocking(&self.server.url(), AT, options, None).unwrap();
        self.server.reset();
        store
    }
}

/// The accounts of the crowd are what they should be.
#[track_caller]
fn assert_crowd(store: &RpcStore, count: u64) {
    let pending = store.read_many(&crowd_queries(count));
    for (index, pending) in pending.into_iter().enumerate() {
        let query = Query::Account(crowd(index as u64));
        let account = pending.wait(store).unwrap().into_account(query).unwrap().unwrap();
        assert_eq!(account.balance, U256::from(index + 1));
    }
}

fn node(server: &Server, options: RpcOptions) -> RpcNode {
    RpcNode::connect_blocking(&server.url(), options, None).unwrap()
}
