//! Real blocks over a database, compared with the same over memory.

use std::sync::{Arc, OnceLock};

use chorus::{
    evm::{Block, ChainSpec, Engine, InvalidPolicy, Path, Sequential, StateStore, input},
    store::{
        MemoryStore,
        redb::{Position, RedbError, RedbStore, state_digest},
    },
};

use crate::{
    data,
    desk::{Desk, options, options_on},
    executor::difference,
};

/// A block with the state it starts from.
type Real = (Arc<Block>, MemoryStore);

/// All shared blocks, none if they are absent.
fn real_blocks() -> &'static [Real] {
    static BLOCKS: OnceLock<Vec<Real>> = OnceLock::new();
    BLOCKS.get_or_init(|| {
        let Some(directory) = data::blocks_dir() else { return Vec::new() };
        let chain = ChainSpec::mainnet();
        let load = |directory: std::path::PathBuf| {
            let (block, state) = input::load_block(&directory, &chain).unwrap();
            (Arc::new(block), state)
        };
        input::discover(&directory).unwrap().into_iter().map(load).collect()
    })
}

#[test]
fn a_prestate_comes_back_as_it_went_in() {
    for (block, state) in real_blocks() {
        let (desk, position) = (Desk::new(), Position::before(block));
        let store = desk.create();
        let digest = store.import(state, position).unwrap();
        assert_eq!(digest, state_digest(state));
        drop(store);
        let mut store = desk.open().unwrap();
        assert_eq!(store.last_applied().unwrap(), position);
        assert_eq!(store.view().unwrap().digest().unwrap(), digest);
        assert!(store.to_memory().unwrap() == *state, "block {}", block.env.number);
        store.verify().unwrap();
    }
}

#[test]
fn a_block_over_a_database_equals_one_over_memory_and_leaves_the_same_state() {
    for (block, state) in real_blocks() {
        let desk = Desk::new();
        let position = Position::before(block);
        let store = RedbStore::open_or_import(desk.path(), state, position, options()).unwrap();
        let view = store.view().unwrap();
        let expected = Sequential::new().execute(block, state, InvalidPolicy::Fail);
        let actual = Sequential::new().execute(block, &view, InvalidPolicy::Fail);
        assert_eq!(difference(&expected, &actual), None, "block {}", block.env.number);

        let diff = actual.unwrap().diff;
        // Not every file says its block's hash.
        let applied = Position { number: block.env.number.to(), hash: block.claims.hash };
        store.apply(&diff, applied, position.and_then(|position| position.hash)).unwrap();
        drop((view, store));
        let mut state = state.clone();
        state.apply(&diff);
        let store = desk.open().unwrap();
        assert_eq!(store.last_applied().unwrap(), Some(applied));
        let after = store.to_memory().unwrap();
        assert!(after.block_hashes().eq(applied.hash.map(|hash| (applied.number, hash))));
        assert!(after.accounts().count() == state.len());
        for (address, account) in after.accounts() {
            assert_eq!(Some(account), state.get(address), "{address}");
        }
    }
}

#[test]
fn a_block_in_parallel_waits_for_the_database_and_equals_one_over_memory() {
    let engine = |threads| Engine::builder().threads(threads).path(Path::Parallel).build().unwrap();
    let engines = [engine(1), engine(2), engine(4)];
    let mut suspensions = 0;
    // As few I/O threads as can be, a few, and more than there is to do.
    for ((block, state), io) in real_blocks().iter().zip([1, 2, 8].into_iter().cycle()) {
        let desk = Desk::new();
        let store = RedbStore::create(desk.path(), options_on(io)).unwrap();
        store.import(state, None).unwrap();
        let expected = Sequential::new().execute(block, state, InvalidPolicy::Fail);
        for engine in &engines {
            let view: Arc<dyn StateStore> = Arc::new(store.view().unwrap());
            let actual = engine.execute(block, &view);
            suspensions += actual.as_ref().map_or(0, |outcome| outcome.statistics.suspensions);
            let number = block.env.number;
            assert_eq!(difference(&expected, &actual), None, "block {number}, {io} I/O threads");
        }
    }
    println!("{suspensions} suspensions");
    assert!(real_blocks().is_empty() || suspensions > 1000, "{suspensions}");
}

#[test]
fn a_database_of_another_blocks_prestate_is_refused_and_left_alone() {
    let blocks = real_blocks();
    let [(one, state), (other, another), ..] = blocks else { return };
    let desk = Desk::new();
    let (here, there) = (Position::before(one), Position::before(other));
    drop(RedbStore::open_or_import(desk.path(), state, here, options()).unwrap());
    let error = RedbStore::open_or_import(desk.path(), another, there, options()).unwrap_err();
    assert!(matches!(error, RedbError::AnotherState { .. }), "{error}");
    for digest in [state_digest(state), state_digest(another)] {
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
    }
    let store = RedbStore::open_or_import(desk.path(), state, here, options()).unwrap();
    assert!(store.holds(state).unwrap());
    assert!(!store.holds(another).unwrap());
}

#[test]
fn a_genesis_file_becomes_a_database() {
    let text = r#"{"alloc": {"aa000000000000000000000000000000000000aa":
        {"balance": "1000", "code": "0x6001", "storage": {"0x01": "0x02"}}}}"#;
    let state = ChainSpec::genesis_state("genesis.json", text).unwrap();
    let desk = Desk::new();
    let store = desk.create();
    let genesis = Position { number: 0, hash: None };
    store.import(&state, Some(genesis)).unwrap();
    assert_eq!(store.last_applied().unwrap(), Some(genesis));
    assert_eq!(store.to_memory().unwrap(), state);
}
