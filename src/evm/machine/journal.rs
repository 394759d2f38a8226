//! revm's journal, watched: notes which fields of which accounts an incarnation uses.
//!
//! Every method delegates to the stock journal. What it adds is one rule per way of using an
//! account:
//!
//! | use | observation |
//! |---|---|
//! | sender and authority checks | nonce, code, existence, emptiness |
//! | value transfer | "enough" of the debited, "no overflow" of the credited balance |
//! | call target | code; if it has none, existence and emptiness |
//! | BALANCE, SELFBALANCE, EXTCODEHASH | the balance itself, code, existence, emptiness |
//! | CREATE, CREATE2 | the creator's nonce ([`creation`](super::creation)), "enough" of its balance; nonce, code, storage of the new account (EIP-7610) |
//! | SELFDESTRUCT | the balance itself; existence and emptiness of the heir |
//!
//! "Enough" and "no overflow" are intervals ([`crate::state::Bounds`]), so that credits and debits of
//! different transactions commute.

use std::rc::Rc;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, Log, U256};
use revm::{
    bytecode::Bytecode,
    context::{
        JournalEntry, JournalTr,
        journaled_state::{
            AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, TransferError,
            account::{JournaledAccount, JournaledAccountTr},
        },
    },
    context_interface::context::{SStoreResult, SelfDestructResult, StateLoad},
    primitives::{AddressMap, AddressSet, HashSet, hardfork::SpecId},
    state::{Account, EvmState},
};

use super::{
    super::shared::Shared,
    cells::field,
    view::{Stop, View},
    watched::WatchedJournal,
};

type Load<T> = Result<StateLoad<T>, JournalLoadError<Stop>>;

impl<'y> JournalTr for WatchedJournal<'y> {
    type Database = View<'y>;
    type State = EvmState;
    type JournaledAccount<'a>
        = JournaledAccount<'a, View<'y>, JournalEntry>
    where
        Self: 'a;

    fn new(database: View<'y>) -> Self {
        Self::over(database, Rc::default(), Shared::default())
    }

    fn db_and_state(&self) -> (&View<'y>, &EvmState) {
        self.stock.db_and_state()
    }

    fn db_and_state_mut(&mut self) -> (&mut View<'y>, &mut EvmState) {
        self.stock.db_and_state_mut()
    }

    fn sload(&mut self, address: Address, key: U256) -> Result<StateLoad<U256>, Stop> {
        self.stock.sload(address, key)
    }

    fn sload_skip_cold_load(&mut self, address: Address, key: U256, skip: bool) -> Load<U256> {
        self.stock.sload_skip_cold_load(address, key, skip)
    }

    fn sstore(
        &mut self,
        address: Address,
        key: U256,
        value: U256,
    ) -> Result<StateLoad<SStoreResult>, Stop> {
        self.stock.sstore(address, key, value)
    }

    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: U256,
        value: U256,
        skip: bool,
    ) -> Load<SStoreResult> {
        self.stock.sstore_skip_cold_load(address, key, value, skip)
    }

    fn tload(&mut self, address: Address, key: U256) -> U256 {
        self.stock.tload(address, key)
    }

    fn tstore(&mut self, address: Address, key: U256, value: U256) {
        self.stock.tstore(address, key, value)
    }

    fn log(&mut self, log: Log) {
        self.stock.log(log)
    }

    fn take_logs(&mut self) -> Vec<Log> {
        self.stock.take_logs()
    }

    fn logs(&self) -> &[Log] {
        self.stock.logs()
    }

    fn selfdestruct(
        &mut self,
        address: Address,
        target: Address,
        skip: bool,
    ) -> Load<SelfDestructResult> {
        self.shared.meet(target, &mut self.stock);
        // The heir's emptiness is asked before it inherits; a heir that is not loaded yet has no
        // changes of this transaction.
        if let Some(heir) = self.stock.inner.state.get(&target) {
            self.notes.borrow_mut().account(heir.info.account_id, target).ask_empty(&heir.info);
        }
        let known = self.loaded(target);
        let result = self.stock.selfdestruct(address, target, skip)?;
        let mut notes = self.notes.borrow_mut();
        notes.account(None, address).pin_balance();
        if !known {
            notes.account(None, target).fields |= field::EXISTS | field::EMPTY;
        }
        Ok(result)
    }

    fn warm_access_list(&mut self, access_list: AddressMap<HashSet<U256>>) {
        self.stock.warm_access_list(access_list)
    }

    fn warm_coinbase_account(&mut self, address: Address) {
        self.stock.warm_coinbase_account(address)
    }

    fn warm_precompiles(&mut self, precompiles: &AddressSet) {
        self.stock.warm_precompiles(precompiles)
    }

    fn precompile_addresses(&self) -> &AddressSet {
        self.stock.precompile_addresses()
    }

    fn set_spec_id(&mut self, spec: SpecId) {
        self.stock.set_spec_id(spec)
    }

    fn set_eip7708_config(&mut self, disabled: bool, delayed_clear_disabled: bool) {
        self.stock.set_eip7708_config(disabled, delayed_clear_disabled)
    }

    fn touch_account(&mut self, address: Address) {
        self.stock.touch_account(address)
    }

    fn transfer(
        &mut self,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<Option<TransferError>, Stop> {
        self.shared.meet(to, &mut self.stock);
        self.stock.load_account(from)?;
        self.stock.load_account(to)?;
        Ok(self.transfer_loaded(from, to, amount))
    }

    fn transfer_loaded(
        &mut self,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Option<TransferError> {
        if !amount.is_zero() && self.debit(from, amount) && from != to {
            self.credit(to, amount);
        }
        self.stock.transfer_loaded(from, to, amount)
    }

    #[expect(deprecated)]
    fn caller_accounting_journal_entry(&mut self, address: Address, old: U256, bump: bool) {
        self.stock.caller_accounting_journal_entry(address, old, bump)
    }

    fn balance_incr(&mut self, address: Address, amount: U256) -> Result<(), Stop> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account(address)?;
        self.credit(address, amount);
        self.stock.balance_incr(address, amount)
    }

    #[expect(deprecated)]
    fn nonce_bump_journal_entry(&mut self, address: Address) {
        self.stock.nonce_bump_journal_entry(address)
    }

    fn load_account(&mut self, address: Address) -> Result<StateLoad<&Account>, Stop> {
        self.shared.meet(address, &mut self.stock);
        self.stock.load_account(address)
    }

    fn load_account_with_code(&mut self, address: Address) -> Result<StateLoad<&Account>, Stop> {
        self.shared.meet(address, &mut self.stock);
        let fields = self.fields_of_code();
        let load = self.stock.load_account_with_code(address)?;
        self.notes.borrow_mut().account(load.info.account_id, address).fields |= fields;
        Ok(load)
    }

    fn load_account_delegated(&mut self, address: Address) -> Result<StateLoad<AccountLoad>, Stop> {
        self.shared.meet(address, &mut self.stock);
        let fields = self.fields_of_code();
        let load = self.stock.load_account_with_code(address)?;
        let delegate = load.info.code.as_ref().and_then(Bytecode::eip7702_address);
        {
            let mut notes = self.notes.borrow_mut();
            let seen = notes.account(load.info.account_id, address);
            seen.fields |= fields;
            seen.use_code(&load.info);
        }
        let load = self.stock.load_account_delegated(address)?;
        if let Some(delegate) = delegate {
            self.notes.borrow_mut().account(None, delegate).fields |= field::CODE;
        }
        Ok(load)
    }

    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip: bool,
    ) -> Load<JournaledAccount<'_, View<'y>, JournalEntry>> {
        self.shared.meet(address, &mut self.stock);
        let depth = self.stock.inner.depth;
        let load = self.stock.load_account_mut_skip_cold_load(address, skip)?;
        let current = &load.data.account().info;
        let mut notes = self.notes.borrow_mut();
        let seen = notes.account(current.account_id, address);
        match self.creation.take().filter(|creation| creation.creator == address) {
            Some(creation) => creation.note(seen, current),
            None => {
                seen.fields |= field::NONCE;
                // At depth 0 it is the sender, whose funds are checked already.
                if depth > 0 {
                    seen.pin_balance();
                }
            }
        }
        drop(notes);
        Ok(load)
    }

    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        load_code: bool,
    ) -> Result<StateLoad<JournaledAccount<'_, View<'y>, JournalEntry>>, Stop> {
        self.shared.meet(address, &mut self.stock);
        let load = self.stock.load_account_mut_optional_code(address, load_code)?;
        let mut notes = self.notes.borrow_mut();
        let current = &load.data.account().info;
        let seen = notes.account(current.account_id, address);
        seen.fields |= field::NONCE | field::CODE;
        seen.ask_empty(current);
        drop(notes);
        Ok(load)
    }

    fn set_code_with_hash(&mut self, address: Address, code: Bytecode, hash: B256) {
        self.stock.set_code_with_hash(address, code, hash)
    }

    fn code_hash(&mut self, address: Address) -> Result<StateLoad<B256>, Stop> {
        let load = self.stock.load_account_with_code(address)?;
        let mut notes = self.notes.borrow_mut();
        notes.account(load.info.account_id, address).use_code(&load.info);
        let hash = if load.is_empty() { B256::ZERO } else { load.info.code_hash };
        Ok(StateLoad::new(hash, load.is_cold))
    }

    fn checkpoint(&mut self) -> JournalCheckpoint {
        self.shared.checkpoint();
        self.stock.checkpoint()
    }

    fn checkpoint_commit(&mut self) {
        self.shared.commit();
        self.stock.checkpoint_commit()
    }

    fn checkpoint_revert(&mut self, checkpoint: JournalCheckpoint) {
        self.shared.revert();
        self.stock.checkpoint_revert(checkpoint)
    }

    fn create_account_checkpoint(
        &mut self,
        caller: Address,
        address: Address,
        balance: U256,
        spec: SpecId,
    ) -> Result<JournalCheckpoint, TransferError> {
        let Some(account) = self.stock.inner.state.get(&address) else {
            return Err(TransferError::CreateCollision);
        };
        let free = account.info.nonce == 0 && account.info.code_hash == KECCAK256_EMPTY;
        {
            let mut notes = self.notes.borrow_mut();
            let seen = notes.account(account.info.account_id, address);
            seen.fields |= field::NONCE | field::CODE | field::EXISTS;
        }
        if free {
            match self.stock.database.storage_is_empty(address) {
                Ok(true) => {}
                Ok(false) => return Err(TransferError::CreateCollision),
                Err(stop) => {
                    self.failed = Some(stop);
                    return Err(TransferError::CreateCollision);
                }
            }
        }
        if !balance.is_zero() {
            self.debit(caller, balance);
            self.credit(address, balance);
        }
        let checkpoint = self.stock.create_account_checkpoint(caller, address, balance, spec)?;
        self.shared.checkpoint();
        Ok(checkpoint)
    }

    fn depth(&self) -> usize {
        self.stock.depth()
    }

    fn commit_tx(&mut self) {
        self.stock.commit_tx()
    }

    fn discard_tx(&mut self) {
        self.stock.discard_tx()
    }

    fn finalize(&mut self) -> EvmState {
        self.shared.discard();
        self.creation = None;
        let mut state = self.stock.finalize();
        self.shared.part(&mut state, &mut self.stock);
        state
    }

    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip: bool,
    ) -> Result<AccountInfoLoad<'_>, JournalLoadError<Stop>> {
        self.shared.meet(address, &mut self.stock);
        let spec = self.stock.inner.cfg.spec;
        let fields = if load_code { self.fields_of_code() } else { 0 };
        let load = self.stock.inner.load_account_optional(
            &mut self.stock.database,
            address,
            load_code,
            skip,
        )?;
        let account = load.data;
        let mut notes = self.notes.borrow_mut();
        let seen = notes.account(account.info.account_id, address);
        seen.fields |= fields;
        seen.use_code(&account.info);
        if !load_code {
            // BALANCE and SELFBALANCE; EXTCODEHASH asks the same way.
            seen.pin_balance();
        }
        drop(notes);
        Ok(AccountInfoLoad::new(
            &account.info,
            load.is_cold,
            account.state_clear_aware_is_empty(spec),
        ))
    }
}
