//! The state of a block that runs one transaction after another.

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database,
    bytecode::Bytecode,
    primitives::StorageKeyMap,
    state::{Account, AccountId, AccountInfo, EvmState},
};

use super::{
    cached::{Cached, Slot, normalise},
    links::Links,
};
use crate::{
    evm::{
        BlockHashes, StateDiff, StateStore, StorageProbe, StoreError,
        diff::order::{Key, first_bytes, in_order},
        shared::{RegionSource, put_on},
    },
    region::{
        direct::DirectRegions, session::Effects, sidecar::Sidecar, tier::PageFault, world::World,
    },
    sync::Arc,
};

/// A [`StateStore`] seen through the changes of a block: revm's database while the block runs
/// sequentially, and the state on which the prologue and the epilogue act.
///
/// Each account and slot is asked of the store once. [`commit`](Self::commit) applies what a
/// transaction changed, and [`diff`](Self::diff) says what the block changed altogether.
///
/// Accounts carry their position in this cache as revm's `account_id`, so a slot is found without
/// looking its account up again.
pub struct SequentialState<'a, S: ?Sized> {
    store: &'a S,
    block_hashes: &'a BlockHashes,
    /// Empty accounts are removed when touched (EIP-161).
    state_clear: bool,
    positions: AddressMap<u32>,
    pub(super) accounts: Vec<Cached>,
    /// The error of a probe for storage, which revm's journal cannot return.
    failure: Option<StoreError>,
    /// Shared memory, with the address of its precompile.
    shared: Option<(Address, &'a mut DirectRegions)>,
    /// The block itself runs, without shared memory.
    paused: bool,
    /// Whether transactions depend on each other.
    pub(crate) links: Links,
    /// Where the account is that fees go to, once one was paid past the journal.
    pub(super) payee: Option<AccountId>,
}

impl<S: ?Sized> std::fmt::Debug for SequentialState<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SequentialState").field("accounts", &self.accounts).finish_non_exhaustive()
    }
}

impl<'a, S: StateStore + ?Sized> SequentialState<'a, S> {
    /// The state before the block. `state_clear` is whether EIP-161 is in force.
    pub fn new(store: &'a S, block_hashes: &'a BlockHashes, state_clear: bool) -> Self {
        Self {
            store,
            block_hashes,
            state_clear,
            positions: AddressMap::default(),
            accounts: Vec::new(),
            failure: None,
            shared: None,
            paused: false,
            links: Links::default(),
            payee: None,
        }
    }

    /// Gives the block regions, and a byte of code to the precompile that answers for them.
    pub(crate) fn set_regions(&mut self, precompile: Address, regions: &'a mut DirectRegions) {
        self.shared = Some((precompile, regions));
    }

    /// Turns to a transaction with what is attached to it.
    #[inline]
    pub(crate) fn attach(&mut self, sidecars: &[Arc<Sidecar>]) {
        if let Some((_, regions)) = &mut self.shared {
            regions.attach_to_transaction(sidecars);
        }
    }

    /// Takes the precompile's code away for a while: system calls do without shared memory.
    pub(crate) fn pause_regions(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Applies what a transaction did to regions.
    pub(crate) fn commit_regions(&mut self, effects: Effects) {
        if let Some((_, regions)) = &mut self.shared {
            self.links.note_regions(&effects);
            regions.apply(effects);
        }
    }

    /// Why regions stopped the transaction, if they did.
    #[inline]
    pub(crate) fn take_region_fault(&mut self) -> Option<PageFault> {
        self.shared.as_mut().and_then(|(_, regions)| regions.take_fault())
    }

    /// Makes room for so many accounts, so that growing the cache does not move it.
    pub fn reserve(&mut self, accounts: usize) {
        self.positions.reserve(accounts);
        self.accounts.reserve(accounts);
    }

    /// Takes over an account that others have changed: `before` is what it was before the block, if it
    /// changed by more than its slots, each of which comes with both values. It may have been destroyed
    /// since, and the store's slots may be out of sight.
    pub(crate) fn adopt(
        &mut self,
        address: Address,
        [destroyed, hidden]: [bool; 2],
        before: Option<Option<AccountInfo>>,
        mut now: Option<AccountInfo>,
        slots: Vec<(U256, [U256; 2])>,
    ) {
        let position = self.accounts.len();
        if let Some(info) = &mut now {
            info.account_id = AccountId::new(position);
        }
        let slots = slots.into_iter().map(|(key, [before, now])| (key, Slot { before, now }));
        let slots = slots.collect();
        self.accounts.push(Cached { address, now, before, destroyed, hidden, slots });
        self.positions.insert(address, position as u32);
    }

    /// Applies a transaction's changes, as revm's `finalize` gives them: only touched accounts
    /// count, and the flags of empty accounts are already those of EIP-161. Drains the map, so
    /// that its memory can be used again.
    ///
    /// # Errors
    ///
    /// Only for an account that was never read through this state, if the store fails.
    pub fn commit(&mut self, changes: &mut EvmState) -> Result<(), StoreError> {
        for (address, account) in changes.drain() {
            if account.is_touched() {
                self.apply(address, account)?;
            }
        }
        self.links.turn();
        Ok(())
    }

    fn apply(&mut self, address: Address, account: Account) -> Result<(), StoreError> {
        let position = self.position(address, account.info.account_id)?;
        let cached = &mut self.accounts[position];
        // Before EIP-161 an account that a call only touched counts as created, too: an attack touches hundreds.
        let info = &account.info;
        let is_contract =
            account.is_selfdestructed() || info.nonce > 0 || !info.is_empty_code_hash();
        if account.is_created() && is_contract {
            self.links.note_created(address);
        }
        if account.is_selfdestructed() || (account.is_empty() && !account.is_created()) {
            cached.destroy();
            return Ok(());
        }
        if cached.now.as_ref() != Some(&account.info) {
            let mut info = account.info;
            if let Some(old) = &cached.now
                && old.nonce != info.nonce
                && !old.is_empty_code_hash()
            {
                self.links.note_creator(address, old.nonce);
            }
            if info.code.is_none() {
                // A creation that was undone drops the code it found; the hash still tells.
                info.code = cached
                    .now
                    .as_ref()
                    .filter(|old| old.code_hash == info.code_hash)
                    .and_then(|old| old.code.clone())
                    .or_else(|| Some(Bytecode::default()));
            }
            info.account_id = AccountId::new(position);
            cached.replace(Some(info));
        }
        for (key, slot) in account.storage {
            self.links.note_slot(position, key, slot.is_changed());
            if slot.is_changed() {
                cached
                    .slots
                    .entry(key)
                    .or_insert(Slot { before: slot.original_value, now: slot.original_value })
                    .now = slot.present_value;
            }
        }
        Ok(())
    }

    /// The account now, `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn account(&mut self, address: Address) -> Result<Option<&AccountInfo>, StoreError> {
        let position = self.position(address, None)?;
        Ok(self.accounts[position].now.as_ref())
    }

    /// Adds to a balance outside of any transaction: rewards and withdrawals. The account is
    /// touched even if the amount is zero. A balance stops at the largest number.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn credit(&mut self, address: Address, amount: U256) -> Result<(), StoreError> {
        let balance = self.account(address)?.map_or(U256::ZERO, |info| info.balance);
        self.set_balance(address, balance.saturating_add(amount))
    }

    /// Sets a balance outside of any transaction, touching the account.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), StoreError> {
        let position = self.position(address, None)?;
        let cached = &mut self.accounts[position];
        let mut info = cached.now.clone().unwrap_or_default();
        info.balance = balance;
        info.account_id = AccountId::new(position);
        if self.state_clear && info.is_empty() {
            cached.destroy();
        } else if cached.now.as_ref() != Some(&info) {
            cached.replace(Some(info));
        }
        Ok(())
    }

    /// The error of a probe for storage, if one failed since the last call.
    pub fn take_failure(&mut self) -> Option<StoreError> {
        self.failure.take()
    }

    /// What changed since the block began.
    pub fn diff(&self) -> StateDiff {
        // Sorting positions moves far less than sorting changes, and nearly always the first bytes of two
        // addresses differ.
        let keys: Vec<Key<u32>> = self
            .accounts
            .iter()
            .enumerate()
            .filter(|(_, cached)| cached.before.is_some() || !cached.slots.is_empty())
            .map(|(position, cached)| (first_bytes(&cached.address), position as u32))
            .collect();
        let address = |position: u32| &self.accounts[position as usize].address;
        let order = in_order(&keys, |one, other| address(*one).cmp(address(*other)));
        let mut accounts = Vec::with_capacity(order.len());
        accounts.extend(order.into_iter().filter_map(|(_, position)| {
            let cached = &self.accounts[position as usize];
            Some((cached.address, cached.change()?))
        }));
        StateDiff { accounts }
    }

    #[inline]
    pub(super) fn position(
        &mut self,
        address: Address,
        hint: Option<AccountId>,
    ) -> Result<usize, StoreError> {
        // The hint is ours, but an account may have come from elsewhere.
        if let Some(position) = hint.map(AccountId::get)
            && self.accounts.get(position).is_some_and(|cached| cached.address == address)
        {
            return Ok(position);
        }
        if let Some(position) = self.positions.get(&address) {
            return Ok(*position as usize);
        }
        self.load(address)
    }

    #[cold]
    fn load(&mut self, address: Address) -> Result<usize, StoreError> {
        let position = self.accounts.len();
        let mut now = self.store.account(address)?;
        if let Some(info) = &mut now {
            normalise(address, info)?;
            info.account_id = AccountId::new(position);
        }
        self.accounts.push(Cached {
            address,
            hidden: now.is_none(),
            now,
            before: None,
            destroyed: false,
            slots: StorageKeyMap::default(),
        });
        self.positions.insert(address, position as u32);
        Ok(position)
    }

    #[inline]
    fn slot(&mut self, position: usize, key: U256) -> Result<U256, StoreError> {
        let cached = &mut self.accounts[position];
        if let Some(slot) = cached.slots.get(&key) {
            return Ok(slot.now);
        }
        if cached.hidden {
            return Ok(U256::ZERO);
        }
        let value = self.store.storage(cached.address, key)?;
        cached.slots.insert(key, Slot { before: value, now: value });
        Ok(value)
    }
}

impl<S: StateStore + ?Sized> Database for SequentialState<'_, S> {
    type Error = StoreError;

    #[inline]
    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StoreError> {
        let position = self.position(address, None)?;
        let info = self.accounts[position].now.clone();
        Ok(match &self.shared {
            Some((precompile, _)) if *precompile == address && !self.paused => put_on(info),
            _ => info,
        })
    }

    /// Never asked by revm, since [`basic`](Self::basic) gives code along.
    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, StoreError> {
        self.accounts
            .iter()
            .filter_map(|cached| cached.now.as_ref())
            .find(|info| info.code_hash == code_hash)
            .and_then(|info| info.code.clone())
            .ok_or_else(|| StoreError::Account {
                address: Address::ZERO,
                reason: format!("no account read so far has code {code_hash}"),
            })
    }

    #[inline]
    fn storage(&mut self, address: Address, key: U256) -> Result<U256, StoreError> {
        let position = self.position(address, None)?;
        self.slot(position, key)
    }

    #[inline]
    fn storage_by_account_id(
        &mut self,
        address: Address,
        account_id: AccountId,
        key: U256,
    ) -> Result<U256, StoreError> {
        let position = self.position(address, Some(account_id))?;
        self.slot(position, key)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StoreError> {
        match self.block_hashes.get(&number) {
            Some(hash) => Ok(*hash),
            None => self.store.block_hash(number),
        }
    }
}

impl<S: StateStore + ?Sized> StorageProbe for SequentialState<'_, S> {
    /// An account without code and nonce has the storage it had before the block or none: nobody
    /// else can write its slots, so what the block wrote need not be set off against the store.
    fn has_storage(&mut self, address: Address) -> bool {
        let answer = self.position(address, None).and_then(|position| {
            let cached = &self.accounts[position];
            let written = cached.slots.values().any(|slot| !slot.now.is_zero());
            Ok(written || (!cached.hidden && self.store.has_storage(address)?))
        });
        answer.unwrap_or_else(|error| {
            self.failure = Some(error);
            true
        })
    }
}

impl<S: StateStore + ?Sized> RegionSource for SequentialState<'_, S> {
    fn regions(&mut self) -> Option<&mut dyn World> {
        self.shared.as_mut().map(|(_, regions)| &mut **regions as &mut dyn World)
    }
}
