//! Transactions that have one contract create others, and all of which called it before any of them had created
//! anything: a store that holds back what they read in between until all of them wait, and one worker.

use std::sync::{Arc, Mutex};

use alloy_primitives::hex;
use chorus::{
    evm::{BlockOutcome, StateStore},
    store::{MemoryStore, Query, Read},
};

use crate::{
    executor,
    patience::in_time,
    stores::{driven, said},
    world::{CONTRACT, call, calls, expected, parallel, sender},
};

const TRANSACTIONS: u64 = 100;

/// Reads the slot that is named like the caller, with which CREATE2 creates a contract without code.
const BY_SALT: &[u8] = &hex!("33 54 5f 5f 5f f5 50 00");
/// The same with CREATE, beside the slot.
const BY_NONCE: &[u8] = &hex!("33 54 50 5f 5f 5f f0 50 00");
/// With CREATE if there is calldata, else with CREATE2.
const BY_EITHER: &[u8] = &hex!("33 54 36 600e 57 5f 5f 5f f5 50 00 00 00 5b 50 5f 5f 5f f0 50 00");

/// A store of the world that answers reads of slots when there are as many as transactions.
fn gathering(world: Arc<MemoryStore>) -> Arc<dyn StateStore> {
    let all = Arc::new(Mutex::new(Vec::<Read>::new()));
    let fetched = all.clone();
    driven(
        move |reads| fetched.lock().unwrap().extend(reads),
        move || {
            let mut waiting = all.lock().unwrap();
            let is_slot = |read: &Read| matches!(read.query(), Query::Slot(..));
            let count = waiting.iter().filter(|read| is_slot(read)).count() as u64;
            let held = |read: &mut Read| is_slot(read) && count < TRANSACTIONS;
            let (back, due): (Vec<_>, Vec<_>) = waiting
                .drain(..)
                .map(|mut read| (held(&mut read), read))
                .partition(|(held, _)| *held);
            waiting.extend(back.into_iter().map(|(_, read)| read));
            drop(waiting);
            for (_, read) in due {
                let result = said(&world, read.query());
                read.answer(result);
            }
            true
        },
    )
}

/// The factory is called by each sender, with calldata by every `nth`.
fn run(factory: &[u8], nth: u64) -> BlockOutcome {
    let all = (0..TRANSACTIONS).map(|i| call(i, if i % nth == 0 { &[1] } else { &[] }));
    let slot = |i| u64::from_be_bytes(*sender(i).last_chunk().unwrap());
    let slots: Vec<_> = (0..TRANSACTIONS).map(|i| (slot(i), i + 1)).collect();
    let (block, world) = calls(factory, &slots, all);
    let expected = expected(&block, &*world);
    let engine = parallel(1).window(TRANSACTIONS as u32).build().unwrap();
    let actual = engine.execute(&block, &gathering(world));
    assert_eq!(executor::difference(&expected, &actual), None);
    let outcome = actual.unwrap();
    let mut accounts = outcome.diff.accounts.iter();
    let (_, factory) = accounts.find(|(address, _)| *address == CONTRACT).unwrap();
    assert_eq!(factory.nonce, Some(1 + TRANSACTIONS));
    // The senders, who had nothing, and what each had created.
    let created = outcome.diff.accounts.iter().filter(|(_, change)| change.created).count();
    assert_eq!(created as u64, 2 * TRANSACTIONS);
    // The last one goes on at once.
    assert!(outcome.statistics.most_suspended >= TRANSACTIONS - 1);
    outcome
}

#[test]
fn those_who_create_by_salt_do_not_meet() {
    in_time(|| assert_eq!(run(BY_SALT, 1).statistics.incarnations, TRANSACTIONS));
}

#[test]
fn those_who_create_by_nonce_take_the_one_that_is_left_when_they_do() {
    // Until the first has come too late nobody knows that they will meet.
    in_time(|| assert!(run(BY_NONCE, 1).statistics.incarnations < TRANSACTIONS + 5));
}

#[test]
fn a_nonce_that_others_have_raised_is_a_new_one() {
    for nth in [1, 2, 3, 10] {
        in_time(move || {
            run(BY_EITHER, nth);
        });
    }
}
