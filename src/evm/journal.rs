//! revm's journal with the one rule of Ethereum it leaves out: storage makes a creation collide. It
//! also takes the session of shared memory along.

use alloy_primitives::{
    Address, B256, Log,
    map::{AddressMap, AddressSet, HashSet},
};
use revm::{
    Database, Journal,
    bytecode::Bytecode,
    context::journaled_state::{
        AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, JournalTr, StateLoad,
        TransferError, account::JournaledAccount,
    },
    context_interface::context::{SStoreResult, SelfDestructResult},
    primitives::{KECCAK_EMPTY, StorageKey, StorageValue, U256, hardfork::SpecId},
    state::{Account, EvmState},
};

use super::shared::{RegionSource, Shared, SharedEnd, SharedJournal};

/// A database that can say whether an account holds storage (EIP-7610).
pub trait StorageProbe: Database {
    /// Whether any slot of the account is non-zero. A probe that fails keeps its error, for the
    /// caller of the EVM to collect, since the journal's creation step cannot return it; what it
    /// then answers does not matter.
    fn has_storage(&mut self, address: Address) -> bool;
}

/// The stock [`Journal`], except that creating a contract over an account that has storage is a
/// collision, as [EIP-7610](https://eips.ethereum.org/EIPS/eip-7610) demands of all forks.
///
/// Everything else is passed on. Build a context with [`Context::new`](revm::Context::new) or
/// [`with_new_journal`](revm::Context::with_new_journal); `with_db` would put the stock journal
/// back.
#[derive(Debug)]
pub struct CollisionJournal<DB: Database> {
    stock: Journal<DB>,
    shared: Shared,
}

impl<DB: Database> CollisionJournal<DB> {
    /// The journal for a block with shared memory, or without.
    pub fn with_shared(mut self, shared: Shared) -> Self {
        self.shared = shared;
        self
    }

    /// Ends the transaction's use of shared memory. With `keep`, for a transaction that was executed,
    /// what it did stands.
    #[inline]
    pub fn end_shared(&mut self, keep: bool) -> SharedEnd {
        self.shared.end(keep)
    }

    /// Switches shared memory off for a while.
    pub fn pause_shared(&mut self, paused: bool) {
        self.shared.pause(paused);
    }

    /// Takes back the map of a committed transaction, so that the next one need not allocate.
    /// Large maps are dropped: clearing one costs in proportion to its capacity, which every later
    /// transaction would pay.
    #[inline]
    pub fn recycle(&mut self, mut state: EvmState) {
        if state.capacity() <= 64 && self.stock.inner.state.is_empty() {
            state.clear();
            self.stock.inner.state = state;
        }
    }

    /// Takes the database out.
    pub fn into_database(self) -> DB {
        self.stock.database
    }
}

type Load<T, DB> = Result<StateLoad<T>, JournalLoadError<<DB as Database>::Error>>;
type Plain<T, DB> = Result<StateLoad<T>, <DB as Database>::Error>;

impl<DB: StorageProbe> JournalTr for CollisionJournal<DB> {
    type Database = DB;
    type State = EvmState;
    type JournaledAccount<'a>
        = JournaledAccount<'a, DB>
    where
        DB: 'a;

    fn new(database: DB) -> Self {
        Self { stock: Journal::new(database), shared: Shared::default() }
    }

    /// The rule this type exists for. An account that was absent when it was loaded has no
    /// storage, so the usual creation asks nothing.
    #[inline]
    fn create_account_checkpoint(
        &mut self,
        caller: Address,
        address: Address,
        balance: U256,
        spec_id: SpecId,
    ) -> Result<JournalCheckpoint, TransferError> {
        let vacant = self.stock.inner.state.get(&address).is_none_or(|account| {
            account.is_loaded_as_not_existing()
                || account.info.code_hash != KECCAK_EMPTY
                || account.info.nonce != 0
        });
        if !vacant && self.stock.database.has_storage(address) {
            return Err(TransferError::CreateCollision);
        }
        let checkpoint = self.stock.create_account_checkpoint(caller, address, balance, spec_id)?;
        self.shared.checkpoint();
        Ok(checkpoint)
    }

    #[inline]
    fn db_and_state(&self) -> (&DB, &EvmState) {
        self.stock.db_and_state()
    }

    #[inline]
    fn db_and_state_mut(&mut self) -> (&mut DB, &mut EvmState) {
        self.stock.db_and_state_mut()
    }

    #[inline]
    fn sload(&mut self, address: Address, key: StorageKey) -> Plain<StorageValue, DB> {
        self.stock.sload(address, key)
    }

    #[inline]
    fn sload_skip_cold_load(
        &mut self,
        address: Address,
        key: StorageKey,
        skip_cold_load: bool,
    ) -> Load<StorageValue, DB> {
        self.stock.sload_skip_cold_load(address, key, skip_cold_load)
    }

    #[inline]
    fn sstore(
        &mut self,
        address: Address,
        key: StorageKey,
        value: StorageValue,
    ) -> Plain<SStoreResult, DB> {
        self.stock.sstore(address, key, value)
    }

    #[inline]
    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: StorageKey,
        value: StorageValue,
        skip_cold_load: bool,
    ) -> Load<SStoreResult, DB> {
        self.stock.sstore_skip_cold_load(address, key, value, skip_cold_load)
    }

    #[inline]
    fn tload(&mut self, address: Address, key: StorageKey) -> StorageValue {
        self.stock.tload(address, key)
    }

    #[inline]
    fn tstore(&mut self, address: Address, key: StorageKey, value: StorageValue) {
        self.stock.tstore(address, key, value);
    }

    #[inline]
    fn log(&mut self, log: Log) {
        self.stock.log(log);
    }

    #[inline]
    fn take_logs(&mut self) -> Vec<Log> {
        self.stock.take_logs()
    }

    #[inline]
    fn logs(&self) -> &[Log] {
        self.stock.logs()
    }

    #[inline]
    fn selfdestruct(
        &mut self,
        address: Address,
        target: Address,
        skip_cold_load: bool,
    ) -> Load<SelfDestructResult, DB> {
        self.shared.meet(target, &mut self.stock);
        self.stock.selfdestruct(address, target, skip_cold_load)
    }

    #[inline]
    fn warm_access_list(&mut self, access_list: AddressMap<HashSet<StorageKey>>) {
        self.stock.warm_access_list(access_list);
    }

    #[inline]
    fn warm_coinbase_account(&mut self, address: Address) {
        self.stock.warm_coinbase_account(address);
    }

    #[inline]
    fn warm_precompiles(&mut self, addresses: &AddressSet) {
        self.stock.warm_precompiles(addresses);
    }

    #[inline]
    fn precompile_addresses(&self) -> &AddressSet {
        self.stock.precompile_addresses()
    }

    #[inline]
    fn set_spec_id(&mut self, spec_id: SpecId) {
        self.stock.set_spec_id(spec_id);
    }

    #[inline]
    fn set_eip7708_config(&mut self, disabled: bool, delayed_clear_disabled: bool) {
        self.stock.set_eip7708_config(disabled, delayed_clear_disabled);
    }

    #[inline]
    fn touch_account(&mut self, address: Address) {
        self.stock.touch_account(address);
    }

    #[inline]
    fn transfer(
        &mut self,
        from: Address,
        to: Address,
        balance: U256,
    ) -> Result<Option<TransferError>, DB::Error> {
        self.shared.meet(to, &mut self.stock);
        self.stock.transfer(from, to, balance)
    }

    #[inline]
    fn transfer_loaded(
        &mut self,
        from: Address,
        to: Address,
        balance: U256,
    ) -> Option<TransferError> {
        self.stock.transfer_loaded(from, to, balance)
    }

    #[expect(deprecated)]
    fn caller_accounting_journal_entry(
        &mut self,
        address: Address,
        old_balance: U256,
        bump_nonce: bool,
    ) {
        self.stock.caller_accounting_journal_entry(address, old_balance, bump_nonce);
    }

    #[inline]
    fn balance_incr(&mut self, address: Address, balance: U256) -> Result<(), DB::Error> {
        self.shared.meet(address, &mut self.stock);
        self.stock.balance_incr(address, balance)
    }

    #[expect(deprecated)]
    fn nonce_bump_journal_entry(&mut self, address: Address) {
        self.stock.nonce_bump_journal_entry(address);
    }

    #[inline]
    fn load_account(&mut self, address: Address) -> Plain<&Account, DB> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account(address)
    }

    #[inline]
    fn load_account_with_code(&mut self, address: Address) -> Plain<&Account, DB> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account_with_code(address)
    }

    #[inline]
    fn load_account_delegated(&mut self, address: Address) -> Plain<AccountLoad, DB> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account_delegated(address)
    }

    #[inline]
    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip_cold_load: bool,
    ) -> Load<Self::JournaledAccount<'_>, DB> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account_mut_skip_cold_load(address, skip_cold_load)
    }

    #[inline]
    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        load_code: bool,
    ) -> Plain<Self::JournaledAccount<'_>, DB> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account_mut_optional_code(address, load_code)
    }

    #[inline]
    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip_cold_load: bool,
    ) -> Result<AccountInfoLoad<'_>, JournalLoadError<DB::Error>> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account_info_skip_cold_load(address, load_code, skip_cold_load)
    }

    #[inline]
    fn set_code_with_hash(&mut self, address: Address, code: Bytecode, hash: B256) {
        self.stock.set_code_with_hash(address, code, hash);
    }

    #[inline]
    fn checkpoint(&mut self) -> JournalCheckpoint {
        self.shared.checkpoint();
        self.stock.checkpoint()
    }

    #[inline]
    fn checkpoint_commit(&mut self) {
        self.shared.commit();
        self.stock.checkpoint_commit();
    }

    #[inline]
    fn checkpoint_revert(&mut self, checkpoint: JournalCheckpoint) {
        self.shared.revert();
        self.stock.checkpoint_revert(checkpoint);
    }

    #[inline]
    fn depth(&self) -> usize {
        self.stock.depth()
    }

    #[inline]
    fn commit_tx(&mut self) {
        self.stock.commit_tx();
    }

    #[inline]
    fn discard_tx(&mut self) {
        self.stock.discard_tx();
    }

    #[inline]
    fn finalize(&mut self) -> EvmState {
        self.shared.discard();
        let mut state = self.stock.finalize();
        self.shared.part(&mut state, &mut self.stock);
        state
    }
}

impl<DB: StorageProbe + RegionSource> SharedJournal for CollisionJournal<DB> {
    #[inline]
    fn shared_and_database(&mut self) -> (&mut Shared, &mut DB) {
        (&mut self.shared, &mut self.stock.database)
    }
}
