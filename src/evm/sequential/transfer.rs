//! Plain transfers on the state of a block that goes one by one. The engine's direct path uses them; the
//! sequential reference does not.

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use revm::{
    context::result::ExecutionResult,
    state::{AccountId, AccountInfo},
};

use super::{SequentialState, cached::Cached};
use crate::evm::{
    StateStore, StoreError,
    transfer::{Transfer, Transfers},
};

impl Cached {
    /// The account, to be changed. One that does not exist does from now on.
    #[inline]
    fn change_now(&mut self, position: usize) -> &mut AccountInfo {
        if self.before.is_none() {
            // Its code is told from another by the hash; to clone it would be to count it.
            let before = |info: &AccountInfo| AccountInfo { code: None, ..*info };
            self.before = Some(self.now.as_ref().map(before));
        }
        self.now.get_or_insert_with(|| AccountInfo {
            account_id: AccountId::new(position),
            ..AccountInfo::default()
        })
    }
}

impl<S: StateStore + ?Sized> SequentialState<'_, S> {
    /// Executes a plain transfer, and commits it. `None`: it does not go through as one, and nothing has
    /// changed.
    ///
    /// # Errors
    ///
    /// If the store fails. The accounts are read in the order in which revm reads them.
    pub(crate) fn transfer(
        &mut self,
        transfers: &Transfers,
        transfer: &Transfer,
        beneficiary: Address,
    ) -> Result<Option<ExecutionResult>, StoreError> {
        let from = self.position(transfer.from, None)?;
        let Some(sender) = self.accounts[from].now.as_ref() else { return Ok(None) };
        if sender.nonce != transfer.nonce
            || sender.balance < transfer.needed
            || sender.code_hash != KECCAK256_EMPTY
        {
            return Ok(None);
        }
        let to = self.position(transfer.to, None)?;
        let recipient = self.accounts[to].now.as_ref();
        if recipient.is_some_and(|info| info.code_hash != KECCAK256_EMPTY) {
            return Ok(None);
        }
        let has = recipient.map(|info| info.balance).unwrap_or_default();
        let Some(balance) = has.checked_add(transfer.value) else { return Ok(None) };
        let payee = self.payee(beneficiary)?;

        let sender = self.accounts[from].change_now(from);
        // Both were part of what is needed.
        sender.balance -= transfer.value + transfer.fee;
        sender.nonce += 1;
        self.accounts[to].change_now(to).balance = balance;
        self.reward(beneficiary, payee, transfer.reward)?;
        Ok(Some(transfers.result()))
    }

    /// Where the beneficiary's account is.
    ///
    /// # Errors
    ///
    /// If the store fails.
    #[inline]
    pub(super) fn payee(&mut self, beneficiary: Address) -> Result<usize, StoreError> {
        let payee = self.position(beneficiary, self.payee)?;
        self.payee = AccountId::new(payee);
        Ok(payee)
    }

    /// Pays the fee to the account at `payee`. A reward that does not fit is not paid, and one of nothing is a touch
    /// all the same.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub(super) fn reward(
        &mut self,
        beneficiary: Address,
        payee: usize,
        reward: U256,
    ) -> Result<(), StoreError> {
        let cached = &mut self.accounts[payee];
        let has = cached.now.as_ref().map(|info| info.balance);
        match has.and_then(|has| has.checked_add(reward)) {
            // An account that gets something is not empty, so this is all.
            Some(balance) if !reward.is_zero() => cached.change_now(payee).balance = balance,
            _ => {
                let has = has.unwrap_or_default();
                self.set_balance(beneficiary, has.checked_add(reward).unwrap_or(has))?;
            }
        }
        Ok(())
    }
}
