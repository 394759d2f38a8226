//! What the native machine promises, one claim per test; all through the parallel path unless the
//! claim says otherwise.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/event.rs"]
mod event;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use chorus::native::{
    Amount, AmountError, Base, BaseError, BlockError, Engine, EngineError, Outcome, Path,
    Transaction, execute_sequential,
};
use event::{Event, pause};

type Ledger = HashMap<&'static str, u64>;
type Tx = Transaction<&'static str, u64, u64, AmountError>;
type Done = Outcome<&'static str, u64, u64, AmountError>;

fn engine(threads: usize) -> Engine<&'static str, u64, u64, AmountError> {
    Engine::builder().threads(threads).path(Path::Parallel).build().unwrap()
}

/// Executes at several thread counts, checks that the outcome is the sequential one, and returns
/// each parallel outcome.
fn everywhere(block: &[Tx], base: &Ledger) -> Vec<Done> {
    let reference = execute_sequential(block, base.clone()).unwrap();
    [1, 2, 4, 8]
        .into_iter()
        .map(|threads| {
            let outcome = engine(threads).execute(block, base.clone()).unwrap();
            assert!(outcome.statistics.parallel);
            assert_eq!(outcome.results, reference.results, "{threads} threads");
            assert_eq!(outcome.changes, reference.changes, "{threads} threads");
            outcome
        })
        .collect()
}

fn add_one() -> Tx {
    Tx::new(async |view| {
        let value = view.get(&"count").await.unwrap_or(0);
        view.put(&"count", value + 1);
        Ok(value)
    })
}

#[test]
fn a_chain_of_dependent_transactions_gives_the_sequential_result() {
    let block: Vec<Tx> = (0..300).map(|_| add_one()).collect();
    for outcome in everywhere(&block, &Ledger::new()) {
        assert_eq!(outcome.results, (0..300).map(Ok).collect::<Vec<_>>());
        assert_eq!(outcome.changes, [("count", Some(300))]);
    }
}

#[test]
fn a_transaction_reads_its_own_writes() {
    let block = [Tx::new(async |view| {
        view.put(&"a", 5);
        view.credit(&"a", 2).await?;
        assert_eq!(view.get(&"a").await, Some(7));
        view.delete(&"a");
        assert_eq!(view.get(&"a").await, None);
        view.add(&"b", 3).await?;
        view.add(&"b", -1).await?;
        assert_eq!(view.get(&"b").await, Some(12));
        Ok(0)
    })];
    for outcome in everywhere(&block, &Ledger::from([("b", 10)])) {
        assert_eq!(outcome.changes, [("a", None), ("b", Some(12))]);
    }
}

#[test]
fn a_failed_transaction_leaves_no_trace_but_its_result() {
    let fails = Tx::new(async |view| {
        view.put(&"a", 99);
        view.delete(&"b");
        view.credit(&"c", 1).await?;
        view.debit(&"d", 1).await?;
        Ok(0)
    });
    let reads = Tx::new(async |view| {
        let mut sum = 0;
        for key in ["a", "b", "c", "d"] {
            sum = sum * 10 + view.get(&key).await.unwrap_or(9);
        }
        Ok(sum)
    });
    let block = [fails, reads];
    for outcome in everywhere(&block, &Ledger::from([("a", 1), ("b", 2), ("c", 3)])) {
        let refused = AmountError::Insufficient { key: "\"d\"".into(), amount: 1 };
        assert_eq!(outcome.results, [Err(refused), Ok(1239)]);
        assert_eq!(outcome.changes, []);
    }
}

#[test]
fn credits_of_one_location_do_not_conflict() {
    let credit = |amount: u128| {
        Tx::new(async move |view| {
            // Many are in flight, so every order of publishing happens.
            pause().await;
            view.credit(&"till", amount).await?;
            pause().await;
            Ok(0)
        })
    };
    let block: Vec<Tx> = (1..=500).map(credit).collect();
    for outcome in everywhere(&block, &Ledger::from([("till", 7)])) {
        assert_eq!(outcome.changes, [("till", Some(7 + 500 * 501 / 2))]);
        assert_eq!(outcome.statistics.incarnations, 500);
        assert_eq!(outcome.statistics.wasted_accesses, 0);
    }
}

#[test]
fn credits_and_covered_debits_of_one_location_do_not_conflict() {
    let change = |at: i128| {
        Tx::new(async move |view| {
            pause().await;
            view.add(&"till", if at % 2 == 0 { at } else { -at }).await?;
            Ok(0)
        })
    };
    let block: Vec<Tx> = (0..400).map(change).collect();
    for outcome in everywhere(&block, &Ledger::from([("till", 1_000_000)])) {
        assert_eq!(outcome.changes, [("till", Some(1_000_000 - 200))]);
        assert_eq!(outcome.statistics.incarnations, 400);
    }
}

#[test]
fn a_debit_that_is_not_covered_is_refused_exactly_as_in_sequence() {
    let debit = |at: usize| {
        Tx::new(async move |view| {
            pause().await;
            if at.is_multiple_of(5) {
                view.credit(&"till", 12).await?;
            } else {
                view.debit(&"till", 7).await?;
            }
            Ok(at as u64)
        })
    };
    let block: Vec<Tx> = (0..200).map(debit).collect();
    for outcome in everywhere(&block, &Ledger::from([("till", 20)])) {
        let refused = outcome.results.iter().filter(|result| result.is_err()).count();
        assert_eq!(refused, 160 - (20 + 40 * 12) / 7);
    }
}

#[test]
fn a_credit_that_overflows_is_refused_at_the_end_of_the_type() {
    let credit =
        |amount: u128| Tx::new(async move |view| view.credit(&"a", amount).await.map(|()| 0));
    let block = [credit(u128::MAX), credit(6), credit(5), credit(1)];
    for outcome in everywhere(&block, &Ledger::from([("a", u64::MAX - 5)])) {
        let granted: Vec<bool> = outcome.results.iter().map(Result::is_ok).collect();
        assert_eq!(granted, [false, false, true, false]);
        assert_eq!(outcome.changes, [("a", Some(u64::MAX))]);
    }
}

#[test]
fn values_of_ones_own_can_hold_numbers_among_other_things() {
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Item {
        Coins { count: i32, owner: u8 },
        Name(String),
    }
    impl Amount for Item {
        type Number = i32;
        fn number(&self) -> Option<i32> {
            if let Item::Coins { count, .. } = self { Some(*count) } else { None }
        }
        fn from_number(count: i32) -> Self {
            Item::Coins { count, owner: 0 }
        }
        fn set_number(&mut self, number: i32) {
            if let Item::Coins { count, .. } = self {
                *count = number;
            }
        }
    }
    let name = |name: &str| Item::Name(name.to_string());
    let base = HashMap::from([(1, Item::Coins { count: -3, owner: 9 }), (2, name("ann"))]);
    let debit = |key: u8| {
        Transaction::<u8, Item, (), AmountError>::new(async move |view| view.debit(&key, 4).await)
    };
    let engine = Engine::builder().threads(2).path(Path::Parallel).build().unwrap();
    let outcome = engine.execute(&[debit(1), debit(2), debit(3)], base).unwrap();
    let no_number = AmountError::NotANumber { key: "2".into() };
    assert_eq!(outcome.results, [Ok(()), Err(no_number), Ok(())]);
    let after = |count, owner| Some(Item::Coins { count, owner });
    assert_eq!(outcome.changes, [(1, after(-7, 9)), (3, after(-4, 0))]);
}

#[test]
fn a_panic_ends_the_block_naming_its_transaction_and_the_engine_lives_on() {
    let engine = engine(2);
    let mut block: Vec<Tx> = (0..50).map(|_| add_one()).collect();
    block[20] = Tx::new(async |view| panic!("no {:?} here", view.get(&"count").await));
    for _ in 0..20 {
        let error = engine.execute(&block, Ledger::new()).unwrap_err();
        assert_eq!(error.to_string(), "transaction 20 panicked: no Some(20) here");
        let outcome = engine.execute(&block[..20], Ledger::new()).unwrap();
        assert_eq!(outcome.changes, [("count", Some(20))]);
    }
    let error = execute_sequential(&block, Ledger::new()).unwrap_err();
    assert_eq!(error.to_string(), "transaction 20 panicked: no Some(20) here");
}

#[test]
fn a_panic_while_a_closure_is_dropped_is_its_outcome_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("dropped");
            }
        }
    }
    let block = [Tx::new(async |_| {
        let _bomb = Bomb;
        Ok(0)
    })];
    let error = engine(1).execute(&block, Ledger::new()).unwrap_err();
    assert!(matches!(error, BlockError::Panic { index: 0, .. }), "{error}");
}

#[test]
fn the_panic_of_an_incarnation_that_read_a_stale_value_is_no_panic_of_the_block() {
    let (event, panics) = (Event::default(), Arc::new(AtomicU32::new(0)));
    let writes = {
        let event = event.clone();
        Tx::new(async move |view| {
            // Suspended here until the other has read the value from before.
            event.wait().await;
            view.put(&"a", 1);
            Ok(0)
        })
    };
    let reads = {
        let panics = panics.clone();
        Tx::new(async move |view| {
            let value = view.get(&"a").await;
            event.fire();
            if value.is_none() {
                panics.fetch_add(1, Ordering::Relaxed);
                panic!("stale");
            }
            Ok(value.unwrap_or(0))
        })
    };
    let outcome = engine(1).execute(&[writes, reads], Ledger::new()).unwrap();
    assert_eq!(outcome.results, [Ok(0), Ok(1)]);
    assert_eq!(panics.load(Ordering::Relaxed), 1);
    assert_eq!(outcome.statistics.incarnations, 3);
}

#[test]
fn a_doomed_incarnation_is_dropped_where_it_waits() {
    let (event, never) = (Event::default(), Event::default());
    let dropped = Arc::new(AtomicU32::new(0));
    struct Count(Arc<AtomicU32>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let writes = {
        let event = event.clone();
        Tx::new(async move |view| {
            event.wait().await;
            view.put(&"a", 1);
            Ok(0)
        })
    };
    let reads = {
        let dropped = dropped.clone();
        Tx::new(async move |view| {
            let _count = Count(dropped.clone());
            let value = view.get(&"a").await;
            event.fire();
            if value.is_none() {
                // Only news of the write gets it out of here.
                never.wait().await;
            }
            Ok(1)
        })
    };
    let outcome = engine(1).execute(&[writes, reads], Ledger::new()).unwrap();
    assert_eq!(outcome.results, [Ok(0), Ok(1)]);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    assert!(outcome.statistics.wasted_accesses > 0);
}

#[test]
fn a_failing_base_ends_the_block_naming_transaction_and_location() {
    struct Broken;
    impl Base<&'static str, u64> for Broken {
        fn get(&self, key: &&'static str) -> Result<Option<u64>, BaseError> {
            if *key == "bad" { Err("disk on fire".into()) } else { Ok(Some(1)) }
        }
    }
    let read = |key: &'static str| Tx::new(async move |view| Ok(view.get(&key).await.unwrap_or(0)));
    let block = [read("good"), read("bad"), read("bad")];
    for outcome in [engine(2).execute(&block, Broken), execute_sequential(&block, Broken)] {
        let error = outcome.unwrap_err();
        assert_eq!(error.to_string(), "transaction 1, reading \"bad\": disk on fire");
    }
}

#[test]
fn closures_are_let_go_of_when_the_block_has_ended() {
    // The event keeps the waker, the closure keeps the event: a cycle, were the waker to keep the
    // block.
    let held = Arc::new(());
    let event = Event::default();
    let waits = {
        let (held, event) = (held.clone(), event.clone());
        Tx::new(async move |_| {
            let _held = &held;
            event.wait().await;
            Ok(0)
        })
    };
    let engine = engine(2);
    let panics = Tx::new(async |_| panic!("end of block"));
    engine.execute(&[panics, waits], Ledger::new()).unwrap_err();
    drop(engine);
    assert_eq!(Arc::strong_count(&held), 1);
    event.fire();
}

#[test]
fn a_wrong_hint_costs_time_only() {
    let write = |at: usize| {
        let key = ["a", "b", "c", "d"][at % 4];
        let hint = ["a", "b", "c", "d"][at / 4 % 4];
        Tx::new(async move |view| {
            let value = view.get(&key).await.unwrap_or(0);
            view.put(&key, value + 1);
            Ok(value)
        })
        .with_write_hints([hint, "nobody", hint])
    };
    let block: Vec<Tx> = (0..200).map(write).collect();
    everywhere(&block, &Ledger::new());
}

#[test]
fn a_right_hint_spares_the_reader_an_incarnation() {
    let ran = Arc::new(AtomicUsize::new(0));
    let write = Tx::new(async |view| {
        for _ in 0..10 {
            pause().await;
        }
        view.put(&"a", 1);
        Ok(0)
    })
    .with_write_hints(["a"]);
    let read = {
        let ran = ran.clone();
        Tx::new(async move |view| {
            let value = view.get(&"a").await;
            ran.fetch_add(1, Ordering::Relaxed);
            Ok(value.unwrap_or(0))
        })
    };
    for threads in [1, 2] {
        let outcome = engine(threads).execute(&[write.clone(), read.clone()], Ledger::new());
        let outcome = outcome.unwrap();
        assert_eq!(outcome.results, [Ok(0), Ok(1)]);
        assert_eq!(outcome.statistics.incarnations, 2);
    }
    assert_eq!(ran.load(Ordering::Relaxed), 2);
}

#[test]
fn blocks_without_transactions_and_impossible_configurations_are_no_trouble() {
    let outcome = engine(2).execute(&[], Ledger::new()).unwrap();
    assert!(outcome.results.is_empty() && outcome.changes.is_empty());
    let builder = Engine::<u8, u8, (), ()>::builder;
    assert!(matches!(builder().threads(0).build(), Err(EngineError::NoThreads)));
    assert!(matches!(builder().window(0).build(), Err(EngineError::NoWindow)));
}

#[test]
fn blocks_that_cannot_gain_go_direct() {
    let path = |threads, transactions: usize| {
        let engine = Engine::builder().threads(threads).build().unwrap();
        let block: Vec<Tx> = (0..transactions).map(|_| add_one()).collect();
        engine.execute(&block, Ledger::new()).unwrap().statistics.parallel
    };
    assert_eq!([path(1, 100), path(2, 1), path(2, 100)], [false, false, true]);
}
