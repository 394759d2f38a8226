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
//! Bounds: a scout begins only on a worker that would otherwise sleep, and stops at its next access
//! when there is work, one of a transaction that has waited often ([`LONG`]) a read's time later; a
//! transaction is scouted at most [`RUNS`] times, each with a gas limit in proportion to what a read
//! costs, which doubles where more gas would have found more; and all of it only where a read costs
//! more than [`WORTH_IT`].
//!
//! Whoever scouts a transaction that has waited often is another worker than the one whose context
//! waits: that one is to go on the moment an answer arrives, and a scout of a long transaction takes
//! longer than an answer. (When workers scouted their own, the longest transaction of block 12520364
//! spent 13 of 20 ms runnable and not run.) So a context that waits often wakes a worker that sleeps.

use std::cmp::Reverse;

use alloy_primitives::U256;
use revm::context::TxEnv;

use super::{
    EvmMachine,
    cells::{Account, SlotKey},
    drive::Fibers,
    fiber::Role,
    target::{Landed, Target},
    view::{Stop, View},
};
use crate::{
    context::Run,
    observe::timeline::Event,
    state::{EntryId, Read as Found, TxIndex},
    store::{Flight, Query, Read},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        time::{Duration, Instant},
    },
};

/// Reads that are faster than this are not worth a guess: a scout costs about as much as the
/// transaction, some tens of microseconds.
const WORTH_IT: Duration = Duration::from_micros(30);
/// How many waits make a transaction one that may hold up the block.
const LONG: u32 = 16;
/// Fruitless rounds that make the pause before the next one longer.
const LONGEST_REST: u32 = 8;
/// How often a transaction is run as a scout.
const RUNS: u32 = 2048;
/// Gas that a transaction's first scouts may use for each microsecond that a read takes: about as
/// long as the read, at 300 Mgas and more a second.
const GAS_PER_MICROSECOND: u64 = 2_500;
/// How often that may double.
const DOUBLINGS: u32 = 12;
/// The most that a transaction pays beforehand: for itself (EIP-2, creation included), for a byte of
/// input (EIP-7623 and the words of creation code, EIP-3860), for an entry of its access list
/// (EIP-2930), for an authorisation (EIP-7702).
const BEGIN_GAS: u64 = 53_000;
const BYTE_GAS: u64 = 41;
const KEY_GAS: u64 = 2_400;
const AUTHORITY_GAS: u64 = 25_000;

/// What is known of the transactions of a block from scouting them.
pub(crate) struct Scouts {
    transactions: Box<[Mutex<Scouted>]>,
    patience: Duration,
    gas: u64,
    runs: AtomicU64,
}

#[derive(Default)]
struct Scouted {
    runs: u32,
    /// What the next run of this round takes for slots that it does not know; `None`: the round is
    /// over.
    guess: Option<Guess>,
    /// What this round asked for.
    asked: Vec<Arc<Flight<Landed>>>,
    /// How many reads this round started.
    found: u32,
    /// No run of this round was called off.
    whole: bool,
    /// A whole round met nothing that it did not know.
    done: bool,
    /// A worker is at it.
    running: bool,
    /// How often the context has waited for the store.
    waits: u32,
    /// Rounds in a row that started no read.
    fruitless: u32,
    /// How often its gas has been doubled.
    doublings: u32,
    /// How many waits of the context there have to be before the next round.
    rest_until: u32,
}

/// What stands for the value of a slot that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// Never written, as most slots of most contracts.
    Zero,
    /// What the run last saw of the same contract, or else one: a loop over a mapping goes on where a
    /// zero would end it.
    Alike,
}

/// What became of a scout's gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gas {
    /// It had as much as the transaction has.
    Plenty,
    /// It had less, and used little of that.
    Left,
    /// It had less, which was probably not enough.
    Spent,
}

impl Scouts {
    /// `None` where reads are too fast for it.
    pub(super) fn new(latency: Duration, transactions: usize) -> Option<Self> {
        (latency >= WORTH_IT).then(|| Self {
            transactions: (0..transactions).map(|_| Mutex::default()).collect(),
            patience: latency,
            gas: GAS_PER_MICROSECOND.saturating_mul(latency.as_micros() as u64),
            runs: AtomicU64::new(0),
        })
    }

    /// How many scouts ran.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// The context of `tx` waits for the store. `true`: a scout of another worker would be welcome.
    pub(super) fn note_wait(&self, tx: TxIndex) -> bool {
        let mut scouted = self.transactions[tx.get()].lock();
        scouted.waits += 1;
        // What it waits for was not known, so there is more to find than the last round met.
        scouted.done = false;
        scouted.waits >= LONG.max(scouted.rest_until) && !scouted.running
    }

    /// How many waits of the context speak for another run, if that may find more.
    fn promise(&self, tx: TxIndex) -> Option<u32> {
        let mut scouted = self.transactions[tx.get()].try_lock()?;
        let resting = scouted.waits < scouted.rest_until;
        if scouted.done || scouted.running || scouted.runs >= RUNS || resting {
            return None;
        }
        if scouted.guess.is_none() {
            while scouted.asked.last().is_some_and(|flight| flight.peek().is_some()) {
                scouted.asked.pop();
            }
            if scouted.asked.is_empty() {
                scouted.guess = Some(Guess::Zero);
                scouted.whole = true;
            }
        }
        scouted.guess.map(|_| scouted.waits)
    }

    /// Begins another run; none if another worker was quicker.
    fn begin(&self, tx: TxIndex, worker: usize, patient: bool) -> Option<Scouting> {
        let mut scouted = self.transactions[tx.get()].try_lock()?;
        if scouted.running {
            return None;
        }
        scouted.running = scouted.guess.is_some();
        let patience = if patient { self.patience } else { Duration::ZERO };
        let gas = self.gas.saturating_mul(1 << scouted.doublings);
        Some(Scouting {
            worker,
            guess: scouted.guess?,
            gas,
            patience,
            alone_since: None,
            last: None,
            asked: Vec::new(),
            found: 0,
            called_off: false,
        })
    }

    /// Notes a run that asked for `asked`, to its end or not.
    fn note(&self, tx: TxIndex, scouting: Scouting, gas: Gas) {
        // Relaxed: statistics.
        self.runs.fetch_add(1, Ordering::Relaxed);
        let mut scouted = self.transactions[tx.get()].lock();
        scouted.runs += 1;
        scouted.running = false;
        scouted.whole &= !scouting.called_off;
        // It was on a good way, or not yet at the place where its context waits.
        let worth_more = scouting.found > 0 || scouting.asked.is_empty();
        match gas {
            Gas::Spent if worth_more => {
                scouted.doublings = (scouted.doublings + 1).min(DOUBLINGS);
            }
            // Some ask how much gas there is before they begin.
            Gas::Left if scouting.asked.is_empty() && !scouting.called_off => {
                scouted.doublings = DOUBLINGS;
            }
            _ => {}
        }
        scouted.whole &= gas == Gas::Plenty || gas == Gas::Left && !scouting.asked.is_empty();
        scouted.found += scouting.found;
        scouted.asked.extend(scouting.asked);
        // Without anything to guess the two are one.
        let alike = scouting.guess == Guess::Zero && !scouted.asked.is_empty();
        scouted.guess = alike.then_some(Guess::Alike);
        if scouted.guess.is_some() {
            return;
        }
        scouted.done = scouted.whole && scouted.asked.is_empty();
        match std::mem::take(&mut scouted.found) {
            0 => scouted.fruitless = (scouted.fruitless + 1).min(LONGEST_REST),
            _ => scouted.fruitless = 0,
        }
        // Where guessing has led nowhere it probably does not, and only holds the context up.
        scouted.rest_until = scouted.waits + scouted.fruitless * scouted.fruitless;
    }
}

/// Scouts the suspended transaction that has waited most, of those for which it may help. `false`:
/// there is none.
pub(super) fn scout(run: &Arc<Run<EvmMachine>>, worker: &mut Fibers, me: usize) -> bool {
    let Some(scouts) = &run.machine.storage.scouts else { return false };
    let candidates = (run.scheduler.cursor().frontier().0..run.scheduler.window_end())
        .map(TxIndex)
        .filter(|tx| run.scheduler.phase(*tx).is_suspended());
    let alone = run.scheduler.workers() == 1;
    let mut own = 0;
    let promising = candidates.filter_map(|tx| {
        let waits = scouts.promise(tx)?;
        if !alone && run.scheduler.owner(tx) == me {
            own = own.max(waits);
            if waits >= LONG {
                return None;
            }
        }
        Some((waits, Reverse(tx)))
    });
    let Some((waits, Reverse(tx))) = promising.max() else { return false };
    // Its own contexts that wait as much would find it busy when their answers arrive.
    let patient = waits >= LONG && waits > own;
    let Some(scouting) = scouts.begin(tx, me, patient) else { return true };
    let begin = run.recorder().map(|recorder| recorder.now());
    worker.run_once(run, tx, Role::Scout(scouting));
    if let Some((recorder, begin)) = run.recorder().zip(begin) {
        recorder.note(me, Event::Scouted(tx.0, begin));
    }
    true
}

/// What a view keeps while it scouts.
pub(crate) struct Scouting {
    worker: usize,
    guess: Guess,
    gas: u64,
    /// For how long it goes on though there is other work, from where its context waits; zero: not
    /// even that far.
    patience: Duration,
    /// When it met the first thing that is not known.
    alone_since: Option<Instant>,
    /// The contract of the last slot that was known, and the slot's value.
    last: Option<(u32, U256)>,
    asked: Vec<Arc<Flight<Landed>>>,
    /// How many reads it started.
    found: u32,
    /// It was called off before the end.
    called_off: bool,
}

impl Scouting {
    /// The gas that the run of `tx` gets, on top of what it pays before it begins.
    pub(super) fn limit_gas(&self, tx: &TxEnv) -> u64 {
        let slots: usize = tx.access_list.iter().map(|item| 1 + item.storage_keys.len()).sum();
        let begin = BEGIN_GAS + BYTE_GAS * tx.data.len() as u64 + KEY_GAS * slots as u64;
        let begin = begin + AUTHORITY_GAS * tx.authorization_list.len() as u64;
        tx.gas_limit.min(begin.saturating_add(self.gas))
    }

    /// Whether other work goes first. A patient scout goes on for as long as a read takes from where its
    /// context waits: what it saves is at least that, if it finds anything. It would be no use to call
    /// it off before it gets there, since the next one has to come the same way.
    fn is_impatient(&self) -> bool {
        self.patience.is_zero()
            || self.alone_since.is_some_and(|since| since.elapsed() > self.patience)
    }
}

impl View<'_> {
    /// Ends the scout, whatever came of it.
    pub(super) fn end_scouting(&mut self, gas: Gas) {
        let (Some(scouting), Some(scouts)) =
            (self.scouting.take(), &self.run().machine.storage.scouts)
        else {
            return;
        };
        scouts.note(self.tx, scouting, gas);
    }

    /// Calls a scout off when there is something better to do.
    pub(super) fn check_scouting(&mut self) -> Result<(), Stop> {
        let run = self.run().clone();
        // The answer that its context waits for may hang on this very worker.
        self.drive();
        match &mut self.scouting {
            Some(scouting)
                if scouting.is_impatient() && run.scheduler.has_work(scouting.worker) =>
            {
                scouting.called_off = true;
                Err(Stop::Cancelled)
            }
            _ => Ok(()),
        }
    }

    /// Asks for what the scout has to guess.
    pub(super) fn discover(&mut self, target: Target) {
        let known = self.run().machine.storage.reads.knows(&target);
        // What arrives at this moment the next run knows.
        let Some(flight) = self.ask(target, Read::LAST) else { return };
        if let Some(scouting) = &mut self.scouting
            && flight.peek().is_none()
        {
            scouting.found += u32::from(!known);
            scouting.asked.push(flight);
            scouting.alone_since.get_or_insert_with(Instant::now);
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
                    self.discover(Target::Account(id));
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
        let known = match entry.peek(self.tx) {
            Found::Value(value) => Some(value),
            Found::Blocked(_) => entry.committed(),
            Found::Unknown if key.generation != 0 => Some(U256::ZERO),
            Found::Unknown => match run.machine.store.try_get(query) {
                Some(answer) => answer.and_then(|answer| answer.into_slot(query)).ok(),
                None => {
                    self.discover(Target::Slot(id));
                    None
                }
            },
        };
        let Some(scouting) = &mut self.scouting else { return U256::ZERO };
        if let Some(value) = known {
            scouting.last = Some((key.account, value));
            return value;
        }
        match (scouting.guess, scouting.last) {
            (Guess::Zero, _) => U256::ZERO,
            (Guess::Alike, Some((account, value))) if account == key.account => value,
            (Guess::Alike, _) => U256::ONE,
        }
    }
}
