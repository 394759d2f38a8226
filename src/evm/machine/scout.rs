//! Scouting: running ahead of a context that waits, only to find out what it will read.
//!
//! A transaction's reads follow one another, so a slow store makes it wait once per read, though few
//! of the reads depend on what another one says. While a context waits and its worker has nothing
//! else to do, the worker runs the same transaction on what is known by then, with guesses where
//! nothing is: a slot is zero, an account has no code. Whatever this run asks for in vain is started,
//! and when all of it has landed another round goes further. So a transaction costs as many round
//! trips as its reads have dependent levels.
//!
//! A scout's results are dropped, errors and panics included. It is no reader of any entry, takes no
//! message of its context, and never waits.
//!
//! Bounds: a scout runs only on a worker that would otherwise sleep, and stops at its next access
//! when there is work; a transaction is scouted at most [`ROUNDS`] times, each with a gas limit in
//! proportion to what a read costs; and all of it only where a read costs more than [`WORTH_IT`].

use alloy_primitives::U256;

use super::{
    EvmMachine,
    cells::{Account, SlotKey},
    drive::Fibers,
    fiber::{Command, Role},
    storage,
    view::{Stop, View},
};
use crate::{
    context::Run,
    state::{EntryId, Read as Found, TxIndex},
    store::{Flight, Query, Read, ReadResult},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        time::Duration,
    },
};

/// Reads that are faster than this are not worth a guess: a scout costs about as much as the
/// transaction, some tens of microseconds.
const WORTH_IT: Duration = Duration::from_micros(30);
/// How often a transaction is scouted.
const ROUNDS: u32 = 32;
/// Gas that a scout may use for each microsecond that a read takes.
const GAS_PER_MICROSECOND: u64 = 50_000;

/// What is known of the transactions of a block from scouting them.
pub(crate) struct Scouts {
    transactions: Box<[Mutex<Scouted>]>,
    gas: u64,
    runs: AtomicU64,
}

#[derive(Default)]
struct Scouted {
    rounds: u32,
    /// A round found nothing new.
    done: bool,
    /// What the last round asked for.
    asked: Vec<Arc<Flight<ReadResult>>>,
}

impl Scouts {
    /// `None` where reads are too fast for it.
    pub(super) fn new(latency: Duration, transactions: usize) -> Option<Self> {
        (latency >= WORTH_IT).then(|| Self {
            transactions: (0..transactions).map(|_| Mutex::default()).collect(),
            gas: GAS_PER_MICROSECOND.saturating_mul(latency.as_micros() as u64),
            runs: AtomicU64::new(0),
        })
    }

    /// The most gas that a scout gets.
    pub(super) fn gas(&self) -> u64 {
        self.gas
    }

    /// How many scouts ran.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Whether another round may find more.
    fn may_find_more(&self, tx: TxIndex) -> bool {
        let Some(mut scouted) = self.transactions[tx.get()].try_lock() else { return false };
        while scouted.asked.last().is_some_and(|flight| flight.peek().is_some()) {
            scouted.asked.pop();
        }
        !scouted.done && scouted.rounds < ROUNDS && scouted.asked.is_empty()
    }

    /// Notes a round that asked for `asked`, to its end or not.
    fn note(&self, tx: TxIndex, asked: Vec<Arc<Flight<ReadResult>>>, ended: bool) {
        // Relaxed: statistics.
        self.runs.fetch_add(1, Ordering::Relaxed);
        let mut scouted = self.transactions[tx.get()].lock();
        scouted.rounds += 1;
        scouted.done = ended && asked.is_empty();
        scouted.asked = asked;
    }
}

/// Scouts the lowest of the suspended transactions for which that may help. `false`: there is none.
pub(super) fn scout(
    run: &Arc<Run<EvmMachine>>,
    worker: &mut Fibers,
    me: usize,
    suspended: impl Iterator<Item = TxIndex>,
) -> bool {
    let Some(scouts) = &run.machine.storage.scouts else { return false };
    let Some(tx) = suspended.filter(|tx| scouts.may_find_more(*tx)).min() else { return false };
    worker.run_once(Command::Run(run.clone(), tx, Role::Scout { worker: me }));
    true
}

/// What a view keeps while it scouts.
pub(super) struct Scouting {
    worker: usize,
    asked: Vec<Arc<Flight<ReadResult>>>,
    /// It was called off before the end.
    called_off: bool,
}

impl Scouting {
    pub(super) fn new(worker: usize) -> Self {
        Self { worker, asked: Vec::new(), called_off: false }
    }
}

impl View<'_> {
    /// Ends the scout, whatever came of it.
    pub(super) fn end_scouting(&mut self) {
        let (Some(scouting), Some(scouts)) =
            (self.scouting.take(), &self.run().machine.storage.scouts)
        else {
            return;
        };
        scouts.note(self.tx, scouting.asked, !scouting.called_off);
    }

    /// Calls a scout off when there is something better to do.
    pub(super) fn check_scouting(&mut self) -> Result<(), Stop> {
        let run = self.run().clone();
        match &mut self.scouting {
            Some(scouting) if run.scheduler.has_work(scouting.worker) => {
                scouting.called_off = true;
                Err(Stop::Cancelled)
            }
            _ => Ok(()),
        }
    }

    /// Asks for what the scout has to guess.
    pub(super) fn discover(&mut self, query: Query) {
        let flight = storage::ask(self.run(), query, Read::LAST);
        if let Some(scouting) = &mut self.scouting
            && flight.peek().is_none()
        {
            scouting.asked.push(flight);
        }
    }

    /// An account as far as it is known. The sender can always pay.
    pub(super) fn guess_account(&mut self, query: Query, id: EntryId) -> Account {
        let run = self.run().clone();
        let entry = run.machine.accounts.entry(id);
        let mut account = match entry.peek(self.tx) {
            Found::Value(account) => account,
            Found::Blocked(_) => entry.committed().unwrap_or_default(),
            Found::Unknown => match self.at_hand(query) {
                Some(account) => account,
                None => {
                    self.discover(query);
                    Account::default()
                }
            },
        };
        let env = &run.machine.block.transactions[self.tx.get()].env;
        if query == Query::Account(env.caller) {
            account.exists = true;
            account.nonce = env.nonce;
            account.balance = account.balance.max(U256::MAX >> 1);
        }
        account
    }

    fn at_hand(&self, query: Query) -> Option<Account> {
        let answer = self.run().machine.store.try_get(query)?;
        let account = answer.and_then(|answer| answer.into_account(query)).ok()?;
        Some(Account::from_info(account))
    }

    /// A slot as far as it is known.
    pub(super) fn guess_slot(&mut self, query: Query, key: SlotKey, id: EntryId) -> U256 {
        let run = self.run().clone();
        let entry = run.machine.slots.entry(id);
        match entry.peek(self.tx) {
            Found::Value(value) => value,
            Found::Blocked(_) => entry.committed().unwrap_or_default(),
            Found::Unknown if key.generation != 0 => U256::ZERO,
            Found::Unknown => {
                let answer = run.machine.store.try_get(query);
                if answer.is_none() {
                    self.discover(query);
                }
                let value = answer.and_then(|answer| answer.ok()?.into_slot(query).ok());
                value.unwrap_or_default()
            }
        }
    }
}
