//! The changes of later blocks laid over a state that itself does not change.
//!
//! ```text
//!   OverlayStore   changes of block n+1, n+2, ... merged into one layer
//!        │ what no block changed
//!        ▼
//!   base           the state before block n+1, read-only
//! ```
//!
//! So blocks can be executed one after another over a snapshot, a node's state at some block, or a
//! file, and nothing is written back.
//!
//! Invariants
//!
//! 1. A reader sees the layer before a block's changes or after all of them: the layer is a persistent
//!    map that is replaced whole. A fetched read keeps the one that it began with.
//! 2. The layer's slots of an account are exact. Its fields are either the whole account or a change
//!    that is completed by the base's account.
//! 3. An account that came into being or was wiped has no storage but the layer's.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

use super::{Answer, Query, Read, ReadResult, Reply, StateStore, StoreError, change};
use crate::{
    evm::{AccountChange, StateDiff},
    sync::{Arc, ArcSwap, Mutex, time::Duration},
};

type Map<K, V> = im::OrdMap<K, V>;

/// A base and what later blocks changed.
pub struct OverlayStore {
    base: Arc<dyn StateStore>,
    layer: ArcSwap<Layer>,
    /// One block at a time.
    turn: Mutex<()>,
}

#[derive(Clone, Default)]
struct Layer {
    accounts: Map<Address, Account>,
    hashes: Map<u64, B256>,
}

/// What is known of a changed account.
#[derive(Clone, Default)]
struct Account {
    fields: Fields,
    /// The base's storage does not count any more.
    wiped: bool,
    slots: Map<U256, U256>,
    /// How many of the slots are not zero.
    filled: usize,
}

#[derive(Clone)]
enum Fields {
    /// All of them, or that there is no account.
    Whole(Option<AccountInfo>),
    /// Over those of the base.
    Changed(Box<AccountChange>),
}

impl Default for Fields {
    fn default() -> Self {
        Self::Changed(Box::default())
    }
}

impl std::fmt::Debug for OverlayStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OverlayStore")
            .field("changed_accounts", &self.layer.load().accounts.len())
            .finish_non_exhaustive()
    }
}

impl OverlayStore {
    /// The base as it is.
    pub fn new(base: Arc<dyn StateStore>) -> Self {
        Self { base, layer: ArcSwap::new(Arc::default()), turn: Mutex::new(()) }
    }

    /// Moves on to the state after a block with these changes. For the time between two blocks.
    pub fn apply(&self, diff: &StateDiff) {
        let _turn = self.turn.lock();
        let mut layer = Layer::clone(&self.layer.load());
        for (address, change) in &diff.accounts {
            layer.accounts.entry(*address).or_default().apply(change);
        }
        self.layer.store(Arc::new(layer));
    }

    /// Tells the hash of a block, for the blocks after it.
    pub fn set_block_hash(&self, number: u64, hash: B256) {
        let _turn = self.turn.lock();
        let mut layer = Layer::clone(&self.layer.load());
        layer.hashes.insert(number, hash);
        self.layer.store(Arc::new(layer));
    }

    /// The base.
    pub fn base(&self) -> &Arc<dyn StateStore> {
        &self.base
    }
}

impl Account {
    fn apply(&mut self, change: &AccountChange) {
        if change::is_whole(change) {
            *self = Self { wiped: true, ..Self::default() };
            self.fields = Fields::Whole(change::after(change, None));
        } else {
            match &mut self.fields {
                Fields::Whole(account) => *account = change::after(change, account.take()),
                Fields::Changed(earlier) => {
                    earlier.balance = change.balance.or(earlier.balance);
                    earlier.nonce = change.nonce.or(earlier.nonce);
                    if change.code.is_some() {
                        earlier.code.clone_from(&change.code);
                    }
                }
            }
        }
        for (slot, value) in &change.storage {
            let before = self.slots.insert(*slot, *value);
            self.filled += usize::from(!value.is_zero());
            self.filled -= usize::from(before.is_some_and(|before| !before.is_zero()));
        }
    }

    /// The account over that of the base.
    fn over(&self, base: Option<AccountInfo>) -> Option<AccountInfo> {
        match &self.fields {
            Fields::Whole(account) => account.clone(),
            Fields::Changed(change) => change::over(change, base),
        }
    }

    /// The slot, unless the base has to say.
    fn slot(&self, slot: &U256) -> Option<U256> {
        self.slots.get(slot).copied().or_else(|| self.wiped.then_some(U256::ZERO))
    }

    /// Whether there is storage, unless the base has to say.
    ///
    /// What the base says then is `true` even if blocks have zeroed all that it had. Only code writes
    /// storage, and an account with code, or with the nonce that a delegation to code leaves, is
    /// not asked for its storage (EIP-7610 asks of accounts that have neither).
    fn has_storage(&self) -> Option<bool> {
        if self.filled > 0 { Some(true) } else { self.wiped.then_some(false) }
    }
}

impl Layer {
    /// The answer, unless the base has a say in it.
    fn get(&self, query: Query) -> Option<Answer> {
        match query {
            Query::Account(address) => match &self.accounts.get(&address)?.fields {
                Fields::Whole(account) => Some(Answer::Account(account.clone())),
                Fields::Changed(_) => None,
            },
            Query::Slot(address, slot) => {
                self.accounts.get(&address)?.slot(&slot).map(Answer::Slot)
            }
            Query::HasStorage(address) => {
                self.accounts.get(&address)?.has_storage().map(Answer::HasStorage)
            }
            Query::BlockHash(number) => self.hashes.get(&number).copied().map(Answer::BlockHash),
        }
    }

    /// The base's answer with the changes over it.
    fn over(&self, query: Query, base: Answer) -> Answer {
        match (query, base) {
            (Query::Account(address), Answer::Account(base)) => {
                Answer::Account(match self.accounts.get(&address) {
                    Some(account) => account.over(base),
                    None => base,
                })
            }
            (_, base) => base,
        }
    }
}

/// Lays the changes over the base's answer.
struct Over {
    layer: Arc<Layer>,
    read: Read,
}

impl Reply for Over {
    fn answer(self: Box<Self>, query: Query, result: ReadResult) {
        let result = result.map(|base| self.layer.over(query, base));
        self.read.answer(result);
    }

    fn is_wanted(&self) -> bool {
        self.read.is_wanted()
    }
}

impl StateStore for OverlayStore {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        let layer = self.layer.load();
        let Some(account) = layer.accounts.get(&address) else {
            return self.base.try_account(address);
        };
        if let Fields::Whole(account) = &account.fields {
            return Some(Ok(account.clone()));
        }
        let base = self.base.try_account(address)?;
        Some(base.map(|base| account.over(base)))
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        let layer = self.layer.load();
        match layer.accounts.get(&address).and_then(|account| account.slot(&slot)) {
            Some(value) => Some(Ok(value)),
            None => self.base.try_storage(address, slot),
        }
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        let layer = self.layer.load();
        match layer.accounts.get(&address).and_then(Account::has_storage) {
            Some(any) => Some(Ok(any)),
            None => self.base.try_has_storage(address),
        }
    }

    fn try_block_hash(&self, number: u64) -> Option<Result<B256, StoreError>> {
        match self.layer.load().hashes.get(&number) {
            Some(hash) => Some(Ok(*hash)),
            None => self.base.try_block_hash(number),
        }
    }

    fn fetch(&self, reads: Vec<Read>) {
        let layer = self.layer.load_full();
        let mut below = Vec::with_capacity(reads.len());
        for read in reads {
            let (query, rank) = (read.query(), read.rank());
            match layer.get(query) {
                Some(answer) => read.answer(Ok(answer)),
                None => {
                    let over = Over { layer: layer.clone(), read };
                    below.push(Read::new(query, rank, Box::new(over)));
                }
            }
        }
        if !below.is_empty() {
            self.base.fetch(below);
        }
    }

    fn latency(&self) -> Option<Duration> {
        self.base.latency()
    }

    fn drive(&self) -> bool {
        self.base.drive()
    }

    fn prefetch(&self, queries: &[Query]) {
        let layer = self.layer.load_full();
        let below = queries.iter().copied().filter(|query| layer.get(*query).is_none());
        self.base.prefetch(&below.collect::<Vec<_>>());
    }

    fn account(&self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let layer = self.layer.load_full();
        match layer.accounts.get(&address) {
            Some(Account { fields: Fields::Whole(account), .. }) => Ok(account.clone()),
            Some(account) => Ok(account.over(self.base.account(address)?)),
            None => self.base.account(address),
        }
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StoreError> {
        let layer = self.layer.load_full();
        match layer.accounts.get(&address).and_then(|account| account.slot(&slot)) {
            Some(value) => Ok(value),
            None => self.base.storage(address, slot),
        }
    }
}
