//! A store that takes 200 µs for each first read, and an engine that hides most of that: a transaction
//! that waits for a read holds no thread, so two workers have hundreds of reads under way.
//!
//! ```sh
//! cargo run --release --example slow_store
//! ```

// What is about the library itself, not its users.
#![allow(clippy::disallowed_types)]

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use chorus::{
    evm::{Engine, InvalidPolicy, Scouting, Sequential, StateStore, workload::Workload},
    store::{Fault, FaultyStore, Latency, LatencyStore, Query, Victims},
};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let (block, state) = Workload::DEFAULT.with_transactions(300).build(7);
    let (block, state): (_, Arc<dyn StateStore>) = (Arc::new(block), Arc::new(state));
    // Each location takes this long once, as with a disk below a cache.
    let latency = Latency::Fixed(Duration::from_micros(200));
    let slow = Arc::new(LatencyStore::new(state.clone(), latency));
    let store: Arc<dyn StateStore> = slow.clone();

    let begin = Instant::now();
    let expected = Sequential::new().execute(&block, &*store, InvalidPolicy::Fail)?;
    let sequential = begin.elapsed();
    println!("one by one: {sequential:?}, {} reads, one after another", slow.cold_reads());

    // These are the defaults, but for the threads.
    let engine = Engine::builder()
        .threads(2)
        .window(256) // transactions that are started and not committed
        .reads_in_flight(1024)
        .read_timeout(Some(Duration::from_secs(30)))
        .scouting(Scouting::Auto)
        .build()?;
    slow.forget(); // All is cold again.
    let begin = Instant::now();
    let outcome = engine.execute(&block, &store)?;
    let parallel = begin.elapsed();
    assert_eq!((&outcome.transactions, &outcome.diff), (&expected.transactions, &expected.diff));

    let statistics = outcome.statistics;
    println!(
        "on {} workers: {parallel:?}, {} reads, up to {} of them at a time; {} transactions waited \
         at a time, {} runs ahead",
        statistics.threads,
        statistics.reads.started,
        statistics.reads.most_in_flight,
        statistics.most_suspended,
        statistics.scouts,
    );
    assert!(statistics.reads.most_in_flight > 2);

    // A read that the block needs and that is never answered ends the block, not the engine.
    let sender = Query::Account(block.transactions[0].env.caller);
    let broken = FaultyStore::new(state.clone()).with(Victims::Only(sender), Fault::Silence);
    let impatient =
        Engine::builder().threads(2).read_timeout(Some(Duration::from_millis(50))).build()?;
    let broken: Arc<dyn StateStore> = Arc::new(broken);
    match impatient.execute(&block, &broken) {
        Err(error) => println!("{error}"),
        Ok(_) => return Err("a block without its sender's account".into()),
    }
    assert_eq!(impatient.execute(&block, &state)?.diff, expected.diff);
    Ok(())
}
