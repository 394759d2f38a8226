//! What a finished incarnation leaves: observations, writes, result.

use alloy_primitives::KECCAK256_EMPTY;
use smallvec::SmallVec;

use revm::{
    context::result::{ExecutionResult, InvalidTransaction},
    primitives::hardfork::SpecId,
    state::{Account as Loaded, EvmState},
};

use super::{
    EvmMachine,
    cells::{AccountChange, Nonce, SlotCell, SlotKey, field},
    creation::is_contract,
    guides::Guides,
    notes::Notes,
};
use crate::{
    evm::{
        StoreError,
        shared::{Diagnostic, SharedEnd},
    },
    region::versions::RegionTrace,
    state::{Cell, EntryId, TxIndex},
};

/// How an incarnation ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It executed: success, revert or halt.
    Executed(ExecutionResult),
    /// It may not be in the block.
    Invalid(InvalidTransaction),
    /// The block's environment cannot be executed.
    Environment(String),
    /// The store failed.
    Store(StoreError),
    /// Shared memory failed.
    Shared(String),
    /// It panicked.
    Panic(String),
    /// It was the prelude.
    Prelude,
}

/// Observations, writes and result of an incarnation.
pub(crate) struct Trace {
    pub(crate) notes: Notes,
    /// In place as far as most transactions go: to allocate takes longer than to move them.
    pub(crate) accounts: SmallVec<[(EntryId, Option<AccountChange>); 2]>,
    pub(crate) slots: SmallVec<[(EntryId, <SlotCell as Cell>::Change); 3]>,
    /// The fee of a beneficiary that the transaction did not load.
    pub(crate) reward: Option<AccountChange>,
    pub(crate) ending: Ending,
    /// What it saw and did of shared regions.
    pub(crate) regions: Option<Box<RegionTrace>>,
    /// Operations on them that failed.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Trace {
    /// A trace without writes.
    pub(crate) fn failed(notes: Notes, ending: Ending) -> Box<Self> {
        Box::new(Self {
            notes,
            accounts: SmallVec::new(),
            slots: SmallVec::new(),
            reward: None,
            ending,
            regions: None,
            diagnostics: Vec::new(),
        })
    }

    /// Adds what the incarnation left of shared memory.
    pub(crate) fn with_shared(
        mut self: Box<Self>,
        machine: &EvmMachine,
        end: SharedEnd,
    ) -> Box<Self> {
        if let (Some(shared), Some(effects)) = (&machine.shared, end.effects) {
            self.regions = Some(shared.regions.trace(*effects));
        }
        self.diagnostics = end.diagnostics;
        self
    }

    /// Turns revm's final state of a transaction into changes. Some of them depend on the account
    /// once more, which is noted.
    pub(crate) fn executed(
        machine: &EvmMachine,
        guides: &mut Guides,
        tx: TxIndex,
        mut notes: Notes,
        state: &mut EvmState,
        result: ExecutionResult,
    ) -> Box<Self> {
        let state_clear = machine.block.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        let generation = tx.0 + 1;
        let mut accounts = SmallVec::new();
        let mut slots = SmallVec::new();
        for (address, account) in state.drain() {
            if !account.is_touched() {
                if !state_clear && account.is_empty() {
                    // revm has taken the touch of an empty account back, because it exists. Had it
                    // not, the touch would have created it.
                    let at = notes.position(account.info.account_id, address);
                    notes.accounts[at].seen.fields |= field::EXISTS;
                }
                continue;
            }
            let at = notes.position(account.info.account_id, address);
            let id = notes.accounts[at].id;
            if let Some(change) = change_of(&account, &mut notes, at, state_clear, generation) {
                accounts.push((id, Some(change)));
            }
            if account.is_selfdestructed() {
                continue;
            }
            for (slot, value) in account.changed_storage_slots() {
                let seen = &mut notes.accounts[at].seen;
                seen.fields |= field::GENERATION;
                let key = SlotKey { account: id.get(), generation: seen.generation, slot: *slot };
                slots.push((machine.slots.intern_by(&mut guides.slots, &key), value.present_value));
            }
        }
        // Until it commits, nobody asks for them again.
        notes.positions = Default::default();
        // Fees are not published: who looks at the beneficiary's balance is found at the cursor.
        let reward =
            notes.reward.map(|amount| AccountChange::Reward { amount, state_clear, generation });
        Box::new(Self {
            notes,
            accounts,
            slots,
            reward,
            ending: Ending::Executed(result),
            regions: None,
            diagnostics: Vec::new(),
        })
    }
}

fn change_of(
    account: &Loaded,
    notes: &mut Notes,
    at: usize,
    state_clear: bool,
    generation: u32,
) -> Option<AccountChange> {
    let seen = &mut notes.accounts[at].seen;
    let info = &account.info;
    if account.is_selfdestructed() {
        seen.fields |= field::EXISTS;
        return seen.exists.then_some(AccountChange::Destroy { generation });
    }
    let balance = info.balance.wrapping_sub(seen.balance);
    let nonce = (info.nonce != seen.nonce).then(|| match seen.fields & field::NONCE {
        0 => Nonce::Raised(info.nonce.wrapping_sub(seen.nonce)),
        _ if is_contract(info) && !account.is_created() => Nonce::Used(info.nonce),
        _ => Nonce::Set(info.nonce),
    });
    let code = (info.code_hash != seen.code_hash).then(|| {
        let code = info.code.clone().filter(|_| info.code_hash != KECCAK256_EMPTY);
        Box::new((info.code_hash, code))
    });
    let unchanged = balance.is_zero() && nonce.is_none() && code.is_none();
    if state_clear && account.is_empty() {
        // EIP-161: touched and empty, so it goes.
        if unchanged {
            seen.fields |= field::EXISTS | field::EMPTY;
        } else {
            seen.fields |= field::EXISTS;
            seen.pin_balance();
        }
        return seen.exists.then_some(AccountChange::Destroy { generation });
    }
    if unchanged {
        if info.code_hash == KECCAK256_EMPTY {
            // Had it been empty, the touch would have removed it, or before EIP-161 made it.
            seen.fields |= field::EXISTS | field::EMPTY;
        }
        if !account.is_created() || seen.exists {
            return None;
        }
    }
    Some(AccountChange::Update { balance, nonce, code })
}
