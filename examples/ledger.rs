//! A bank on the native machine: no EVM, just closures over accounts.
//!
//! ```sh
//! cargo run --release --no-default-features --example ledger
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{collections::HashMap, error::Error, time::Instant};

use chorus::native::{AmountError, Engine, Path, Transaction, View, execute_sequential};

/// The bank's books: what each account holds, and the fees of the house.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(u32),
    Fees,
}

type Bank = HashMap<Key, u64>;
type Tx = Transaction<Key, u64, (), AmountError>;

/// Stands for what a real ledger would check: signatures, limits, sanctions.
fn audit(seed: u32) {
    let mut state = u64::from(seed) | 1;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    std::hint::black_box(state);
}

/// Moves money. Both sides are deltas, so payments to one shop, and the fees that all of them pay,
/// run side by side.
fn payment(from: u32, to: u32, amount: u128) -> Tx {
    Tx::new(async move |view: View<Key, u64>| {
        audit(from);
        view.debit(&Key::Account(from), amount + 1).await?;
        view.credit(&Key::Account(to), amount).await?;
        view.credit(&Key::Fees, 1).await
    })
}

/// Looks at a balance and decides by it: this one does depend on the payments before it.
fn close_if_poor(account: u32) -> Tx {
    Tx::new(async move |view: View<Key, u64>| {
        audit(account);
        let key = Key::Account(account);
        if view.get(&key).await.is_some_and(|balance| balance < 10) {
            view.delete(&key);
        }
        Ok(())
    })
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let mut bank: Bank = (0..500).map(|account| (Key::Account(account), 100)).collect();
    let block: Vec<Tx> = (0..2_000u32)
        .map(|at| match at % 20 {
            0 => close_if_poor(at * 7 % 500),
            1..8 => payment(at * 7 % 500, 0, 60),
            _ => payment(at * 7 % 500, at * 11 % 500, u128::from(at % 90)),
        })
        .collect();

    let begin = Instant::now();
    let expected = execute_sequential(&block, bank.clone())?;
    let sequential = begin.elapsed();

    let engine = Engine::builder().path(Path::Parallel).build()?;
    let begin = Instant::now();
    let outcome = engine.execute(&block, bank.clone())?;
    let parallel = begin.elapsed();
    assert_eq!((&outcome.results, &outcome.changes), (&expected.results, &expected.changes));

    outcome.apply_to(&mut bank);
    let refused = outcome.results.iter().filter(|result| result.is_err()).count();
    let statistics = outcome.statistics;
    println!("{} transactions, {refused} refused for lack of funds", block.len());
    println!("fees {}, the shop holds {}", bank[&Key::Fees], bank[&Key::Account(0)]);
    println!("one by one {sequential:?}, on {} workers {parallel:?}", statistics.threads);
    println!("{} runs of closures in all", statistics.incarnations);
    Ok(())
}
