//! Transactions as async Rust closures: a ledger, a game server, a simulator.
//!
//! A block is a list of closures over keys and values of your own types. They run in parallel, and
//! the outcome is exactly that of running them one after another.
//!
//! ```
//! use chorus::native::{AmountError, Engine, Transaction};
//! use std::collections::HashMap;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let transfer = |from: &'static str, to: &'static str, coins: u128| {
//!     Transaction::<&str, u64, (), AmountError>::new(async move |view| {
//!         view.credit(&to, coins).await?;
//!         // If this fails the credit is taken back with it.
//!         view.debit(&from, coins).await
//!     })
//! };
//! let block = [transfer("ann", "bob", 30), transfer("bob", "cleo", 25), transfer("bob", "ann", 99)];
//!
//! let mut ledger = HashMap::from([("ann", 100)]);
//! let engine = Engine::builder().threads(2).build()?;
//! let outcome = engine.execute(&block, ledger.clone())?;
//!
//! assert!(outcome.results[1].is_ok());
//! assert!(matches!(&outcome.results[2], Err(AmountError::Insufficient { amount: 99, .. })));
//! outcome.apply_to(&mut ledger);
//! assert_eq!(ledger, HashMap::from([("ann", 70), ("bob", 5), ("cleo", 25)]));
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//!  worker ── poll ──► Task: closure ── get, put, credit ──► View ──► Overlay   own reads and writes
//!    ▲                    │ awaits                                     │ misses
//!    │                    ▼                                            ▼
//!    └── wake ── anything with a waker             World: Table<Location> on a worker,
//!                                                         a map on the direct path
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `transaction` | an async closure with its hints |
//! | `view` | what the closure sees; where it waits, and where a doomed one stops |
//! | `regions` | shared memory, as a closure uses it |
//! | `overlay` | what one incarnation saw and wrote, and the checks of credits and debits |
//! | `cell` | what a location holds, how it changes, what can be observed of it |
//! | `amount` | numbers of all types on one scale |
//! | `base` | the state before the block |
//! | `task` | a running closure: one poll, and what it ended in |
//! | `machine` | blocks of closures as a [`Machine`](crate::context::Machine) |
//! | `below` | what one of them sees of those before it |
//! | `direct` | one after another: the reference, and the direct path |
//! | `engine`, `outcome` | the façade |
//!
//! What a closure may rely on
//!
//! 1. It sees the effects of all transactions before it and its own, and of no others.
//! 2. Its writes take effect together if it returns `Ok`, and not at all otherwise. Its result is
//!    recorded either way.
//! 3. It may run more than once, on values that never were; the run that counts has seen the right
//!    ones. Whatever a run ends in (an error, a panic, a failing base) counts with the run or not
//!    at all.
//! 4. It never holds a thread while it awaits: other transactions run there meanwhile.
//!
//! What is asked of a closure: that it is a function of what it reads; that it does not wait for
//! another transaction of its block; and that it ends. An endless loop without an await cannot be
//! stopped from outside.

mod amount;
mod base;
mod below;
mod cell;
mod direct;
mod engine;
mod machine;
mod outcome;
mod overlay;
mod regions;
mod task;
mod transaction;
mod view;

pub use self::{
    amount::{Amount, Number},
    base::{Base, BaseError},
    cell::{Key, Value},
    direct::{execute_sequential, execute_sequential_with},
    engine::{Engine, EngineBuilder, ExecuteOptions, Execution},
    outcome::{BlockError, Ended, Outcome, PartialOutcome, Statistics},
    regions::{Checkpoint, Regions, SharedError},
    transaction::Transaction,
    view::{AmountError, View},
};
pub use crate::engine::{CancelToken, EngineError, Outcomes, Path};
