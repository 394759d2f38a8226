//! What an incarnation has observed so far.
//!
//! revm loads whole accounts; which fields a transaction depends on shows in its journal. The
//! database adapter notes each account and slot it loads, the journal notes how they are used.

use alloy_primitives::{Address, U256};
use revm::state::{AccountId, AccountInfo};
use smallvec::SmallVec;

use super::cells::{Account, AccountSeen, field};
use crate::state::EntryId;

/// One loaded account.
#[derive(Debug)]
pub(crate) struct AccountNote {
    pub(crate) id: EntryId,
    pub(crate) address: Address,
    pub(crate) seen: AccountSeen,
}

/// The observations of one incarnation.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) accounts: Vec<AccountNote>,
    /// Slots with the values seen.
    pub(crate) slots: SmallVec<[(EntryId, U256); 4]>,
    /// The fee of a beneficiary that the transaction did not load.
    pub(crate) reward: Option<U256>,
    /// Gas spent when the incarnation stopped before its end.
    pub(crate) wasted: u64,
}

impl Notes {
    pub(crate) fn clear(&mut self) {
        self.accounts.clear();
        self.slots.clear();
        self.reward = None;
        self.wasted = 0;
    }

    /// Notes a loaded account; the position stands in `AccountInfo::account_id` from then on.
    pub(crate) fn load(&mut self, id: EntryId, address: Address, account: &Account) -> usize {
        self.accounts.push(AccountNote { id, address, seen: AccountSeen::of(account) });
        self.accounts.len() - 1
    }

    /// The note of an account of this incarnation.
    pub(crate) fn account(&mut self, id: Option<AccountId>, address: Address) -> &mut AccountSeen {
        let at = self.position(id, address);
        &mut self.accounts[at].seen
    }

    /// Where the note of an account stands. Accounts that do not exist carry no id in revm, which
    /// keeps no information of them.
    pub(crate) fn position(&self, id: Option<AccountId>, address: Address) -> usize {
        match id {
            Some(id) if self.accounts.get(id.get()).is_some_and(|n| n.address == address) => {
                id.get()
            }
            _ => self
                .accounts
                .iter()
                .rposition(|note| note.address == address)
                .expect("the journal holds only accounts that the adapter loaded"),
        }
    }
}

impl AccountSeen {
    /// The value of the balance was used.
    pub(crate) fn pin_balance(&mut self) {
        self.bounds.pin(self.balance);
    }

    /// It was asked whether the account, now `current`, is empty or (before EIP-161) exists.
    pub(crate) fn ask_empty(&mut self, current: &AccountInfo) {
        self.fields |= field::EXISTS;
        if current.nonce != self.nonce || current.code_hash != self.code_hash {
            // Decided by what the transaction itself did, or by fields it depends on already.
            return;
        }
        match current.balance.cmp(&self.balance) {
            std::cmp::Ordering::Equal => self.fields |= field::EMPTY,
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Less => self.pin_balance(),
        }
    }

    /// Code was used; for an account without code also whether it is empty matters.
    pub(crate) fn use_code(&mut self, current: &AccountInfo) {
        self.fields |= field::CODE;
        if current.is_empty_code_hash() {
            self.ask_empty(current);
        }
    }
}
