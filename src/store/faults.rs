//! A store that fails on purpose, to show that what stands above it survives.
//!
//! A fault belongs to a location: which one it has, if any, is decided when the location is first asked
//! for, and stays so until [`heal`](FaultyStore::heal), or until it was suffered if it is
//! [`passing`](FaultyStore::passing). A location with a fault is not at hand, so that the fault
//! is met by whoever fetches it; a panic and an error at once are those of the `try_…` methods.
//!
//! | state of a location | `try_…` | fetched |
//! |---|---|---|
//! | not asked for | decides | decides |
//! | sound | the inner store's | the inner store's |
//! | faulty | `None`, or the fault | the fault |

use std::{collections::HashMap, hash::BuildHasher};

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{Answer, Query, Read, StateStore, StoreError, due::Due};
use crate::sync::{
    Arc, Mutex, RandomState,
    atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What goes wrong with a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with an error.
    Error,
    /// The location is at hand, with an error.
    ErrorAtHand,
    /// It is never answered. The store holds on to it until it is healed or dropped.
    Silence,
    /// It is dropped.
    Drop,
    /// It is answered with an answer to another kind of question.
    WrongKind,
    /// It is answered rightly, so much later. `drive` sees to it.
    Delay(Duration),
    /// Asking whether it is at hand panics, on whatever thread asks.
    PanicAtHand,
    /// Fetching it panics, on whatever thread fetches; the reads of that call are dropped.
    PanicInFetch,
}

/// Which locations a fault befalls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Victims {
    /// This one.
    Only(Query),
    /// The one that is asked for as the nth, from 0. Which one that is depends on the schedule.
    Nth(u64),
    /// One of each so many, in the order in which they are asked for.
    Each(u64),
    /// Each with this probability, by the seed and the location and not by the schedule.
    Random {
        /// From 0 to 1.
        probability: f64,
        /// Draws others.
        seed: u64,
    },
}

/// A store that fails as it was told to.
pub struct FaultyStore {
    inner: Arc<dyn StateStore>,
    rules: Vec<(Victims, Fault)>,
    passing: bool,
    fates: Mutex<Fates>,
    delayed: Due<Read>,
    /// Reads that are never answered.
    silent: Mutex<Vec<Read>>,
    suffered: AtomicU64,
}

#[derive(Default)]
struct Fates {
    healed: bool,
    asked: u64,
    by_query: HashMap<Query, Option<Fault>, RandomState>,
}

impl std::fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyStore")
            .field("rules", &self.rules)
            .field("suffered", &self.suffered())
            .finish_non_exhaustive()
    }
}

impl FaultyStore {
    /// A store with the content of `inner` and no faults yet.
    pub fn new(inner: Arc<dyn StateStore>) -> Self {
        Self {
            inner,
            rules: Vec::new(),
            passing: false,
            fates: Mutex::default(),
            delayed: Due::default(),
            silent: Mutex::default(),
            suffered: AtomicU64::new(0),
        }
    }

    /// Adds a fault. Of several that befall a location the first holds.
    #[must_use]
    pub fn with(mut self, victims: Victims, fault: Fault) -> Self {
        self.rules.push((victims, fault));
        self
    }

    /// Each location suffers its fault once and is sound afterwards.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Ends all faults. What was never to be answered is dropped, and so answered.
    pub fn heal(&self) {
        self.fates.lock().healed = true;
        let silent = std::mem::take(&mut *self.silent.lock());
        // Without the lock, since this answers them.
        drop(silent);
    }

    /// How many faults came to pass.
    pub fn suffered(&self) -> u64 {
        self.suffered.load(Ordering::Relaxed)
    }

    /// How many reads are held that will never be answered.
    pub fn silent(&self) -> usize {
        self.silent.lock().len()
    }

    /// The fault of a location.
    fn fate(&self, query: Query) -> Option<Fault> {
        let mut fates = self.fates.lock();
        let Fates { healed, asked, by_query } = &mut *fates;
        if *healed {
            return None;
        }
        *by_query.entry(query).or_insert_with(|| {
            let nth = *asked;
            *asked += 1;
            let befallen = |(victims, _): &&(Victims, Fault)| victims.include(query, nth);
            self.rules.iter().find(befallen).map(|(_, fault)| *fault)
        })
    }

    /// Notes that a fault came to pass.
    fn suffer(&self, query: Query) {
        self.suffered.fetch_add(1, Ordering::Relaxed);
        if self.passing {
            self.fates.lock().by_query.insert(query, None);
        }
    }

    /// What `try_…` says.
    fn at_hand<T>(
        &self,
        query: Query,
        sound: impl FnOnce() -> Option<Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        match self.fate(query) {
            None => sound(),
            Some(Fault::PanicAtHand) => {
                self.suffer(query);
                panic!("injected: asking whether {query} is at hand panics");
            }
            Some(Fault::ErrorAtHand) => {
                self.suffer(query);
                Some(Err(injected(query)))
            }
            Some(_) => None,
        }
    }

    /// Lets a read suffer.
    fn deal(&self, fault: Fault, read: Read) {
        let query = read.query();
        self.suffer(query);
        match fault {
            Fault::Error | Fault::ErrorAtHand | Fault::PanicAtHand => {
                read.answer(Err(injected(query)));
            }
            Fault::Silence => self.silent.lock().push(read),
            Fault::Drop => drop(read),
            Fault::WrongKind => read.answer(Ok(of_another_kind(query))),
            Fault::Delay(delay) => {
                let at = Instant::now() + delay;
                self.delayed.put([(at, read.rank(), read)]);
            }
            Fault::PanicInFetch => panic!("injected: fetching {query} panics"),
        }
    }
}

impl Victims {
    fn include(self, query: Query, nth: u64) -> bool {
        match self {
            Self::Only(victim) => query == victim,
            Self::Nth(victim) => nth == victim,
            Self::Each(count) => count != 0 && nth % count == count - 1,
            Self::Random { probability, seed } => {
                let drawn = foldhash::quality::FixedState::with_seed(seed).hash_one(query);
                fastrand::Rng::with_seed(drawn).f64() < probability
            }
        }
    }
}

fn injected(query: Query) -> StoreError {
    StoreError::failed(query, "injected fault")
}

fn of_another_kind(query: Query) -> Answer {
    match query {
        Query::Slot(..) => Answer::Account(None),
        _ => Answer::Slot(U256::ZERO),
    }
}

impl StateStore for FaultyStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.at_hand(Query::Account(address), || self.inner.try_account(address))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.at_hand(Query::Slot(address, slot), || self.inner.try_storage(address, slot))
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.at_hand(Query::HasStorage(address), || self.inner.try_has_storage(address))
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        self.at_hand(Query::BlockHash(number), || self.inner.try_block_hash(number))
    }

    fn fetch(&self, reads: Vec<Read>) {
        let mut sound = Vec::new();
        for read in reads {
            match self.fate(read.query()) {
                Some(fault) => self.deal(fault, read),
                None => sound.push(read),
            }
        }
        if !sound.is_empty() {
            self.inner.fetch(sound);
        }
    }

    /// The inner store's. With faults there is something to fetch even if that has all at hand.
    fn latency(&self) -> Option<Duration> {
        let own = (!self.rules.is_empty()).then_some(Duration::ZERO);
        self.inner.latency().or(own)
    }

    fn drive(&self) -> bool {
        let delayed = self.delayed.take();
        if !delayed.is_empty() {
            self.inner.fetch(delayed);
        }
        self.inner.drive() | !self.delayed.is_empty()
    }

    fn prefetch(&self, queries: &[Query]) {
        self.inner.prefetch(queries);
    }
}
