//! Random programs give, on any number of threads and in any window, what a plain interpreter
//! gives that runs them one after another on a map.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/event.rs"]
mod event;

use std::{
    cell::Cell,
    collections::HashMap,
    panic::{panic_any, set_hook, take_hook},
    sync::Arc,
};

use chorus::native::{BlockError, Engine, Outcome, Path, Transaction, View, execute_sequential};
use proptest::prelude::*;

/// Keys 0..KEYS are used; amounts are of type `u8`, so that checks fail often.
const KEYS: u8 = 6;

/// What programs panic with.
struct Divisible;

/// One step of a program. `acc` is the program's memory; it depends on everything that was seen.
#[derive(Clone, Debug)]
enum Op {
    /// acc ← acc · 31 + value
    Get(u8),
    /// Reads the key that acc names.
    Follow,
    Put(u8),
    Delete(u8),
    /// acc changes if it is refused.
    Credit(u8, u8),
    Debit(u8, u8),
    /// The program fails if it is refused.
    MustDebit(u8, u8),
    FailIfDivisible(u32),
    PanicIfDivisible(u32),
    /// Lets others run.
    Pause,
}

#[derive(Clone, Debug)]
struct Program {
    ops: Vec<Op>,
    /// Right or wrong.
    hints: Vec<u8>,
}

type Tx = Transaction<u8, u8, u32, u32>;
type Block = Outcome<u8, u8, u32, u32>;

fn mix(acc: u32, value: Option<u8>) -> u32 {
    acc.wrapping_mul(31).wrapping_add(value.map_or(1, |value| u32::from(value) + 2))
}

fn low_byte(acc: u32) -> u8 {
    (acc >> 3) as u8
}

async fn run(ops: &[Op], view: &View<u8, u8>) -> Result<u32, u32> {
    let mut acc = view.index() as u32;
    for op in ops {
        match op {
            Op::Get(key) => acc = mix(acc, view.get(key).await),
            Op::Follow => acc = mix(acc, view.get(&(low_byte(acc) % KEYS)).await),
            Op::Put(key) => view.put(key, low_byte(acc)),
            Op::Delete(key) => view.delete(key),
            Op::Credit(key, amount) => {
                if view.credit(key, u128::from(*amount)).await.is_err() {
                    acc += 7;
                }
            }
            Op::Debit(key, amount) => {
                if view.add(key, -i128::from(*amount)).await.is_err() {
                    acc += 11;
                }
            }
            Op::MustDebit(key, amount) => {
                view.debit(key, u128::from(*amount)).await.map_err(|_| acc)?;
            }
            Op::FailIfDivisible(by) if acc.is_multiple_of(*by) => return Err(acc),
            Op::PanicIfDivisible(by) if acc.is_multiple_of(*by) => panic_any(Divisible),
            Op::PanicIfDivisible(_) => {}
            Op::FailIfDivisible(_) => {}
            Op::Pause => event::pause().await,
        }
    }
    Ok(acc)
}

/// The oracle: no view, no overlay, no engine. `Err` is the transaction that panics.
fn interpret(
    programs: &[Program],
    state: &mut HashMap<u8, u8>,
) -> Result<Vec<Result<u32, u32>>, usize> {
    let mut results = Vec::new();
    for (index, program) in programs.iter().enumerate() {
        let mut after = state.clone();
        let result = interpret_one(&program.ops, index as u32, &mut after).ok_or(index)?;
        if result.is_ok() {
            *state = after;
        }
        results.push(result);
    }
    Ok(results)
}

fn interpret_one(
    ops: &[Op],
    mut acc: u32,
    state: &mut HashMap<u8, u8>,
) -> Option<Result<u32, u32>> {
    for op in ops {
        match op {
            Op::Get(key) => acc = mix(acc, state.get(key).copied()),
            Op::Follow => acc = mix(acc, state.get(&(low_byte(acc) % KEYS)).copied()),
            Op::Put(key) => {
                state.insert(*key, low_byte(acc));
            }
            Op::Delete(key) => {
                state.remove(key);
            }
            Op::Credit(key, amount) => {
                match state.get(key).copied().unwrap_or(0).checked_add(*amount) {
                    Some(sum) => drop(state.insert(*key, sum)),
                    None => acc += 7,
                }
            }
            Op::Debit(key, amount) => {
                match state.get(key).copied().unwrap_or(0).checked_sub(*amount) {
                    Some(rest) => drop(state.insert(*key, rest)),
                    None => acc += 11,
                }
            }
            Op::MustDebit(key, amount) => {
                match state.get(key).copied().unwrap_or(0).checked_sub(*amount) {
                    Some(rest) => drop(state.insert(*key, rest)),
                    None => return Some(Err(acc)),
                }
            }
            Op::FailIfDivisible(by) if acc.is_multiple_of(*by) => return Some(Err(acc)),
            Op::PanicIfDivisible(by) if acc.is_multiple_of(*by) => return None,
            Op::FailIfDivisible(_) | Op::PanicIfDivisible(_) | Op::Pause => {}
        }
    }
    Some(Ok(acc))
}

fn block(programs: &[Program]) -> Vec<Tx> {
    let transaction = |program: &Program| {
        let ops = program.ops.clone();
        Tx::new(async move |view| run(&ops, &view).await).with_write_hints(program.hints.clone())
    };
    programs.iter().map(transaction).collect()
}

/// Compares an outcome with the oracle's.
fn check(
    programs: &[Program],
    base: &HashMap<u8, u8>,
    outcome: &Result<Block, BlockError>,
    how: &str,
) {
    let mut expected = base.clone();
    match (interpret(programs, &mut expected), outcome) {
        (Ok(results), Ok(outcome)) => {
            assert_eq!(outcome.results, results, "{how}");
            let mut state = base.clone();
            outcome.apply_to(&mut state);
            assert_eq!(state, expected, "{how}");
        }
        (Err(at), Err(BlockError::Panic { index, message })) => {
            assert_eq!(*index, at, "{how}: {message}");
        }
        (expected, outcome) => panic!("{how}: expected {expected:?}, got {outcome:?}"),
    }
}

fn op(panics: bool) -> impl Strategy<Value = Op> {
    let key = || 0..KEYS;
    prop_oneof![
        4 => key().prop_map(Op::Get),
        2 => Just(Op::Follow),
        3 => key().prop_map(Op::Put),
        1 => key().prop_map(Op::Delete),
        4 => (key(), 0..90u8).prop_map(|(key, amount)| Op::Credit(key, amount)),
        3 => (key(), 0..90u8).prop_map(|(key, amount)| Op::Debit(key, amount)),
        2 => (key(), 0..90u8).prop_map(|(key, amount)| Op::MustDebit(key, amount)),
        1 => (2..9u32).prop_map(Op::FailIfDivisible),
        u32::from(panics) => (40..400u32).prop_map(Op::PanicIfDivisible),
        2 => Just(Op::Pause),
    ]
}

fn programs(panics: bool) -> impl Strategy<Value = Vec<Program>> {
    let ops = prop::collection::vec(op(panics), 1..9);
    let hints = prop::collection::vec(0..KEYS, 0..3);
    let program = (ops, hints).prop_map(|(ops, hints)| Program { ops, hints });
    prop::collection::vec(program, 1..70)
}

fn engines() -> Vec<(String, Engine<u8, u8, u32, u32>)> {
    let engine = |(threads, window)| {
        let engine = Engine::builder().threads(threads).window(window).path(Path::Parallel);
        (format!("{threads} threads, window {window}"), engine.build().unwrap())
    };
    [1, 2, 4, 8]
        .into_iter()
        .flat_map(|threads| [1, 2, 7, 256].map(|window| (threads, window)))
        .map(engine)
        .collect()
}

fn compare(cases: u32, panics: bool) {
    let engines = engines();
    let (in_vain, suspensions) = (Cell::new(0), Cell::new(0));
    let base = prop::collection::hash_map(0..KEYS, any::<u8>(), 0..usize::from(KEYS));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(programs(panics), base), |(programs, base)| {
            let block = block(&programs);
            let base = Arc::new(base);
            let reference = execute_sequential(&block, base.clone());
            check(&programs, &base, &reference, "one by one");
            for (how, engine) in &engines {
                for _ in 0..2 {
                    let outcome = engine.execute(&block, base.clone());
                    check(&programs, &base, &outcome, how);
                    if let (Ok(reference), Ok(outcome)) = (&reference, &outcome) {
                        assert_eq!(outcome.changes, reference.changes, "{how}");
                        let statistics = outcome.statistics;
                        let extra = statistics.incarnations - block.len() as u64;
                        in_vain.update(|sum| sum + extra);
                        suspensions.update(|sum| sum + statistics.suspensions);
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    // Otherwise the test shows nothing.
    assert!(in_vain.get() > 0 && suspensions.get() > 0, "{in_vain:?} {suspensions:?}");
}

#[test]
fn random_programs_give_the_sequential_outcome_on_any_threads_and_window() {
    compare(250, false);
}

#[test]
fn random_programs_that_panic_end_the_block_where_the_sequential_run_ends() {
    // The programs' own panics are not news.
    let report = take_hook();
    set_hook(Box::new(move |panic| {
        if !panic.payload().is::<Divisible>() {
            report(panic);
        }
    }));
    compare(250, true);
}
