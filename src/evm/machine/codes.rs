//! A worker's own copies of the code that its transactions call again and again.
//!
//! Code is shared and counts its holders. A transaction that calls a contract adds and takes away some
//! six of them, and jumps look at what stands beside the count; so workers whose transactions call the
//! same contract take one cache line from each other a dozen times per transaction. Measured on two
//! cores with ERC-20 transfers, that was some 0.1 µs of each, which take 4 µs.
//!
//! A copy has to be analysed anew, which takes time in proportion to its length: so code is copied once
//! it was used so often that the copy would have paid by now.

use revm::bytecode::Bytecode;

use super::cells::Account;
use crate::state::EntryId;

/// Contracts that are watched. Each has one place, by its number.
const WATCHED: usize = 32;
/// Bytes of code that are copied in the time that one use loses without.
const PER_USE: usize = 64;

/// The copies of one worker, for one block at a time.
#[derive(Default)]
pub(super) struct Codes {
    /// Empty until there is something to watch.
    watched: Box<[Option<Watched>]>,
}

/// A contract that was called.
struct Watched {
    account: EntryId,
    uses: usize,
    own: Option<Bytecode>,
}

impl Codes {
    /// Turns to another block.
    pub(super) fn forget(&mut self) {
        self.watched.fill_with(|| None);
    }

    /// A clone of the account as it was before the block, with code that this worker alone has, if that
    /// is worth its while.
    pub(super) fn clone_account(&mut self, id: EntryId, account: &Account) -> Account {
        let code = account.code.as_ref().map(|code| self.clone_code(id, code));
        let Account { exists, nonce, balance, code_hash, code: _, generation } = *account;
        Account { exists, nonce, balance, code_hash, code, generation }
    }

    fn clone_code(&mut self, account: EntryId, code: &Bytecode) -> Bytecode {
        if self.watched.is_empty() {
            self.watched = (0..WATCHED).map(|_| None).collect();
        }
        let place = &mut self.watched[account.get() as usize % WATCHED];
        match place {
            Some(watched) if watched.account == account => {
                if let Some(own) = &watched.own {
                    return own.clone();
                }
                watched.uses += 1;
                if watched.uses * PER_USE >= code.len() && code.is_legacy() {
                    let own = Bytecode::new_legacy(code.original_bytes());
                    return watched.own.insert(own).clone();
                }
            }
            // A copy stays.
            Some(Watched { own: Some(_), .. }) => {}
            // Of two that are called in turns, the one that is called more gets ahead.
            Some(watched) if watched.uses > 1 => watched.uses -= 1,
            _ => *place = Some(Watched { account, uses: 1, own: None }),
        }
        code.clone()
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Bytes, keccak256};

    use super::*;
    use crate::{evm::machine::cells::AccountCell, state::Table};

    #[test]
    fn what_is_called_often_is_copied_and_stays_the_same_code() {
        let table: Table<AccountCell> = Table::new();
        let id = table.intern(&Default::default());
        let raw: Vec<u8> = (0..PER_USE * 3).map(|at| at as u8).collect();
        let code = Bytecode::new_legacy(Bytes::from(raw.clone()));
        let account = Account {
            exists: true,
            code_hash: keccak256(&raw),
            code: Some(code.clone()),
            ..Account::default()
        };
        let shared = code.bytecode().as_ptr();
        let mut codes = Codes::default();
        let copied: Vec<bool> = (0..5)
            .map(|_| {
                let clone = codes.clone_account(id, &account);
                assert_eq!(clone, account);
                clone.code.is_some_and(|code| code.bytecode().as_ptr() != shared)
            })
            .collect();
        assert_eq!(copied, [false, false, true, true, true]);
        codes.forget();
        assert!(codes.watched.iter().all(Option::is_none));
    }
}
