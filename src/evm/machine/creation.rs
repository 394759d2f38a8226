//! Contracts that create others: what a transaction depends on of the creator's nonce and balance.
//!
//! | opcode | the creator's nonce | observed | change |
//! |---|---|---|---|
//! | CREATE | is hashed into the address | its value when it is first used | [`Nonce::Used`] |
//! | CREATE2 (EIP-1014) | is raised, and goes into nothing | nothing | [`Nonce::Raised`] |
//!
//! Transactions that have one factory create contracts with CREATE2 run beside each other. Those that have it CREATE
//! are a chain, from the first CREATE of each on. A transaction that gets there takes the nonce that lower ones have left
//! by then, not the one from when the factory was called; where it is contended, it first waits for the one below
//! that has got there, too. What it did before that stands.
//!
//! An account whose code is a delegation (EIP-7702) also sends transactions, whose nonces are predicted: both opcodes
//! depend on the value of its nonce.
//!
//! From Amsterdam on (EIP-8037) what CREATE costs depends on where the contract would be, before there is a frame for
//! it, and revm remembers that place. So there the nonce of every contract that is called counts as used.

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use revm::{
    bytecode::Bytecode,
    interpreter::{CreateInputs, CreateScheme},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};

use super::{
    cells::{AccountSeen, field},
    prelude::Place,
    view::{Stop, View},
    watched::WatchedJournal,
};
use crate::state::{EntryId, Read};

/// So high no contract gets by creating others; from here on, whether there is a next nonce decides.
const HIGH: u64 = u64::MAX / 2;

/// What revm loads a creator for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Creation {
    pub(super) creator: Address,
    value: U256,
    /// Whether anything depends on the creator's nonce.
    uses_nonce: bool,
}

impl Creation {
    /// Notes what is observed of the creator, `current` being what it is now.
    pub(super) fn note(&self, seen: &mut AccountSeen, current: &AccountInfo) {
        if self.uses_nonce {
            seen.fields |= field::NONCE;
        }
        let balance = seen.balance;
        seen.bounds.debit(balance, current.balance, self.value);
    }
}

/// Whether the account is a contract, and sends no transactions of its own.
pub(super) fn is_contract(info: &AccountInfo) -> bool {
    let is_delegated = |code: &Bytecode| code.eip7702_address().is_some();
    info.code_hash != KECCAK256_EMPTY && info.code.as_ref().is_some_and(|code| !is_delegated(code))
}

impl WatchedJournal<'_> {
    /// Code of a frame is about to create a contract: the creator will be loaded next.
    pub(super) fn will_create(&mut self, inputs: &CreateInputs) -> Result<(), Stop> {
        let (creator, value) = (inputs.caller(), inputs.value());
        let info = self.stock.inner.state.get(&creator).map(|account| &account.info);
        let commutes = matches!(inputs.scheme(), CreateScheme::Create2 { .. })
            && !self.prices_places()
            && info.is_some_and(|info| is_contract(info) && info.nonce < HIGH);
        self.creation = Some(Creation { creator, value, uses_nonce: !commutes });
        if commutes || self.prices_places() { Ok(()) } else { self.renew_nonce(creator) }
    }

    /// What is observed of an account by running its code.
    pub(super) fn fields_of_code(&self) -> u8 {
        if self.prices_places() { field::CODE | field::NONCE } else { field::CODE }
    }

    /// Whether what CREATE costs depends on where the contract would be.
    fn prices_places(&self) -> bool {
        self.stock.inner.cfg.spec.is_enabled_in(SpecId::AMSTERDAM)
    }

    /// Has the creator's nonce be what lower transactions have left by now, if this one has not used it yet.
    fn renew_nonce(&mut self, creator: Address) -> Result<(), Stop> {
        let Some(account) = self.stock.inner.state.get(&creator) else { return Ok(()) };
        let (id, seen) = {
            let mut notes = self.notes.borrow_mut();
            let at = notes.position(account.info.account_id, creator);
            (notes.accounts[at].id, notes.accounts[at].seen.clone())
        };
        let is_used = seen.fields & field::NONCE != 0 || account.info.nonce != seen.nonce;
        if is_used || account.is_created() || !is_contract(&account.info) {
            return Ok(());
        }
        let Some(nonce) = self.stock.database.nonce_now(id, &seen)? else { return Ok(()) };
        if let Some(account) = self.stock.inner.state.get_mut(&creator) {
            account.info.nonce = nonce;
            account.original_info_mut().nonce = nonce;
            self.notes.borrow_mut().account(account.info.account_id, creator).nonce = nonce;
        }
        Ok(())
    }
}

impl View<'_> {
    /// The nonce that lower transactions have left by now, if it is the same contract still. From now on the
    /// transaction is told when a lower one uses it.
    fn nonce_now(&mut self, id: EntryId, seen: &AccountSeen) -> Result<Option<u64>, Stop> {
        if self.scouting.is_some() {
            return Ok(None);
        }
        self.check()?;
        self.wait_for_rivals(|machine| machine.accounts.entry(id), Place::Account(id))?;
        loop {
            match self.run().machine.accounts.entry(id).read_noted(self.tx) {
                Read::Value(now) => {
                    let same = now.code_hash == seen.code_hash && now.generation == seen.generation;
                    return Ok(same.then_some(now.nonce));
                }
                Read::Blocked(writer) => self.wait(writer, Place::Account(id))?,
                Read::Unknown => return Ok(None),
            }
        }
    }
}
