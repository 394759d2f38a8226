//! Whether transactions that run one by one could have run beside each other.
//!
//! A transaction that looks at a slot that the one before it changed is linked to it, be it a counter, a pool's
//! reserves or a recipient's balance; or if both have one contract create others with CREATE, since its nonce tells
//! where. Of regions, what both change counts: nearly always it was read first. A transaction may depend on others than
//! the one before it, so this finds the usual chains and proves nothing. Transfers of ether that do without revm, and
//! calls that were taken back as a whole, are passed over.
//!
//! Fees and the nonces of senders are not looked at: the engine's versions do not serialise fees, and a sender's
//! transactions follow each other in few blocks only.

use alloy_primitives::{Address, U256};

use crate::region::{content::PageKey, mask::WordMask, session::Effects};

/// What the latest two transactions changed, and how many were linked to the one before them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Nothing is noted before somebody asks for it.
    wanted: bool,
    before: Changes,
    now: Changes,
    /// The transaction that is being committed looked at a slot that the one before it changed.
    met: bool,
    linked: u32,
}

#[derive(Debug, Default)]
struct Changes {
    /// By the account's position in the state.
    slots: Vec<(usize, U256)>,
    pages: Vec<(PageKey, WordMask)>,
    /// Contracts that may have created others, each with its nonce before that.
    creators: Vec<(Address, u64)>,
    /// What was created.
    created: Vec<Address>,
}

impl Changes {
    fn clear(&mut self) {
        self.slots.clear();
        self.pages.clear();
        self.creators.clear();
        self.created.clear();
    }

    /// Leaves those creators whose nonces told where the created contracts are.
    fn keep_creators(&mut self) {
        let created = &self.created;
        self.creators.retain(|(creator, nonce)| created.contains(&creator.create(*nonce)));
    }

    fn meet_in_creators(&self, other: &Self) -> bool {
        let knows = |creator| other.creators.iter().any(|(other, _)| other == creator);
        self.creators.iter().any(|(creator, _)| knows(creator))
    }

    fn meet_in_pages(&self, other: &Self) -> bool {
        self.pages.iter().any(|(page, words)| {
            other.pages.iter().any(|(key, written)| key == page && written.0 & words.0 != 0)
        })
    }
}

/// No more changes of a transaction are noted: each slot that the next one looks at is compared to all.
const MOST: usize = 16;
/// No more contracts that it creates: each creator's nonce is looked for among them. A hundred and more come of a mint of
/// tokens that are worth gas.
const MOST_CREATED: usize = 512;

impl Links {
    /// Begins to look, with the next transaction, or stops.
    #[inline]
    pub(crate) fn watch(&mut self, wanted: bool) {
        if wanted && !self.wanted {
            self.before.clear();
            self.met = false;
        }
        self.wanted = wanted;
    }

    /// How many transactions were linked to the one before them.
    pub(crate) fn count(&self) -> u32 {
        self.linked
    }

    /// The transaction that is being committed looked at a slot, and may have `changed` it.
    #[inline]
    pub(super) fn note_slot(&mut self, account: usize, key: U256, changed: bool) {
        if self.wanted {
            self.met |= self.before.slots.contains(&(account, key));
            if changed && self.now.slots.len() < MOST {
                self.now.slots.push((account, key));
            }
        }
    }

    /// It raised the nonce of a contract, which was this before.
    #[inline]
    pub(super) fn note_creator(&mut self, contract: Address, nonce: u64) {
        if self.wanted && self.now.creators.len() < MOST {
            self.now.creators.push((contract, nonce));
        }
    }

    /// It created a contract.
    #[inline]
    pub(super) fn note_created(&mut self, contract: Address) {
        if self.wanted && self.now.created.len() < MOST_CREATED {
            self.now.created.push(contract);
        }
    }

    /// It did this to regions.
    #[inline]
    pub(super) fn note_regions(&mut self, effects: &Effects) {
        if self.wanted {
            let changes = effects.page_changes.iter().take(MOST);
            self.now.pages.extend(changes.map(|change| (change.key, change.what.written)));
        }
    }

    /// It is committed.
    #[inline]
    pub(super) fn turn(&mut self) {
        if self.wanted {
            self.now.keep_creators();
            let met = self.met
                || self.before.meet_in_creators(&self.now)
                || self.before.meet_in_pages(&self.now);
            self.linked += u32::from(met);
            self.met = false;
            std::mem::swap(&mut self.before, &mut self.now);
            self.now.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use revm::{
        bytecode::Bytecode,
        state::{Account, AccountInfo, AccountStatus, EvmState},
    };

    use super::*;
    use crate::{
        evm::{block::BlockHashes, sequential::SequentialState},
        store::MemoryStore,
    };

    #[test]
    fn a_transaction_is_linked_by_a_slot_that_the_one_before_it_changed() {
        let mut links = Links::default();
        let mut commit = |slots: &[(usize, u64)], changed: bool| {
            links.watch(true);
            let slots = slots.iter().map(|(account, key)| (*account, U256::from(*key)));
            slots.for_each(|(account, key)| links.note_slot(account, key, changed));
            links.turn();
            links.count()
        };
        assert_eq!(commit(&[(1, 1), (1, 2)], true), 0);
        assert_eq!(commit(&[(2, 2), (1, 2)], true), 1);
        assert_eq!(commit(&[(1, 1)], true), 1, "what the one before the last changed is no link");
        assert_eq!(commit(&[(1, 1), (1, 2)], false), 2, "to look is enough");
        assert_eq!(commit(&[(1, 1)], true), 2, "what the one before only looked at is no link");
        assert_eq!(commit(&[], true), 2);
        assert_eq!(commit(&[(1, 1)], true), 2, "one that changed nothing lies between");
    }

    #[test]
    fn a_transaction_is_linked_by_a_contract_that_creates_another_in_both_by_its_nonce() {
        let [factory, other] = [1, 2].map(Address::repeat_byte);
        let mut links = Links::default();
        let mut commit = |creator: Address, nonce: u64, created: &[Address]| {
            links.watch(true);
            links.note_creator(creator, nonce);
            created.iter().for_each(|created| links.note_created(*created));
            links.turn();
            links.count()
        };
        assert_eq!(commit(factory, 1, &[factory.create(1)]), 0);
        assert_eq!(commit(factory, 2, &[other, factory.create(2)]), 1);
        assert_eq!(commit(other, 1, &[other.create(1)]), 1);
        assert_eq!(commit(other, 2, &[other.create2(B256::ZERO, B256::ZERO)]), 1);
        assert_eq!(commit(other, 3, &[other.create(3)]), 1, "with CREATE2 the one before did not");
    }

    /// What an attack of 2016 did (block 2462997).
    #[test]
    fn a_contract_that_creates_another_is_found_among_hundreds_of_accounts_that_it_touches() {
        let (store, hashes) = (MemoryStore::default(), BlockHashes::default());
        let mut state = SequentialState::new(&store, &hashes, false);
        let factory = Address::repeat_byte(1);
        let contract = |nonce| AccountInfo {
            nonce,
            code_hash: B256::repeat_byte(2),
            code: Some(Bytecode::default()),
            ..AccountInfo::default()
        };
        state.adopt(factory, [false; 2], None, Some(contract(7)), Vec::new());
        state.links.watch(true);
        for nonce in 7..10 {
            let changed = |info, status| {
                let mut account = Account::from(info);
                account.status = status;
                account
            };
            let touched = AccountStatus::Touched;
            let created = touched | AccountStatus::Created;
            let gone = created | AccountStatus::SelfDestructed;
            let empty =
                (0..300_u64).map(|n| Address::from_word(U256::from(n + nonce * 1_000).into()));
            let mut changes: EvmState =
                empty.map(|at| (at, changed(AccountInfo::default(), created))).collect();
            changes.insert(factory, changed(contract(nonce + 1), touched));
            changes.insert(factory.create(nonce), changed(AccountInfo::default(), gone));
            state.commit(&mut changes).expect("the store has nothing");
        }
        assert_eq!(state.links.count(), 2);
    }

    #[test]
    fn no_transaction_is_linked_to_one_from_before_a_pause() {
        let mut links = Links::default();
        for (wanted, linked) in [(true, 0), (true, 1), (false, 1), (true, 1), (true, 2)] {
            links.watch(wanted);
            links.note_slot(1, U256::ONE, true);
            links.turn();
            assert_eq!(links.count(), linked);
        }
    }

    #[test]
    fn nothing_is_noted_that_nobody_asked_for() {
        let mut links = Links::default();
        for _ in 0..3 {
            links.note_slot(1, U256::ONE, true);
            links.turn();
        }
        assert_eq!(links.count(), 0);
        assert!(links.before.slots.is_empty() && links.now.slots.is_empty());
    }
}
