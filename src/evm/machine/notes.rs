//! What an incarnation has observed so far.
//!
//! revm loads whole accounts; which fields a transaction depends on shows in its journal. The
//! database adapter notes each account and slot it loads, the journal notes how they are used.

use alloy_primitives::{Address, U256, map::AddressMap};
use revm::state::{AccountId, AccountInfo};
use smallvec::SmallVec;

use super::cells::{Account, AccountSeen, field};
use crate::state::EntryId;

/// Accounts that are sooner looked through than hashed.
pub(super) const FEW: usize = 8;

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
    /// Where the first accounts stand, if one of them was asked for that has no id: a transaction may load
    /// thousands that do not exist, and come back to each.
    pub(super) positions: AddressMap<usize>,
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
        self.positions.clear();
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
    #[inline]
    pub(crate) fn position(&mut self, id: Option<AccountId>, address: Address) -> usize {
        match id {
            Some(id) if self.accounts.get(id.get()).is_some_and(|n| n.address == address) => {
                id.get()
            }
            _ => self.find(address),
        }
    }

    fn find(&mut self, address: Address) -> usize {
        let recent = self.accounts.len().saturating_sub(FEW);
        let at = self.accounts[recent..].iter().rposition(|note| note.address == address);
        let at = at.map(|at| recent + at).or_else(|| {
            let new = self.accounts.iter().enumerate().take(recent).skip(self.positions.len());
            self.positions.extend(new.map(|(at, note)| (note.address, at)));
            self.positions.get(&address).copied()
        });
        at.expect("the journal holds only accounts that the adapter loaded")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evm::machine::cells::AccountCell, state::Table};

    #[test]
    fn accounts_without_ids_are_found_however_many_there_are() {
        let table = Table::<AccountCell>::new();
        let address = |at: usize| Address::left_padding_from(&(at as u32).to_be_bytes());
        let mut notes = Notes::default();
        for round in 0..3 {
            for at in 0..1_000 {
                notes.load(table.intern(&address(at)), address(at), &Account::default());
                // The latest, an early one, one whose id is another's.
                assert_eq!(notes.position(None, address(at)), at);
                assert_eq!(notes.position(None, address(at / 3)), at / 3, "in round {round}");
                assert_eq!(notes.position(AccountId::new(at / 2), address(at / 5)), at / 5);
            }
            assert_eq!(notes.positions.len(), 1_000 - FEW, "each is hashed once");
            notes.clear();
        }
    }

    #[test]
    fn a_transaction_of_few_accounts_hashes_none() {
        let table = Table::<AccountCell>::new();
        let mut notes = Notes::default();
        let accounts = [3, 5, 8].map(Address::repeat_byte);
        for address in accounts {
            notes.load(table.intern(&address), address, &Account::default());
        }
        assert_eq!(accounts.map(|address| notes.position(None, address)), [0, 1, 2]);
        assert!(notes.positions.is_empty());
    }
}
