//! A worker that comes back when the block has ended, from a store that took its time, changes nothing of what comes of
//! the block.
#![cfg(feature = "evm")]
#![allow(missing_docs)]
// A test may use the standard library's types, and stand for a store that is slow where it said it was not.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/executor.rs"]
mod executor;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, bytes};
use chorus::{
    evm::{
        Block, BlockEnv, Engine, InvalidPolicy, Path, Sequential, SpecId, StateStore, Transaction,
        TxEnv,
    },
    store::{MemoryStore, Read, StoreError},
};
use revm::state::AccountInfo;

/// Calls, each of a contract of its own.
const CALLS: u64 = 300;
/// What comes last: a transfer that is not valid, so that nobody but who looks ahead has to do with its recipient.
const LAST: u64 = CALLS;
/// At the last calls the calling thread lets the other one go ahead.
const FINAL: u64 = 8;
/// How long a thread waits for the other one, which may not come.
const PATIENCE: Duration = Duration::from_millis(2);

fn caller(number: u64) -> Address {
    Address::from_word(alloy_primitives::keccak256(number.to_be_bytes()))
}

fn contract(number: u64) -> Address {
    caller(1_000_000 + number)
}

fn recipient(number: u64) -> Address {
    caller(2_000_000 + number)
}

/// Has another thread than the calling one look at the last sender, and keeps it there until the calling one has asked
/// for it, too, and some time longer.
struct Lingering {
    state: MemoryStore,
    caller: ThreadId,
    /// Whether another thread looks at the last sender, and whether the calling one has asked for it.
    looks: AtomicBool,
    asked: AtomicBool,
    nanos: AtomicU64,
    /// How often another thread came back after that.
    late: AtomicU64,
}

impl Lingering {
    /// Whether the account is not at hand.
    fn is_left_out(&self, address: Address) -> bool {
        let last = address == caller(LAST);
        if thread::current().id() == self.caller {
            if last {
                self.asked.store(true, Ordering::Relaxed);
            } else if (CALLS - FINAL..CALLS).any(|number| contract(number) == address) {
                wait_for(&self.looks);
            }
            return last;
        }
        if last {
            self.looks.store(true, Ordering::Relaxed);
            if wait_for(&self.asked) {
                let (begin, nanos) = (Instant::now(), self.nanos.load(Ordering::Relaxed));
                while begin.elapsed() < Duration::from_nanos(nanos) {
                    std::hint::spin_loop();
                }
                self.late.fetch_add(1, Ordering::Relaxed);
            }
        }
        false
    }
}

/// Whether that has come before the thread's patience ended.
fn wait_for(what: &AtomicBool) -> bool {
    let begin = Instant::now();
    while !what.load(Ordering::Relaxed) {
        if begin.elapsed() > PATIENCE {
            return false;
        }
        thread::yield_now();
    }
    true
}

impl StateStore for Lingering {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        if self.is_left_out(address) { None } else { self.state.try_account(address) }
    }

    fn fetch(&self, reads: Vec<Read>) {
        self.state.fetch(reads);
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.state.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.state.try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.state.try_block_hash(number)
    }
}

fn state() -> MemoryStore {
    let mut state = MemoryStore::builder();
    for number in 0..=LAST {
        state.balance(caller(number), U256::from(u64::MAX));
    }
    for number in 0..CALLS {
        // Stores what it is paid.
        state.code(contract(number), bytes!("345f5500"));
    }
    state.build()
}

fn transaction(number: u64) -> Transaction {
    let called = number < CALLS;
    let env = TxEnv {
        caller: caller(number),
        nonce: u64::from(!called),
        kind: TxKind::Call(if called { contract(number) } else { recipient(number) }),
        value: U256::from(number + 1),
        gas_limit: if called { 60_000 } else { 21_000 },
        gas_price: 10,
        // Without data it would be looked ahead at like a transfer.
        data: if called { bytes!("00") } else { Bytes::new() },
        chain_id: Some(1),
        ..TxEnv::default()
    };
    Transaction { env, ..Transaction::default() }
}

#[test]
fn a_worker_that_looks_ahead_when_the_block_has_ended_changes_nothing_of_its_diff() {
    let env = BlockEnv { number: U256::from(1), gas_limit: 30_000_000_000, ..BlockEnv::default() };
    let transactions = (0..=LAST).map(transaction);
    let block = Arc::new(Block::new(SpecId::SHANGHAI, 1, env, transactions));
    let expected = Sequential::new().execute(&block, &state(), InvalidPolicy::Skip);
    assert!(expected.is_ok(), "{:?}", expected.err());
    let lingering = Arc::new(Lingering {
        state: state(),
        caller: thread::current().id(),
        looks: AtomicBool::new(false),
        asked: AtomicBool::new(false),
        nanos: AtomicU64::new(0),
        late: AtomicU64::new(0),
    });
    let store: Arc<dyn StateStore> = lingering.clone();
    for threads in [2, 3] {
        let engine = Engine::builder().threads(threads).path(Path::Parallel);
        let engine = engine.policy(InvalidPolicy::Skip).build().unwrap();
        for round in 0..200 {
            // As far as the end of the diff.
            let nanos = round % 40 * 5_000;
            lingering.looks.store(false, Ordering::Relaxed);
            lingering.asked.store(false, Ordering::Relaxed);
            lingering.nanos.store(nanos, Ordering::Relaxed);
            let actual = engine.execute(&block, &store);
            if let Some(difference) = executor::difference(&expected, &actual) {
                panic!("{threads} threads, round {round}, {nanos} ns: {difference}");
            }
        }
    }
    // On two cores, two times of three.
    assert!(lingering.late.load(Ordering::Relaxed) > 0, "nobody was late");
}
