//! Contracts that run for ever, as far as their gas goes, and touch nothing.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, TxKind, hex};
use chorus::{
    evm::{
        Block, BlockEnv, BlockError, CancelToken, Engine, ExecuteOptions, InvalidPolicy, Path,
        Sequential, SpecId, StateStore, TxEnv,
    },
    store::MemoryStore,
};

use crate::{
    executor::difference,
    patience::{in_time, timed},
};

/// Gas for some thousand years.
const GAS: u64 = 1 << 62;

/// What never ends: a jump, a jump on condition, and calls of itself, two each, without a jump. Then jumps with an
/// opcode (MSIZE) between them that the loop of frequent opcodes does not have, so that it is left and entered anew.
const ENDLESS: [&[u8]; 5] = [
    &hex!("5b 5f56"),
    &hex!("5b 6001 5f57"),
    &hex!("5f5f5f5f5f305af1 5f5f5f5f5f305af1"),
    &hex!("5b 5950 600056"),
    &hex!("5b 6001 5901 61000057"),
];
/// Each as it is, and in code that is long enough for that loop.
fn endless() -> impl Iterator<Item = Vec<u8>> {
    let filler: [&[u8]; 2] = [&[], &[0; 256]];
    ENDLESS.into_iter().flat_map(move |code| filler.map(|filler| [code, filler].concat()))
}

/// SSTORE(0, SLOAD(0) + 1)
const COUNTER: [u8; 9] = hex!("5f54 600101 5f55 0000");

fn account(number: u64) -> Address {
    Address::left_padding_from(&(0xa0_0000 + number).to_be_bytes())
}

const COUNTS: Address = Address::repeat_byte(0xcc);
const LOOPS: Address = Address::repeat_byte(0xee);

/// So many transactions that count, then, if any, the one that never ends.
pub(crate) fn block(counts: u64, endless: Option<&[u8]>) -> (Arc<Block>, Arc<MemoryStore>) {
    let mut store = MemoryStore::builder();
    store.nonce(COUNTS, 1).code(COUNTS, COUNTER.into());
    if let Some(code) = endless {
        store.nonce(LOOPS, 1).code(LOOPS, code.to_vec().into());
    }
    let call = |number, to, gas_limit| {
        let kind = TxKind::Call(to);
        TxEnv { caller: account(number), gas_limit, kind, ..TxEnv::default() }
    };
    let counts_up = (0..counts).map(|number| call(number, COUNTS, 100_000));
    let runs_on = endless.map(|_| call(counts, LOOPS, GAS));
    let more = (0..if endless.is_some() { 20 } else { 0 })
        .map(|number| call(counts + 1 + number, COUNTS, 100_000));
    let env = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    let transactions: Vec<_> = counts_up.chain(runs_on).chain(more).collect();
    (Arc::new(Block::new(SpecId::PRAGUE, 1, env, transactions)), Arc::new(store.build()))
}

pub(crate) const WAYS: [(Path, usize); 4] =
    [(Path::Direct, 1), (Path::Parallel, 1), (Path::Parallel, 2), (Path::Parallel, 8)];

pub(crate) fn engine((path, threads): (Path, usize)) -> Engine {
    Engine::builder().threads(threads).path(path).build().unwrap()
}

/// What each engine must still be able to do.
pub(crate) fn assert_works(engine: &Engine) {
    let (block, memory) = block(30, None);
    let expected = Sequential::new().execute(&block, &*memory, InvalidPolicy::Fail);
    let store: Arc<dyn StateStore> = memory;
    let actual = engine.execute(&block, &store);
    if let Some(difference) = difference(&expected, &actual) {
        panic!("{difference}");
    }
}

#[test]
fn an_endless_loop_ends_at_the_deadline_and_what_was_before_it_is_kept() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for (round, code) in endless().enumerate() {
                let counts = 5 * round as u64;
                let (block, memory) = block(counts, Some(&code));
                let store: Arc<dyn StateStore> = memory.clone();
                let allowed = Duration::from_millis(40);
                let options = ExecuteOptions::new().timeout(allowed).keep_committed();
                let (ended, took) = timed(|| engine.execute_with(&block, &store, options));
                assert!(took < Duration::from_secs(3), "{way:?} took {took:?}");
                let Err(BlockError::DeadlineExceeded { committed: Some(partial), .. }) = ended
                else {
                    panic!("{way:?}: {ended:?}")
                };
                // On a busy machine the deadline may come before all that could be committed was.
                let stands = partial.transactions.len();
                assert!(stands <= counts as usize, "{way:?}: nothing beyond the endless one");
                let mut before = (*block).clone();
                before.transactions.truncate(stands);
                let expected = Sequential::new().execute(&before, &*memory, InvalidPolicy::Fail);
                let expected = expected.unwrap();
                assert_eq!(partial.transactions, expected.transactions, "{way:?}");
                assert_eq!(partial.diff, expected.diff, "{way:?}");
                assert_eq!(partial.gas_used, expected.gas_used, "{way:?}");
                assert_works(&engine);
            }
        });
    }
}

#[test]
fn an_endless_loop_is_cancelled_from_another_thread() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for code in endless() {
                let (block, memory) = block(3, Some(&code));
                let store: Arc<dyn StateStore> = memory;
                let token = CancelToken::new();
                let canceller = thread::spawn({
                    let token = token.clone();
                    move || {
                        thread::sleep(Duration::from_millis(10));
                        token.cancel();
                        Instant::now()
                    }
                });
                let options = ExecuteOptions::new().cancel(&token);
                let ended = engine.execute_with(&block, &store, options);
                let end = Instant::now();
                assert_eq!(ended.unwrap_err(), BlockError::Cancelled { committed: None });
                let took = end.saturating_duration_since(canceller.join().unwrap());
                assert!(took < Duration::from_secs(2), "{way:?} took {took:?}");
                assert_works(&engine);
            }
        });
    }
}

#[test]
fn a_block_that_can_be_stopped_and_is_not_has_the_same_outcome() {
    for way in WAYS {
        let engine = engine(way);
        let (block, memory) = block(60, None);
        let expected = Sequential::new().execute(&block, &*memory, InvalidPolicy::Fail);
        let store: Arc<dyn StateStore> = memory;
        for stoppable in [true, false, true, false] {
            let mut options = ExecuteOptions::new();
            if stoppable {
                options = options.cancel(&CancelToken::new()).timeout(Duration::from_secs(3_600));
            }
            let actual = engine.execute_with(&block, &store, options);
            if let Some(difference) = difference(&expected, &actual) {
                panic!("{way:?}: {difference}");
            }
        }
    }
}
