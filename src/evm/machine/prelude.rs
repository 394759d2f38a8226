//! An artificial transaction before those of a block, which writes the state that they start from.
//!
//! A block of one transaction meets no version of another and never waits, so the state tests alone
//! would say little about the multi-version state. With a prelude the store beneath is hollow and
//! everything there is to read is written by transaction 0, which everybody knows of beforehand (an
//! estimate stands at each location) and which takes its time:
//!
//! ```text
//!  transaction 1   reads X: blocked, suspends ─┐      ┌► resumes, reads Y: blocked ─┐    … ends
//!  prelude         waits ──────────────────────┴► … X ┴ waits ──────────────────────┴► …   └► the rest
//! ```
//!
//! A location is published when somebody waits for it, after a random delay; so the first read of
//! each location crosses a suspension and finds a version that is not committed. When the first
//! transaction has ended, the prelude publishes the rest and ends as well.
//!
//! It can also be told to wait for a crowd first: until so many others are suspended at once.
//!
//! It runs in a coroutine like any transaction and waits by suspending, so it holds on one worker
//! too. Blocks without a prelude pay for a branch where a transaction begins and where one waits.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, TxKind, U256};
use revm::{context::TxEnv, state::AccountInfo};

use super::{
    EvmMachine,
    cells::{Account, AccountChange, Nonce, SlotKey},
    notes::Notes,
    trace::{Ending, Trace},
    view::View,
};
use crate::{
    context::{Attempt, Run},
    evm::{StateStore, StoreError, Transaction},
    state::{EntryId, TxIndex},
    store::Read,
    sync::{
        Arc, Mutex, thread,
        time::{Duration, Instant},
    },
};

/// Where the prelude stands in its block.
const FIRST: TxIndex = TxIndex(0);
/// Longest delay before a location is published, in microseconds.
const LONGEST_DELAY: u64 = 20;

/// A location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An account.
    Account(EntryId),
    /// A slot.
    Slot(EntryId),
}

/// The artificial transaction and its dealings with the others.
pub(crate) struct Prelude {
    writes: Writes,
    seed: u64,
    /// How many waits have to come together before it publishes anything; `None`: nobody runs while
    /// it waits for them.
    crowd: Option<u64>,
    news: Mutex<News>,
}

/// What it writes.
#[derive(Clone, Default)]
struct Writes {
    accounts: BTreeMap<EntryId, AccountChange>,
    slots: BTreeMap<EntryId, U256>,
}

/// What the other transactions have told it.
#[derive(Default)]
struct News {
    wanted: Vec<Place>,
    ended: bool,
    waits: u64,
}

impl Prelude {
    /// What stands at the prelude's place in the block. It asks for no gas, so it is always
    /// admitted.
    pub(crate) fn placeholder() -> Transaction {
        let env = TxEnv { gas_limit: 0, kind: TxKind::Create, ..TxEnv::default() };
        Transaction { env, ..Transaction::default() }
    }

    /// Makes transaction 0 of the machine, a placeholder, write the locations as they are in the
    /// store; the machine itself should be over a [`Hollow`] one.
    pub(crate) fn install(
        machine: &mut EvmMachine,
        store: &dyn StateStore,
        locations: &[(Address, Vec<U256>)],
        seed: u64,
        crowd: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        for (address, slots) in locations {
            let id = machine.accounts.intern(address);
            let account = Account::from_info(store.account(*address)?);
            if account.exists {
                let change = AccountChange::Update {
                    balance: account.balance,
                    nonce: Some(Nonce::Set(account.nonce)),
                    code: Some(Box::new((account.code_hash, account.code))),
                };
                machine.accounts.entry(id).hint(FIRST, change.clone());
                writes.accounts.insert(id, change);
            }
            for slot in slots {
                let value = store.storage(*address, *slot)?;
                let key = SlotKey { account: id.get(), generation: 0, slot: *slot };
                let id = machine.slots.intern(&key);
                machine.slots.entry(id).hint(FIRST, value);
                writes.slots.insert(id, value);
            }
        }
        let crowd = crowd.filter(|_| machine.block.transactions.len() > 1);
        let news = Mutex::new(News::default());
        machine.prelude = Some(Box::new(Self { writes, seed, crowd, news }));
        Ok(())
    }

    /// How often a transaction has waited for a location to be published.
    pub(crate) fn waits(&self) -> u64 {
        self.news.lock().waits
    }

    /// Whether it is the prelude that stands at this place.
    pub(super) fn stands_at(&self, tx: TxIndex) -> bool {
        tx == FIRST
    }

    /// A transaction, registered as a waiter of the prelude or of another, is about to suspend: it
    /// needs what is at this place.
    pub(super) fn tell_wait(&self, run: &Run<EvmMachine>, place: Place) {
        let crowded = {
            let mut news = self.news.lock();
            news.wanted.push(place);
            news.waits += 1;
            self.crowd.is_none_or(|crowd| news.waits >= crowd)
        };
        if crowded {
            run.scheduler.wake(FIRST);
        }
    }

    /// A transaction has ended.
    pub(super) fn tell_end(&self, run: &Run<EvmMachine>) {
        self.news.lock().ended = true;
        run.scheduler.wake(FIRST);
    }

    /// Is the prelude: publishes what is waited for until a transaction has ended, then the rest.
    ///
    /// No wake-up is lost. Whoever has news puts them down before it wakes the prelude. If the prelude
    /// looks before that, it was running by then, so the wake-up finds it running or suspended, and
    /// either way it looks again. Nor is a waiter left behind: it registered before it put down
    /// what it waits for, so the release that follows the publication finds it.
    pub(super) fn play(&self, view: &View<'_>) -> Attempt<Box<Trace>> {
        let run = view.run();
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut left = self.writes.clone();
        while let Some(crowd) = self.crowd {
            let (wanted, ended) = {
                let mut news = self.news.lock();
                let crowded = news.waits >= crowd;
                let wanted = if crowded { std::mem::take(&mut news.wanted) } else { Vec::new() };
                (wanted, news.ended)
            };
            if ended {
                break;
            }
            if wanted.is_empty() {
                if view.pause().is_err() {
                    return Attempt::Doomed { wasted: 0 };
                }
                continue;
            }
            dawdle(&mut random);
            let mut told = Vec::new();
            for place in wanted {
                left.publish(&run.machine, place, &mut told);
            }
            run.scheduler.tell(&mut told);
            run.scheduler.release_waiters(FIRST);
        }
        dawdle(&mut random);
        let mut told = Vec::new();
        let places: Vec<Place> = left.places().collect();
        for place in places {
            left.publish(&run.machine, place, &mut told);
        }
        run.scheduler.tell(&mut told);
        Attempt::Finished(Trace::failed(Notes::default(), Ending::Prelude))
    }

    /// Makes what was published the state that the block starts from: its changes are relative to
    /// that.
    pub(super) fn commit(&self, machine: &EvmMachine, told: &mut Vec<TxIndex>) {
        for id in self.writes.accounts.keys() {
            machine.accounts.entry(*id).commit(FIRST, told);
            machine.accounts.entry(*id).rebase();
        }
        for id in self.writes.slots.keys() {
            machine.slots.entry(*id).commit(FIRST, told);
            machine.slots.entry(*id).rebase();
        }
    }
}

impl Writes {
    fn places(&self) -> impl Iterator<Item = Place> {
        let accounts = self.accounts.keys().copied().map(Place::Account);
        accounts.chain(self.slots.keys().copied().map(Place::Slot))
    }

    /// Publishes a location, unless that has been done.
    fn publish(&mut self, machine: &EvmMachine, place: Place, told: &mut Vec<TxIndex>) {
        match place {
            Place::Account(id) => {
                if let Some(change) = self.accounts.remove(&id) {
                    machine.accounts.entry(id).publish(FIRST, change, told);
                }
            }
            Place::Slot(id) => {
                if let Some(value) = self.slots.remove(&id) {
                    machine.slots.entry(id).publish(FIRST, value, told);
                }
            }
        }
    }
}

/// Passes some time, without holding on to the core.
fn dawdle(random: &mut fastrand::Rng) {
    let begin = Instant::now();
    let delay = Duration::from_micros(random.u64(..=LONGEST_DELAY));
    while begin.elapsed() < delay {
        thread::yield_now();
    }
}

/// A store that holds no accounts and no slots, and knows for the rest what another one does.
pub(crate) struct Hollow(pub(crate) Arc<dyn StateStore>);

impl StateStore for Hollow {
    fn try_account(&self, _: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        Some(Ok(None))
    }

    fn try_storage(&self, _: Address, _: U256) -> Option<Result<U256, StoreError>> {
        Some(Ok(U256::ZERO))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.0.try_has_storage(address)
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.0.try_block_hash(number)
    }

    fn fetch(&self, reads: Vec<Read>) {
        let mut others = Vec::new();
        for read in reads {
            match self.try_get(read.query()) {
                Some(result) => read.answer(result),
                None => others.push(read),
            }
        }
        if !others.is_empty() {
            self.0.fetch(others);
        }
    }

    fn latency(&self) -> Option<Duration> {
        self.0.latency()
    }

    fn drive(&self) -> bool {
        self.0.drive()
    }
}
