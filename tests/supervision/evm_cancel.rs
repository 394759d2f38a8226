//! Ethereum blocks that wait for a store which does not answer.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, TxKind, U256, hex};
use chorus::{
    evm::{
        AccountInfo, Block, BlockEnv, BlockError, CancelToken, Engine, ExecuteOptions, Path,
        SpecId, StateStore, StoreError, SystemRules, TxEnv,
    },
    store::{MemoryStore, Query, Read},
};

use crate::{
    endless::{WAYS, assert_works, engine},
    patience::{in_time, timed},
};

const CONTEXTS: u64 = 1_000;

/// Has accounts, and owes every slot that was ever asked for.
struct Mute {
    memory: MemoryStore,
    accounts_too: bool,
    asked: AtomicUsize,
    owed: Mutex<Vec<Read>>,
}

impl Mute {
    fn new(memory: MemoryStore, accounts_too: bool) -> Arc<Self> {
        let owed = Mutex::default();
        Arc::new(Self { memory, accounts_too, asked: AtomicUsize::new(0), owed })
    }
}

impl StateStore for Mute {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        if self.accounts_too { None } else { self.memory.try_account(address) }
    }

    fn try_storage(&self, _: Address, _: U256) -> Option<Result<U256, StoreError>> {
        None
    }

    fn try_has_storage(&self, _: Address) -> Option<Result<bool, StoreError>> {
        None
    }

    fn try_block_hash(&self, _: u64) -> Option<Result<B256, StoreError>> {
        None
    }

    fn fetch(&self, reads: Vec<Read>) {
        let slots = reads.iter().filter(|read| matches!(read.query(), Query::Slot(..))).count();
        self.asked.fetch_add(slots, Ordering::Relaxed);
        self.owed.lock().unwrap().extend(reads);
    }

    fn latency(&self) -> Option<Duration> {
        Some(Duration::from_micros(100))
    }
}

fn number(base: u64, i: u64) -> Address {
    Address::left_padding_from(&(base + i).to_be_bytes())
}

/// Each reads a slot of its own.
fn block() -> (Arc<Block>, MemoryStore) {
    let mut store = MemoryStore::builder();
    let transactions: Vec<_> = (0..CONTEXTS)
        .map(|i| {
            let contract = number(0xc0_0000, i);
            store.nonce(contract, 1).code(contract, hex!("5f54 5f55").into());
            let kind = TxKind::Call(contract);
            TxEnv { caller: number(0x5e_0000, i), gas_limit: 100_000, kind, ..TxEnv::default() }
        })
        .collect();
    let env = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    (Arc::new(Block::new(SpecId::PRAGUE, 1, env, transactions)), store.build())
}

#[test]
fn a_thousand_contexts_that_wait_for_the_store_are_cancelled_at_once() {
    for threads in [1, 2, 8] {
        in_time(move || {
            let builder = Engine::builder().threads(threads).window(CONTEXTS as u32);
            let builder = builder.reads_in_flight(2 * CONTEXTS as usize).path(Path::Parallel);
            let engine = builder.build().unwrap();
            for _ in 0..3 {
                let (block, memory) = block();
                let mute = Mute::new(memory, false);
                let token = CancelToken::new();
                let canceller = thread::spawn({
                    let (token, mute) = (token.clone(), mute.clone());
                    move || {
                        while mute.asked.load(Ordering::Relaxed) < CONTEXTS as usize {
                            thread::yield_now();
                        }
                        token.cancel();
                        Instant::now()
                    }
                });
                let store: Arc<dyn StateStore> = mute.clone();
                let options = ExecuteOptions::new().cancel(&token).keep_committed();
                let ended = engine.execute_with(&block, &store, options);
                let end = Instant::now();
                let Err(BlockError::Cancelled { committed: Some(partial) }) = ended else {
                    panic!("{ended:?}")
                };
                assert!(partial.transactions.is_empty() && partial.diff.accounts.is_empty());
                let took = end.saturating_duration_since(canceller.join().unwrap());
                assert!(took < Duration::from_secs(2), "{threads} threads took {took:?}");
                assert_works(&engine);
                // Late answers find nobody, and harm nobody.
                let owed = std::mem::take(&mut *mute.owed.lock().unwrap());
                drop(owed);
                assert_works(&engine);
            }
        });
    }
}

#[test]
fn a_store_that_never_answers_ends_the_block_at_its_deadline() {
    // The direct path waits for such a store on its own thread, which is what it is for.
    for way in WAYS.into_iter().filter(|(path, _)| *path == Path::Parallel) {
        // In the prologue, in the transactions.
        for (prologue, accounts_too) in [(true, true), (false, true), (false, false)] {
            in_time(move || {
                let engine = engine(way);
                let (block, memory) = block();
                let mut block = (*block).clone();
                if prologue {
                    let beacon_root = Some(B256::repeat_byte(1));
                    block.system = SystemRules { beacon_root, ..SystemRules::default() };
                }
                let block = Arc::new(block);
                let store: Arc<dyn StateStore> = Mute::new(memory, accounts_too);
                let options = ExecuteOptions::new().timeout(Duration::from_millis(60));
                let options = options.keep_committed();
                let (ended, took) = timed(|| engine.execute_with(&block, &store, options));
                let Err(BlockError::DeadlineExceeded { committed: Some(partial), .. }) = ended
                else {
                    panic!("{ended:?}")
                };
                assert!(partial.transactions.is_empty(), "none can be committed");
                assert!(took < Duration::from_secs(3), "{way:?} took {took:?}");
                assert_works(&engine);
            });
        }
    }
}
