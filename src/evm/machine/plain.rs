//! Plain transfers on the versions of a block, without a coroutine and without revm.
//!
//! What one of them observes is less than what revm's journal shows, and enough: the sender's nonce and
//! code, that its funds reach, the recipient's code, that its balance does not overflow. All of that makes
//! up the result and the changes, which are relative to the balances.
//!
//! So it does not matter what lower transactions have yet to do to the balances, as long as it turns no check:
//! a glance at the committed account is enough, however many changes of it are pending. A mining pool that
//! pays hundreds of others made each of its payments fold all those before, under the lock of its account:
//! two workers were slower than one. Nor has a transfer to be told of later changes. The commit cursor finds
//! those to which one matters.
//!
//! Whatever stands in the way leaves the transaction to a coroutine, which begins anew: a read that has to
//! wait, a version that is expected, a condition that does not hold, an error or a panic of the store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};

use super::{
    EvmMachine,
    cells::{Account, AccountChange, AccountSeen, field},
    notes::{AccountNote, Notes},
    trace::{Ending, Trace},
};
use crate::{
    context::Run,
    state::{EntryId, Read, TxIndex},
};
use revm::primitives::hardfork::SpecId;

/// Executes the transaction, if it is a plain transfer that goes through and nothing is in its way.
#[inline]
pub(super) fn execute(run: &Run<EvmMachine>, tx: TxIndex) -> Option<Box<Trace>> {
    let machine = &run.machine;
    if machine.transfers.is_none() || machine.prelude.is_some() {
        return None;
    }
    // A store that panics does so again where it becomes the transaction's outcome.
    catch_unwind(AssertUnwindSafe(|| transfer(run, tx))).ok().flatten()
}

fn transfer(run: &Run<EvmMachine>, tx: TxIndex) -> Option<Box<Trace>> {
    let machine = &run.machine;
    let transfers = machine.transfers.as_ref()?;
    let env = &machine.block.transactions[tx.get()].env;
    let transfer = transfers.plan(env)?;

    let (from, mut sender) = load(machine, tx, transfer.from, false)?;
    if sender.balance < transfer.needed {
        // A lower transaction may have sent it what it needs.
        (_, sender) = load(machine, tx, transfer.from, true)?;
    }
    let settled = run.scheduler.cursor().frontier() == tx;
    let predicted = !settled && machine.predict_nonce(tx, transfer.from, &mut sender);
    if sender.nonce != transfer.nonce || sender.balance < transfer.needed {
        return None;
    }
    let (to, recipient) = load(machine, tx, transfer.to, false)?;

    let mut paid = transfer.value + transfer.fee;
    let mut received = transfer.value;
    let mut reward = Some(transfer.reward);
    if transfers.pays(transfer.from) {
        paid -= reward.take()?;
    } else if transfers.pays(transfer.to) {
        received = received.checked_add(reward.take()?)?;
    }

    let mut payer = AccountSeen::of(&sender);
    payer.fields = field::NONCE | field::CODE | if predicted { field::PREDICTED } else { 0 };
    payer.bounds.debit(sender.balance, sender.balance, transfer.needed);
    let mut payee = AccountSeen::of(&recipient);
    payee.fields = field::CODE;
    if !payee.bounds.credit(recipient.balance, recipient.balance, received) {
        return None;
    }
    let debit = AccountChange::Update {
        balance: U256::ZERO.wrapping_sub(paid),
        nonce: Some(transfer.nonce + 1),
        code: None,
    };
    let credit = AccountChange::Update { balance: received, nonce: None, code: None };
    let reward = reward.map(|amount| AccountChange::Reward {
        amount,
        state_clear: machine.block.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON),
        generation: tx.0 + 1,
    });
    Some(Box::new(Trace {
        notes: Notes {
            accounts: vec![
                AccountNote { id: from, address: transfer.from, seen: payer },
                AccountNote { id: to, address: transfer.to, seen: payee },
            ],
            ..Notes::default()
        },
        accounts: vec![(from, Some(debit)), (to, Some(credit))],
        slots: Vec::new(),
        reward,
        ending: Ending::Executed(transfers.result()),
        regions: None,
        diagnostics: Vec::new(),
    }))
}

/// An account without code, if that is known now: as of the committed transactions, or with `folded` as all
/// lower ones have left it that have published.
fn load(
    machine: &EvmMachine,
    tx: TxIndex,
    address: Address,
    folded: bool,
) -> Option<(EntryId, Account)> {
    let id = machine.accounts.intern(&address);
    let entry = machine.accounts.entry(id);
    let look = || if folded { entry.peek(tx) } else { entry.glance() };
    let mut read = look();
    if matches!(read, Read::Unknown) {
        let info = machine.store.try_account(address)?.ok()?;
        entry.fill(Account::from_info(info));
        read = look();
    }
    let Read::Value(account) = read else { return None };
    let plain = account.code.is_none() && account.code_hash == KECCAK256_EMPTY;
    plain.then_some((id, account))
}
