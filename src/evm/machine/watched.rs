//! The stock journal with the notes of the incarnation, and what can be asked of both.

use std::{cell::RefCell, rc::Rc};

use alloy_primitives::{Address, U256};
use revm::{Journal, context::JournalTr, state::EvmState};

use super::{
    super::shared::Shared,
    cells::field,
    creation::Creation,
    notes::{FEW, Notes},
    view::{Stop, View},
};

/// The stock journal over a [`View`], and the notes they share.
pub(crate) struct WatchedJournal<'y> {
    pub(super) stock: Journal<View<'y>>,
    pub(super) notes: Rc<RefCell<Notes>>,
    /// The session of shared memory.
    pub(crate) shared: Shared,
    /// What the next account is loaded for, if that is a creation.
    pub(super) creation: Option<Creation>,
    /// Set when a storage check that revm's interface gives no error for has failed.
    pub(crate) failed: Option<Stop>,
    /// Set when a transaction panicked in the middle of something.
    pub(crate) poisoned: bool,
}

impl<'y> WatchedJournal<'y> {
    pub(crate) fn over(view: View<'y>, notes: Rc<RefCell<Notes>>, shared: Shared) -> Self {
        Self {
            stock: Journal::new(view),
            notes,
            shared,
            creation: None,
            failed: None,
            poisoned: false,
        }
    }

    pub(crate) fn notes(&self) -> &RefCell<Notes> {
        &self.notes
    }

    /// Takes back the map of a finished transaction, so that the next one need not allocate. Large
    /// maps are dropped: clearing one costs in proportion to its capacity.
    pub(crate) fn recycle(&mut self, mut state: EvmState) {
        if state.capacity() <= 64 && self.stock.inner.state.is_empty() {
            state.clear();
            self.stock.inner.state = state;
        }
    }

    /// The beneficiary, if the transaction loaded it.
    pub(crate) fn loaded(&self, address: Address) -> bool {
        let notes = self.notes.borrow();
        match notes.accounts.as_slice() {
            // All that is loaded has been noted, so a few notes are sooner looked through.
            few if few.len() <= FEW => few.iter().any(|note| note.address == address),
            _ => self.stock.inner.state.contains_key(&address),
        }
    }

    /// Notes that the sender's balance decided the transaction's validity.
    pub(crate) fn check_funds(&mut self, sender: Address, needed: Option<U256>) {
        let Some(account) = self.stock.inner.state.get(&sender) else { return };
        let mut notes = self.notes.borrow_mut();
        let seen = notes.account(account.info.account_id, sender);
        seen.fields |= field::NONCE | field::CODE | field::EXISTS | field::EMPTY;
        match needed {
            Some(needed) => {
                let balance = seen.balance;
                seen.bounds.debit(balance, balance, needed);
            }
            None => seen.pin_balance(),
        }
    }

    pub(super) fn debit(&self, address: Address, amount: U256) -> bool {
        let Some(account) = self.stock.inner.state.get(&address) else { return false };
        let mut notes = self.notes.borrow_mut();
        let seen = notes.account(account.info.account_id, address);
        let balance = seen.balance;
        seen.bounds.debit(balance, account.info.balance, amount)
    }

    pub(crate) fn credit(&self, address: Address, amount: U256) {
        let Some(account) = self.stock.inner.state.get(&address) else { return };
        let mut notes = self.notes.borrow_mut();
        let seen = notes.account(account.info.account_id, address);
        let balance = seen.balance;
        seen.bounds.credit(balance, account.info.balance, amount);
    }
}
