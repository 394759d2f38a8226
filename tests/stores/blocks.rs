//! Blocks over each kind of store: the outcome is that of one-by-one execution over the bare state, or
//! an error that names what could not be read, and the engine goes on.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, U256};
use chorus::{
    evm::{
        Block, BlockError, BlockOutcome, Engine, InvalidPolicy, Path, Sequential, StateDiff,
        workload::Workload,
    },
    store::{
        CachedStore, DatabaseStore, Fault, FaultyStore, IoPool, Latency, LatencyStore, MemoryStore,
        OverlayStore, Query, RecordingStore, StateStore, StoreError, Victims,
    },
};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};

/// A block, the state it starts from, and what comes of it.
struct Case {
    block: Arc<Block>,
    state: Arc<MemoryStore>,
    expected: BlockOutcome,
}

impl Case {
    fn new() -> Self {
        let (block, state) = Workload::DEFAULT.with_transactions(120).build(5);
        let expected = Sequential::new().execute(&block, &state, InvalidPolicy::Fail).unwrap();
        Self { block: Arc::new(block), state: Arc::new(state), expected }
    }

    fn assert_like_expected(&self, engine: &Engine, store: &Arc<dyn StateStore>) {
        let outcome = engine.execute(&self.block, store).unwrap();
        assert_eq!(outcome.diff, self.expected.diff);
        assert_eq!(outcome.receipts_root(), self.expected.receipts_root());
    }

    /// Accounts that the block changes, and so reads.
    fn read(&self) -> Vec<Query> {
        let StateDiff { accounts } = &self.expected.diff;
        accounts.iter().map(|(address, _)| Query::Account(*address)).collect()
    }
}

fn engine() -> Engine {
    Engine::builder().threads(2).path(Path::Parallel).build().unwrap()
}

fn slow(inner: Arc<dyn StateStore>) -> Arc<dyn StateStore> {
    Arc::new(LatencyStore::new(inner, Latency::Fixed(Duration::from_micros(100))))
}

/// The state as a database of revm.
struct Database(Arc<MemoryStore>);

impl DatabaseRef for Database {
    type Error = StoreError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        self.0.account(address)
    }

    fn code_by_hash_ref(&self, _: B256) -> Result<Bytecode, StoreError> {
        unreachable!("accounts come with their code")
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        self.0.storage(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StoreError> {
        self.0.block_hash(number)
    }
}

#[test]
fn whatever_is_put_around_the_state_the_outcome_is_the_same() {
    let case = Case::new();
    let engine = engine();
    let state = || -> Arc<dyn StateStore> { case.state.clone() };
    let pool = IoPool::new(3).unwrap();
    let database = DatabaseStore::new(Database(case.state.clone()), pool);
    let skewed = Latency::LogNormal { median: Duration::from_micros(50), sigma: 1.0 };
    let late = Victims::Random { probability: 0.3, seed: 1 };
    let stores: Vec<Arc<dyn StateStore>> = vec![
        state(),
        slow(state()),
        Arc::new(LatencyStore::new(state(), skewed)),
        Arc::new(CachedStore::new(slow(state()), 1 << 20)),
        Arc::new(CachedStore::new(slow(state()), 8_000)),
        Arc::new(DatabaseStore::at_hand(Database(case.state.clone()))),
        Arc::new(database),
        Arc::new(OverlayStore::new(slow(state()))),
        Arc::new(RecordingStore::new(slow(state()))),
        Arc::new(FaultyStore::new(state()).with(late, Fault::Delay(Duration::from_millis(1)))),
    ];
    for store in &stores {
        case.assert_like_expected(&engine, store);
        // Again, over what is warm by now, and one by one.
        case.assert_like_expected(&engine, store);
        let sequential =
            Sequential::new().execute(&case.block, &**store, InvalidPolicy::Fail).unwrap();
        assert_eq!(sequential.diff, case.expected.diff);
    }
}

#[cfg(feature = "tokio")]
#[test]
fn a_database_on_a_runtime_gives_the_same_outcome() {
    let case = Case::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let database = Database(case.state.clone());
    let store = DatabaseStore::on(database, runtime.handle().clone(), 2);
    case.assert_like_expected(&engine(), &(Arc::new(store) as _));
}

#[test]
fn blocks_follow_one_another_over_a_base_that_does_not_change() {
    let case = Case::new();
    let engine = engine();
    let overlay = Arc::new(OverlayStore::new(slow(case.state.clone())));
    let mut state = MemoryStore::clone(&case.state);
    // The same block again is invalid for its nonces: transactions are skipped, and blocks still follow.
    let skipping = Engine::builder().threads(2).path(Path::Parallel);
    let skipping = skipping.policy(InvalidPolicy::Skip).build().unwrap();
    for engine in [&engine, &skipping] {
        let store: Arc<dyn StateStore> = overlay.clone();
        let outcome = engine.execute(&case.block, &store).unwrap();
        let expected = Sequential::new().execute(&case.block, &state, InvalidPolicy::Skip).unwrap();
        assert_eq!(outcome.diff, expected.diff);
        state.apply(&outcome.diff);
        overlay.apply(&outcome.diff);
    }
}

#[test]
fn a_recording_is_all_that_a_block_needs() {
    let case = Case::new();
    let recording = Arc::new(RecordingStore::new(case.state.clone()));
    let store: Arc<dyn StateStore> = recording.clone();
    case.assert_like_expected(&engine(), &store);
    let small = recording.to_memory();
    let again = Sequential::new().execute(&case.block, &small, InvalidPolicy::Fail).unwrap();
    assert_eq!(again.diff, case.expected.diff);
}

#[test]
fn a_fault_ends_the_block_with_what_could_not_be_read_and_the_engine_goes_on() {
    let case = Case::new();
    let engine = engine();
    let victims = case.read();
    let named: BTreeSet<_> = victims.iter().copied().collect();
    for (at, fault) in
        [Fault::Error, Fault::ErrorAtHand, Fault::Drop, Fault::WrongKind].into_iter().enumerate()
    {
        let victim = victims[at * 7 % victims.len()];
        let faulty = FaultyStore::new(case.state.clone()).with(Victims::Only(victim), fault);
        let store = Arc::new(faulty);
        let error = engine.execute(&case.block, &(store.clone() as _)).unwrap_err();
        let BlockError::Store { error, .. } = &error else { panic!("{fault:?}: {error}") };
        let read = match error {
            StoreError::Account { address, .. } => Query::Account(*address),
            StoreError::Dropped { query } => *query,
            other => panic!("{fault:?}: {other}"),
        };
        assert_eq!(read, victim);
        assert!(named.contains(&read) && store.suffered() > 0);
        store.heal();
        case.assert_like_expected(&engine, &(store as _));
    }
}

#[test]
fn a_store_that_never_answers_does_not_outlast_the_deadline() {
    let case = Case::new();
    let engine = engine();
    let faulty = FaultyStore::new(case.state.clone());
    let store = Arc::new(faulty.with(Victims::Only(case.read()[3]), Fault::Silence));
    let begin = Instant::now();
    let options = chorus::evm::ExecuteOptions::new().timeout(Duration::from_millis(100));
    let error = engine.execute_with(&case.block, &(store.clone() as _), options).unwrap_err();
    assert!(matches!(error, BlockError::DeadlineExceeded { .. }), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10));
    // It may answer as late as it likes.
    store.heal();
    case.assert_like_expected(&engine, &(store as _));
}

#[test]
fn a_store_that_panics_ends_the_block_with_an_error() {
    let case = Case::new();
    let engine = engine();
    for fault in [Fault::PanicAtHand, Fault::PanicInFetch] {
        let faulty = FaultyStore::new(case.state.clone());
        let store = Arc::new(faulty.with(Victims::Only(case.read()[3]), fault));
        let error = engine.execute(&case.block, &(store.clone() as _)).unwrap_err();
        assert!(!error.to_string().is_empty());
        store.heal();
        case.assert_like_expected(&engine, &(store as _));
    }
}
