use std::{fs, path::Path};

use chorus::store::rpc::{CacheError, CacheOptions, IfUnusable, RpcError};

use super::*;

fn cached(path: &Path, if_unusable: IfUnusable) -> RpcOptions {
    RpcOptions { cache: Some(CacheOptions { path: path.into(), if_unusable }), ..options() }
}

fn read_all(store: &RpcStore) {
    assert_crowd(store, 50);
    assert!(store.account(CONTRACT).unwrap().unwrap().code.is_some());
    assert_eq!(store.account(NOBODY).unwrap(), None);
    assert_eq!(store.storage(CONTRACT, U256::from(1)).unwrap(), U256::from(0xff));
    assert!(store.has_storage(CONTRACT).unwrap());
}

#[test]
fn answers_survive_a_restart_and_need_no_call() {
    let small = Small::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let store = small.connect(cached(&path, IfUnusable::Refuse));
    read_all(&store);
    assert!(small.server.seen().calls.len() > 100);
    store.node().flush_cache().unwrap();
    drop(store);
    // The thread that answered last may hold the file a moment longer.
    let store = loop {
        match RpcStore::connect_blocking(
            &small.server.url(),
            AT,
            cached(&path, IfUnusable::Refuse),
            None,
        ) {
            Err(RpcError::Cache(CacheError::InUse { .. })) => {}
            other => break other.unwrap(),
        }
    };
    small.server.reset();
    read_all(&store);
    assert_eq!(small.server.seen().calls, Vec::<String>::new());
}

#[test]
fn a_damaged_cache_is_refused_or_ignored_as_asked() {
    let small = Small::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    fs::write(&path, "this was a cache once".repeat(1000)).unwrap();
    let connect = |if_unusable| {
        RpcNode::connect_blocking(&small.server.url(), cached(&path, if_unusable), None)
    };
    let error = connect(IfUnusable::Refuse).unwrap_err();
    assert!(matches!(error, RpcError::Cache(CacheError::Damaged { .. })), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let node = connect(IfUnusable::Ignore).unwrap();
    assert!(matches!(node.cache_trouble(), Some(CacheError::Damaged { .. })));
    assert_crowd(&node.state_after_blocking(AT).unwrap(), 50);
    // It is left as it was, for whoever wants to look.
    assert!(fs::read_to_string(&path).unwrap().starts_with("this was"));
}

#[test]
fn a_cache_with_bytes_changed_never_gives_a_wrong_answer() {
    let small = Small::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let store = small.connect(cached(&path, IfUnusable::Refuse));
    read_all(&store);
    store.node().flush_cache().unwrap();
    let whole = fs::read(&path).unwrap();
    drop(store);
    let mut random = fastrand::Rng::with_seed(data::seed());
    for round in 0..30 {
        let mut bytes = whole.clone();
        for _ in 0..200 {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u32(..8);
        }
        let path = directory.path().join(format!("damaged {round}"));
        fs::write(&path, bytes).unwrap();
        let store = small.connect(cached(&path, IfUnusable::Ignore));
        read_all(&store);
    }
}
