//! An engine inside an async program: blocks are futures, outcomes a stream, and state goes from one
//! block to the next. Any executor will do; the engine brings threads of its own and knows no runtime.
// Examples may use std.
#![allow(clippy::disallowed_types)]

use std::{
    collections::HashMap,
    error::Error,
    future::{pending, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use chorus::native::{
    AmountError, Base, BaseError, BlockError, Engine, ExecuteOptions, Transaction,
};
use futures_core::Stream;

type Tx = Transaction<&'static str, u64, u64, AmountError>;
type Options = ExecuteOptions<&'static str, u64, u64, AmountError>;

/// The state that blocks start from and leave behind.
#[derive(Clone)]
struct Bank(Arc<Mutex<HashMap<&'static str, u64>>>);

impl Base<&'static str, u64> for Bank {
    fn get(&self, account: &&'static str) -> Result<Option<u64>, BaseError> {
        Ok(self.0.lock().unwrap().get(account).copied())
    }
}

/// Pays, and returns what the payer has left.
fn pay(from: &'static str, to: &'static str, amount: u128) -> Tx {
    Tx::new(async move |view| {
        view.debit(&from, amount).await?;
        view.credit(&to, amount).await?;
        Ok(view.get(&from).await.unwrap_or(0))
    })
}

async fn program() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().threads(2).build()?;
    let bank = Bank(Arc::new(Mutex::new(HashMap::from([("alice", 100)]))));
    // What a block leaves is there before the next one begins.
    let chained = || {
        let bank = bank.clone();
        Options::new().on_commit(move |outcome| outcome.apply_to(&mut bank.0.lock().unwrap()))
    };

    // Two blocks in the queue. Outcomes of the second come while it runs, at most eight unread.
    let first = vec![pay("alice", "bob", 60), pay("bob", "carol", 25)];
    let second = vec![pay("bob", "carol", 50), pay("carol", "alice", 10)];
    let first = engine.submit(first, bank.clone(), chained());
    let mut second = engine.submit(second, bank.clone(), chained().stream(8));
    let mut outcomes = second.outcomes().ok_or("asked for above")?;
    let mut left = Vec::new();
    while let Some(outcome) = poll_fn(|cx| Pin::new(&mut outcomes).poll_next(cx)).await {
        left.push(outcome.ok());
    }
    // Bob had 35 and could not pay 50.
    assert_eq!(left, [None, Some(15)]);
    assert_eq!(first.await?.results.len() + second.await?.results.len(), 4);
    assert_eq!(bank.0.lock().unwrap()["alice"], 50);

    // A block that would never end: a deadline ends it, and what was committed before is kept.
    let stuck = vec![pay("alice", "bob", 1), Tx::new(async |_| pending().await)];
    let options = Options::new().timeout(Duration::from_millis(20)).keep_committed();
    match engine.submit(stuck, bank.clone(), options).await {
        Err(BlockError::DeadlineExceeded { committed: Some(partial), .. }) => {
            println!("in time: {} of 2", partial.results.len());
        }
        other => return Err(format!("{:?}", other.map(|outcome| outcome.results)).into()),
    }

    // Dropping the future cancels its block; here tokio's own timeout does it.
    let endless = engine.submit([Tx::new(async |_| pending().await)], bank, Options::new());
    assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(program())
}
