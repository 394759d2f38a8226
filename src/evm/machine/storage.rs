//! The store below a block: its reads, and what is read ahead.
//!
//! ```text
//!  context ── miss ──► ask ──► Reads ── pump ──► store.fetch
//!     ▲ suspends                                     · · ·
//!     └────── wakes ◄── land: fills the entry ◄── Home (from any thread)
//! ```
//!
//! An answer is put into the entry of its account or slot before anybody is woken, so what was read
//! ahead is simply there. So reads are known by that entry ([`Target`]), which is found once, rather
//! than by what the store is asked. Answers that have no entry (has an account storage, a block's
//! hash) are kept with the reads. An error is given to those who waited for that read and to nobody else: who
//! asks later makes the store try again.
//!
//! How answers come back is in [`super::landing`].
//!
//! Where everything is at hand, nothing is looked up ahead. Of 37,000 ERC-20 transfers, switched on and off in turns within
//! one program: the senders of the next 32 transactions, by whoever starts the first, 0.97–1.0 of the time; those of the eight
//! that a worker takes together 0.99–1.04; the slots of hashes that are guessed for the next transactions 1.05–1.14, since
//! half of these run on the other core.

use std::ops::Range;

use alloy_primitives::{Address, B256, U256};
use crossbeam_utils::CachePadded;

use super::{
    EvmMachine,
    at_hand::AtHand,
    cells::SlotKey,
    foresight::{Calls, Foreseen, Foresight, Pace},
    landing::drive,
    scout::Scouts,
    target::{Asks, Landed, Target},
    tending::Tending,
};
use crate::{
    context::Run,
    evm::reading::{Reading, Scouting},
    state::{EntryId, TxIndex},
    store::{Flight, Query, ReadResult, ReadTotals, Reads, StateStore, StoreError},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
        time::Duration,
    },
};

/// How many transactions are read ahead at a time: at most ...
const CHUNK: u32 = 64;
/// ... and in the long run this part of the way ahead ...
const PART: u32 = 4;
/// ... or this many. What is asked for together shares its locks, its looks at the clock and its call
/// of the store.
const ENOUGH: u32 = 16;

/// The store with the reads that are under way.
pub(crate) struct Storage {
    pub(super) reads: Reads<Target, Landed>,
    /// `None`: everything is at hand.
    latency: Option<Duration>,
    /// Transactions up to here have been read ahead.
    prefetched: AtomicU32,
    prefetching: Mutex<Pace>,
    pub(super) tending: CachePadded<Tending>,
    /// What the pace said last.
    ahead: AtomicU32,
    /// How often a context had to wait.
    waits: AtomicU32,
    pub(super) scouts: Option<Scouts>,
    at_hand: AtHand,
    pub(super) foresight: Foresight,
    pub(super) calls: Calls,
    pub(super) foreseen: Foreseen,
    /// Places for the entries of what is foreseen.
    pub(super) fresh: Mutex<Vec<Range<u32>>>,
    /// Why the beneficiary could not be read, if it could not: the commit step, which cannot wait,
    /// needs it or does not.
    pub(crate) beneficiary: OnceLock<StoreError>,
}

impl Storage {
    /// Reads of `store`, for a block of so many transactions.
    pub(super) fn new(store: &dyn StateStore, reading: &Reading, transactions: usize) -> Self {
        let latency = store.latency();
        let foreseen = if latency.is_some() { transactions } else { 0 };
        let scouted = latency.filter(|_| reading.scouting == Scouting::Auto);
        Self {
            reads: Reads::new(reading.in_flight),
            latency,
            prefetched: AtomicU32::new(0),
            prefetching: Mutex::default(),
            tending: CachePadded::default(),
            ahead: AtomicU32::new(u32::MAX),
            waits: AtomicU32::new(0),
            scouts: scouted.and_then(|latency| Scouts::new(latency, transactions)),
            at_hand: AtHand::default(),
            foresight: Foresight::default(),
            calls: Calls::new(foreseen),
            foreseen: Foreseen::new(foreseen),
            fresh: Mutex::default(),
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

    /// A context is about to wait.
    pub(super) fn note_wait(&self) {
        // Relaxed: how far ahead to read, which no correctness hangs on.
        self.waits.fetch_add(1, Ordering::Relaxed);
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

/// Asks the store, for a transaction of that rank or [`Read::LAST`], and starts what can be started.
/// `None`: the answer has arrived meanwhile, look again.
pub(crate) fn ask(
    run: &Arc<Run<EvmMachine>>,
    target: Target,
    rank: u32,
) -> Option<Arc<Flight<Landed>>> {
    let known = || run.machine.is_known(target);
    let flight = run.machine.storage.reads.ask_and_pump(target, rank, known, run);
    if flight.is_none() {
        // What the caller has queued beside it is to start all the same.
        pump(run);
    }
    flight
}

/// Starts what can be started.
pub(super) fn pump(run: &Arc<Run<EvmMachine>>) {
    run.machine.storage.reads.pump(run);
}

/// Queues reads and starts what can be started.
fn queue_and_pump(run: &Arc<Run<EvmMachine>>, asks: Asks) {
    let machine = &run.machine;
    match asks.is_empty() {
        true => pump(run),
        false => {
            machine.storage.reads.ask_ahead_and_pump(asks, |target| machine.is_known(target), run);
        }
    }
}

impl EvmMachine {
    /// The entry that the answer concerns, which is made if there is none.
    pub(crate) fn target_of(&self, query: Query) -> Target {
        self.target_by(query, |address| self.accounts.intern(address))
    }

    /// The same, for one who says what the account's entry is.
    fn target_by(&self, query: Query, account: impl FnOnce(&Address) -> EntryId) -> Target {
        match query {
            Query::Account(address) => Target::Account(account(&address)),
            Query::Slot(address, slot) => {
                let account = account(&address).get();
                Target::Slot(self.slots.intern(&SlotKey { account, generation: 0, slot }))
            }
            Query::HasStorage(address) => Target::HasStorage(account(&address)),
            Query::BlockHash(number) => Target::BlockHash(number),
        }
    }

    /// What the store is asked for it.
    pub(super) fn query_of(&self, target: Target) -> Query {
        let named = "an entry has its key before its id is known";
        match target {
            Target::Account(id) => Query::Account(*self.accounts.key(id).expect(named)),
            Target::Slot(id) => {
                let key = self.slots.key(id).expect(named);
                let address = self.accounts.key_of_number(key.account).expect(named);
                Query::Slot(*address, key.slot)
            }
            Target::HasStorage(id) => Query::HasStorage(*self.accounts.key(id).expect(named)),
            Target::BlockHash(number) => Query::BlockHash(number),
        }
    }

    /// Whether the answer lies in the entry that it belongs to, if there is one.
    pub(super) fn is_known(&self, target: Target) -> bool {
        match target {
            Target::Account(id) => self.accounts.entry(id).with_committed(|_| ()).is_some(),
            Target::Slot(id) => self.slots.entry(id).with_committed(|_| ()).is_some(),
            Target::HasStorage(_) | Target::BlockHash(_) => false,
        }
    }

    /// Queues what the contract will probably read beside a slot that is waited for, by what others of
    /// its code read. Of the storage from before the block. The caller asks for the slot next.
    pub(super) fn foresee(&self, code: B256, account: u32, slot: U256, rank: u32) {
        let slots = self.storage.foresight.note(code, account, slot).into_iter();
        let target =
            |slot| Target::Slot(self.slots.intern(&SlotKey { account, generation: 0, slot }));
        self.queue(slots.map(|slot| (target(slot), rank)).collect());
    }

    /// What the store has at hand of it, for one who reads ahead.
    pub(super) fn at_hand(&self, query: Query) -> Option<ReadResult> {
        self.storage.at_hand.look(&*self.store, query)
    }

    /// Notes a read that is known to come, if nothing of it is at hand.
    pub(super) fn ask_ahead(&self, query: Query, rank: u32, asks: &mut Asks) {
        self.ask_target_ahead(self.target_of(query), query, rank, asks);
    }

    fn ask_target_ahead(&self, target: Target, query: Query, rank: u32, asks: &mut Asks) {
        // An error at hand is found by whoever needs the location, if anybody does.
        if !self.is_known(target) && self.at_hand(query).is_none() {
            asks.push((target, rank));
        }
    }

    /// The same for several, which are taken out, each with its rank, at the price of less.
    pub(super) fn ask_ahead_together(&self, reads: &mut Vec<(Query, u32)>, asks: &mut Asks) {
        let addresses = reads.iter().filter_map(|(query, _)| query.address().copied());
        let mut accounts = self.accounts.intern_several::<64>(addresses).into_iter();
        for (query, rank) in reads.drain(..) {
            let account =
                |address: &_| accounts.next().unwrap_or_else(|| self.accounts.intern(address));
            self.ask_target_ahead(self.target_by(query, account), query, rank, asks);
        }
    }

    /// Queues reads. The caller starts them.
    pub(super) fn queue(&self, asks: Asks) {
        if !asks.is_empty() {
            self.storage.reads.ask_ahead(asks, |target| self.is_known(target));
        }
    }
}

/// Starts the reads that the block itself will need, and those of its first transactions.
pub(crate) fn prefetch_block(run: &Arc<Run<EvmMachine>>) {
    let machine = &run.machine;
    if !machine.storage.is_slow() {
        return;
    }
    let mut asks = Asks::new();
    for query in machine.block.known_reads() {
        machine.ask_ahead(query, 0, &mut asks);
    }
    queue_and_pump(run, asks);
    prefetch(run);
}

/// Starts the reads of transactions that will start soon, as far as they show beforehand. Called
/// often; does something when the window has moved, or more has started.
pub(super) fn prefetch(run: &Arc<Run<EvmMachine>>) {
    let machine = &run.machine;
    let storage = &machine.storage;
    if !storage.is_slow() || machine.prelude.is_some() {
        return;
    }
    // As far ahead again as transactions may start: by the time they do, their reads have landed.
    // The frontier first: by the time the window is looked at it may lie beyond that.
    let frontier = run.scheduler.cursor().frontier().0;
    let window = run.scheduler.window_end();
    let most = window.saturating_add(window - frontier).min(run.scheduler.len());
    // From what starts next, not from the frontier: while that is held up, other workers start what follows,
    // and had better not overtake the forecasts.
    let next = run.scheduler.started().max(frontier);
    // Relaxed, both: hints; whoever acts on them holds the lock and looks again.
    let ahead = storage.ahead.load(Ordering::Relaxed);
    if storage.prefetched.load(Ordering::Relaxed) >= next.saturating_add(ahead).min(most) {
        return;
    }
    let Some(mut pace) = storage.prefetching.try_lock() else { return };
    let waits = storage.waits.load(Ordering::Relaxed);
    let ahead = pace.ahead(frontier, waits, most.saturating_sub(frontier));
    storage.ahead.store(ahead, Ordering::Relaxed);
    // Further than that, so that there is nothing to do for a while.
    let end = next.saturating_add(ahead + (ahead / PART).min(ENOUGH)).min(most);
    let (mut known, mut reads) = (Vec::new(), Vec::new());
    loop {
        let from = storage.prefetched.load(Ordering::Relaxed);
        let to = (from + CHUNK).min(end);
        if from >= to {
            break;
        }
        let mut asks = Asks::new();
        for tx in from..to {
            machine.block.transactions[tx as usize].known_reads(&mut known);
            reads.extend(known.drain(..).map(|query| (query, tx)));
        }
        machine.ask_ahead_together(&mut reads, &mut asks);
        machine.foresee_calls((from..to).map(TxIndex), &mut asks);
        // The queue is a line, and those that overtake others cost it more.
        asks.sort_by_key(|(_, rank)| *rank);
        storage.prefetched.store(to, Ordering::Relaxed);
        queue_and_pump(run, asks);
    }
}

/// Makes up for forecasts of transactions of which nothing was known when they were looked at. `true`: there are more.
fn catch_up(run: &Arc<Run<EvmMachine>>) -> bool {
    let machine = &run.machine;
    let calls = &machine.storage.calls;
    if !calls.any_late() {
        return false;
    }
    let late = calls.take_late(ENOUGH as usize, run.scheduler.cursor().frontier());
    let mut asks = Asks::new();
    machine.catch_up(&late, &mut asks);
    asks.sort_by_key(|(_, rank)| *rank);
    queue_and_pump(run, asks);
    calls.any_late()
}

/// What workers do for the store between transactions. `true`: it counts on being called again.
pub(super) fn serve(run: &Arc<Run<EvmMachine>>) -> bool {
    let late = catch_up(run);
    prefetch(run);
    drive(run) | late
}
