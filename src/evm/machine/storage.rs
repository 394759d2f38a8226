//! The store below a block: its reads, and what is read ahead.
//!
//! ```text
//!  context ── miss ──► ask ──► Reads ── pump ──► store.fetch
//!     ▲ suspends                                     · · ·
//!     └────── wakes ◄── land: fills the entry ◄── Arrival (from any thread)
//! ```
//!
//! An answer is put into the entry of its account or slot before anybody is woken, so what was read
//! ahead is simply there. Answers that have no entry (has an account storage, a block's hash) are
//! kept with the reads. An error is given to those who waited for that read and to nobody else: who
//! asks later makes the store try again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::Address;
use revm::bytecode::Bytecode;

use super::{
    EvmMachine,
    cells::{Account, SlotKey},
    scout::Scouts,
};
use crate::{
    context::Run,
    engine::message,
    evm::reading::{Reading, Scouting},
    store::{
        Answer, Flight, Query, Read, ReadResult, ReadTotals, Reads, Reply, StateStore, StoreError,
    },
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicU32, Ordering},
        time::{Duration, Instant},
    },
};

/// How many transactions are read ahead at a time.
const CHUNK: u32 = 64;

/// The store with the reads that are under way.
pub(crate) struct Storage {
    pub(super) reads: Reads<Query, ReadResult>,
    /// `None`: everything is at hand.
    latency: Option<Duration>,
    /// Transactions up to here have been read ahead.
    prefetched: AtomicU32,
    prefetching: Mutex<()>,
    pub(super) scouts: Option<Scouts>,
    /// Why the beneficiary could not be read, if it could not: the commit step, which cannot wait,
    /// needs it or does not.
    pub(crate) beneficiary: OnceLock<StoreError>,
}

impl Storage {
    /// Reads of `store`, for a block of so many transactions.
    pub(super) fn new(store: &dyn StateStore, reading: &Reading, transactions: usize) -> Self {
        let latency = store.latency();
        let scouted = latency.filter(|_| reading.scouting == Scouting::Auto);
        Self {
            reads: Reads::new(reading.in_flight),
            latency,
            prefetched: AtomicU32::new(0),
            prefetching: Mutex::new(()),
            scouts: scouted.and_then(|latency| Scouts::new(latency, transactions)),
            beneficiary: OnceLock::new(),
        }
    }

    /// Whether reads may have to be waited for.
    pub(crate) fn is_slow(&self) -> bool {
        self.latency.is_some()
    }

    /// How many scouts ran.
    pub(crate) fn scouts(&self) -> u64 {
        self.scouts.as_ref().map_or(0, Scouts::runs)
    }

    /// Whether the block has ended before its time, so that no answer is waited for.
    pub(crate) fn is_closed(&self) -> bool {
        self.reads.is_closed()
    }

    /// How much was read.
    pub(crate) fn totals(&self) -> ReadTotals {
        self.reads.totals()
    }
}

/// Leaves a read's answer where the block finds it. A block that is gone needs none.
struct Arrival(Weak<Run<EvmMachine>>);

impl Reply for Arrival {
    fn answer(self: Box<Self>, query: Query, result: ReadResult) {
        if let Some(run) = self.0.upgrade() {
            land(&run, query, result);
        }
    }

    fn is_wanted(&self) -> bool {
        self.0.upgrade().is_some_and(|run| !run.machine.storage.reads.is_closed())
    }
}

/// Asks the store, for a transaction of that rank or [`Read::LAST`], and starts what can be started.
/// `None`: the answer has arrived meanwhile, look again.
pub(crate) fn ask(
    run: &Arc<Run<EvmMachine>>,
    query: Query,
    rank: u32,
) -> Option<Arc<Flight<ReadResult>>> {
    let known = || run.machine.is_known(query);
    let flight = run.machine.storage.reads.ask_unless(query, rank, known)?;
    pump(run);
    Some(flight)
}

/// Starts what can be started. Nothing unwinds out of this: a store that panics drops the reads, which
/// is an answer to each.
pub(super) fn pump(run: &Arc<Run<EvmMachine>>) {
    let urgent = || run.scheduler.cursor().frontier().0;
    run.machine.storage.reads.pump(urgent, Instant::now, |batch| {
        let reads = batch
            .into_iter()
            .map(|(query, rank)| Read::new(query, rank, Box::new(Arrival(Arc::downgrade(run)))));
        let reads = reads.collect();
        let fetched = catch_unwind(AssertUnwindSafe(|| run.machine.store.fetch(reads)));
        if let Err(panic) = fetched {
            tracing::error!(message = message(&*panic), "the store panicked");
        }
    });
}

fn land(run: &Arc<Run<EvmMachine>>, query: Query, result: ReadResult) {
    let machine = &run.machine;
    // Another kind of answer is none, and is not kept.
    let result = result.and_then(|answer| answer.checked(query));
    let mut delegate = None;
    match &result {
        Ok(Answer::Account(info)) => {
            if let Query::Account(address) = query {
                let code = info.as_ref().and_then(|info| info.code.as_ref());
                delegate = code.and_then(Bytecode::eip7702_address);
                let id = machine.accounts.intern(&address);
                machine.accounts.entry(id).fill(Account::from_info(info.clone()));
            }
        }
        Ok(Answer::Slot(value)) => {
            if let Query::Slot(address, slot) = query {
                let account = machine.accounts.intern(&address).get();
                let id = machine.slots.intern(&SlotKey { account, generation: 0, slot });
                machine.slots.entry(id).fill(*value);
            }
        }
        _ => {}
    }
    let keep = matches!(result, Ok(Answer::HasStorage(_) | Answer::BlockHash(_)));
    machine.storage.reads.land(query, result, keep);
    if let Some(delegate) = delegate {
        machine.ask_ahead(Query::Account(delegate), Read::LAST);
    }
    pump(run);
}

impl EvmMachine {
    /// Whether nothing is known of the account.
    fn is_unread(&self, address: Address) -> bool {
        let id = self.accounts.find(&address);
        id.is_none_or(|id| self.accounts.entry(id).with_committed(|_| ()).is_none())
    }

    /// Whether the answer lies in the entry that it belongs to, if there is one.
    fn is_known(&self, query: Query) -> bool {
        match query {
            Query::Account(address) => !self.is_unread(address),
            Query::Slot(address, slot) => self.accounts.find(&address).is_some_and(|account| {
                let key = SlotKey { account: account.get(), generation: 0, slot };
                let id = self.slots.find(&key);
                id.is_some_and(|id| self.slots.entry(id).with_committed(|_| ()).is_some())
            }),
            Query::HasStorage(_) | Query::BlockHash(_) => false,
        }
    }

    /// Queues a read that is known to come, if nothing of it is at hand.
    fn ask_ahead(&self, query: Query, rank: u32) {
        // An error at hand is found by whoever needs the location, if anybody does.
        if !self.is_known(query) && self.store.try_get(query).is_none() {
            let _ = self.storage.reads.ask_unless(query, rank, || self.is_known(query));
        }
    }
}

/// Starts the reads that the block itself will need, and those of its first transactions.
pub(crate) fn prefetch_block(run: &Arc<Run<EvmMachine>>) {
    let machine = &run.machine;
    if !machine.storage.is_slow() {
        return;
    }
    for query in machine.block.known_reads() {
        machine.ask_ahead(query, 0);
    }
    prefetch(run);
    pump(run);
}

/// Starts the reads of transactions that will start soon, as far as they show beforehand. Called
/// often; does something when the window has moved.
pub(super) fn prefetch(run: &Arc<Run<EvmMachine>>) {
    let machine = &run.machine;
    let storage = &machine.storage;
    if !storage.is_slow() || machine.prelude.is_some() {
        return;
    }
    // As far ahead again as transactions may start: by the time they do, their reads have landed.
    // The frontier first: by the time the window is looked at it may lie beyond that.
    let frontier = run.scheduler.cursor().frontier().0;
    let started = run.scheduler.window_end();
    let ahead = started.saturating_add(started - frontier);
    let end = ahead.min(run.scheduler.len());
    // Relaxed: a hint; whoever acts on it holds the lock and looks again.
    if storage.prefetched.load(Ordering::Relaxed) >= end {
        return;
    }
    let Some(_guard) = storage.prefetching.try_lock() else { return };
    let mut reads = Vec::new();
    loop {
        let from = storage.prefetched.load(Ordering::Relaxed);
        let to = (from + CHUNK).min(end);
        if from >= to {
            break;
        }
        for tx in from..to {
            machine.block.transactions[tx as usize].known_reads(&mut reads);
            for query in reads.drain(..) {
                machine.ask_ahead(query, tx);
            }
        }
        storage.prefetched.store(to, Ordering::Relaxed);
        pump(run);
    }
}

/// What workers do for the store between transactions. `true`: it counts on being called again.
pub(super) fn serve(run: &Arc<Run<EvmMachine>>) -> bool {
    prefetch(run);
    run.machine.store.drive()
}
