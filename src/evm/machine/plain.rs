//! Plain transfers on the versions of a block, without a coroutine and without revm.
//!
//! There are two ways, by what is known of the accounts:
//!
//! | store | way |
//! |---|---|
//! | at hand | at its turn, by the commit step, on committed accounts: some 0.2 µs, which is less than versions, validation and the passing around would cost. The workers look at the accounts beforehand, and take over transfers to contracts |
//! | slow | ahead of its turn like any transaction, since somebody has to ask for the accounts; what it observes is below |
//!
//! What a transfer observes is less than what revm's journal shows, and enough: the sender's nonce and
//! code, that its funds reach, the recipient's code, that its balance does not overflow. All of that makes
//! up the result and the changes, which are relative to the balances. So it does not matter what lower
//! transactions have yet to do to the balances, as long as it turns no check: a glance at the committed account
//! is enough, however many changes of it are pending. A mining pool that pays hundreds of others made each
//! of its payments fold all those before, under the lock of its account: two workers were slower than one.
//! Nor has a transfer to be told of later changes. The commit cursor finds those to which one matters.
//!
//! Whatever stands in the way leaves the transaction to a coroutine, which begins anew: a read that has to
//! wait, a version that is expected, a condition that does not hold, an error or a panic of the store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use revm::primitives::hardfork::SpecId;
use smallvec::SmallVec;

use super::{
    EvmMachine,
    cells::{Account, AccountCell, AccountChange, AccountSeen, Nonce, field},
    notes::{AccountNote, Notes},
    trace::{Ending, Trace},
};
use crate::{
    context::Run,
    evm::{
        Executed, TransactionOutcome,
        transfer::{Transfer, Transfers},
    },
    state::{Entry, EntryId, Read, TxIndex},
};

/// Whether the transaction is probably a transfer that is left to the commit step. Asked of all before
/// the block begins, on the calling thread; the workers look more closely ([`look_ahead`]).
pub(super) fn runs_at_its_turn(machine: &EvmMachine, tx: TxIndex) -> bool {
    machine.prelude.is_none()
        && machine.transfers.is_some()
        && !machine.storage.is_slow()
        && Transfers::resembles(&machine.block.transactions[tx.get()].env)
}

/// Whether that is still so, by what its accounts are. They are known afterwards.
pub(super) fn look_ahead(machine: &EvmMachine, tx: TxIndex) -> bool {
    let Some((_, transfer)) = plan(machine, tx) else { return false };
    let known = |address| load(machine, address, Glance::Committed);
    let Some((from, _)) = known(transfer.from) else { return false };
    let Some((to, _)) = known(transfer.to) else { return false };
    machine.seen.note(tx, from, to);
    true
}

/// Executes the transfer at the commit cursor, and commits it. `None`: nothing has changed.
pub(super) fn run_at_its_turn(
    machine: &EvmMachine,
    tx: TxIndex,
    told: &mut Vec<TxIndex>,
) -> Option<()> {
    let env = &machine.block.transactions[tx.get()].env;
    let transfers = machine.transfers.as_ref()?;
    let (transfer, (from, to)) = match machine.seen.recall(tx, &machine.accounts) {
        Some(accounts) => (transfers.assess(env)?, accounts),
        None => {
            let transfer = transfers.plan(env)?;
            (transfer, (known(machine, transfer.from)?, known(machine, transfer.to)?))
        }
    };
    let amounts = Amounts::of(transfers, &transfer)?;
    let reward = amounts.reward_change(machine, tx);
    let mut committed = machine.committed.lock();
    committed.sums.admit(&machine.block, env).ok()?;
    if reward.is_some() && !committed.beneficiary_known {
        known(machine, machine.block.env.beneficiary)?;
        committed.beneficiary_known = true;
    }
    let receives = |account: &Account| {
        is_plain(account) && account.balance.checked_add(amounts.received).is_some()
    };
    if !to.with_committed(receives)? {
        return None;
    }

    let pays = from.commit_if(tx, told, |account| {
        let able = account.nonce == transfer.nonce && account.balance >= transfer.needed;
        (able && is_plain(account)).then(|| amounts.debit(&transfer))
    });
    if !pays {
        return None;
    }
    to.commit_change(tx, &amounts.credit(), told);
    if let Some(reward) = &reward {
        machine.accounts.entry(machine.beneficiary).commit_change(tx, reward, told);
    }
    let result = transfers.result();
    committed.sums.add(env, &result);
    let cumulative_gas = committed.sums.gas_used;
    let executed =
        Executed { result, tx_type: env.tx_type, cumulative_gas, diagnostics: Vec::new() };
    machine.push(&mut committed, TransactionOutcome::Executed(executed));
    Some(())
}

/// Executes the transaction ahead of its turn, if it is a plain transfer that goes through and nothing is
/// in its way.
#[inline]
pub(super) fn execute(run: &Run<EvmMachine>, tx: TxIndex) -> Option<Box<Trace>> {
    let machine = &run.machine;
    if machine.prelude.is_some() {
        return None;
    }
    let (transfers, transfer) = plan(machine, tx)?;
    let (from, mut sender) = load(machine, transfer.from, Glance::Ahead)?;
    if sender.balance < transfer.needed {
        // A lower transaction may have sent it what it needs.
        (_, sender) = load(machine, transfer.from, Glance::Folded(tx))?;
    }
    let settled = run.scheduler.cursor().frontier() == tx;
    let predicted = !settled && machine.predict_nonce(tx, transfer.from, &mut sender);
    if sender.nonce != transfer.nonce || sender.balance < transfer.needed {
        return None;
    }
    let (to, recipient) = load(machine, transfer.to, Glance::Ahead)?;
    let amounts = Amounts::of(transfers, &transfer)?;

    let mut payer = AccountSeen::of(&sender);
    payer.fields = field::NONCE | field::CODE | if predicted { field::PREDICTED } else { 0 };
    payer.bounds.debit(sender.balance, sender.balance, transfer.needed);
    let mut payee = AccountSeen::of(&recipient);
    payee.fields = field::CODE;
    if !payee.bounds.credit(recipient.balance, recipient.balance, amounts.received) {
        return None;
    }
    Some(Box::new(Trace {
        notes: Notes {
            accounts: vec![
                AccountNote { id: from, address: transfer.from, seen: payer },
                AccountNote { id: to, address: transfer.to, seen: payee },
            ],
            ..Notes::default()
        },
        accounts: [(from, Some(amounts.debit(&transfer))), (to, Some(amounts.credit()))].into(),
        slots: SmallVec::new(),
        reward: amounts.reward_change(machine, tx),
        ending: Ending::Executed(transfers.result()),
        regions: None,
        diagnostics: Vec::new(),
    }))
}

#[inline]
fn plan(machine: &EvmMachine, tx: TxIndex) -> Option<(&Transfers, Transfer)> {
    let transfers = machine.transfers.as_ref()?;
    let transfer = transfers.plan(&machine.block.transactions[tx.get()].env)?;
    Some((transfers, transfer))
}

/// Who gets and pays how much.
struct Amounts {
    paid: U256,
    received: U256,
    /// For a beneficiary that is neither of the two.
    reward: Option<U256>,
}

impl Amounts {
    fn of(transfers: &Transfers, transfer: &Transfer) -> Option<Self> {
        // What the sender pays is part of what it needs to have, which did not overflow.
        let mut paid = transfer.value + transfer.fee;
        let mut received = transfer.value;
        let mut reward = Some(transfer.reward);
        if transfers.pays(transfer.from) {
            paid -= reward.take()?;
        } else if transfers.pays(transfer.to) {
            received = received.checked_add(reward.take()?)?;
        }
        Some(Self { paid, received, reward })
    }

    fn debit(&self, transfer: &Transfer) -> AccountChange {
        let balance = U256::ZERO.wrapping_sub(self.paid);
        AccountChange::Update { balance, nonce: Some(Nonce::Set(transfer.nonce + 1)), code: None }
    }

    fn credit(&self) -> AccountChange {
        AccountChange::Update { balance: self.received, nonce: None, code: None }
    }

    fn reward_change(&self, machine: &EvmMachine, tx: TxIndex) -> Option<AccountChange> {
        self.reward.map(|amount| AccountChange::Reward {
            amount,
            state_clear: machine.block.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON),
            generation: tx.0 + 1,
        })
    }
}

/// Which changes of an account a look at it takes in.
#[derive(Clone, Copy)]
enum Glance {
    /// Those of committed transactions, whatever is pending.
    Committed,
    /// The same, unless something is pending that may turn a check.
    Ahead,
    /// Those of lower transactions that have published, too.
    Folded(TxIndex),
}

/// An account without code, if it is known now.
fn load(machine: &EvmMachine, address: Address, glance: Glance) -> Option<(EntryId, Account)> {
    let id = machine.accounts.intern(&address);
    let entry = machine.accounts.entry(id);
    let look = || match glance {
        Glance::Committed => entry.committed().map_or(Read::Unknown, Read::Value),
        Glance::Ahead => entry.glance(),
        Glance::Folded(tx) => entry.peek(tx),
    };
    let mut read = look();
    if matches!(read, Read::Unknown) {
        entry.fill(ask(machine, address)?);
        read = look();
    }
    let Read::Value(account) = read else { return None };
    is_plain(&account).then_some((id, account))
}

/// The entry of an account whose value is known, if the store has it at hand.
fn known(machine: &EvmMachine, address: Address) -> Option<&Entry<AccountCell>> {
    let entry = machine.accounts.entry(machine.accounts.intern(&address));
    if entry.with_committed(|_| ()).is_none() {
        entry.fill(ask(machine, address)?);
    }
    Some(entry)
}

/// Whether the account has no code, not even a delegation.
fn is_plain(account: &Account) -> bool {
    account.code.is_none() && account.code_hash == KECCAK256_EMPTY
}

/// What the store has at hand. One that panics does so again where that becomes the transaction's outcome.
#[cold]
fn ask(machine: &EvmMachine, address: Address) -> Option<Account> {
    let info = catch_unwind(AssertUnwindSafe(|| machine.store.try_account(address)));
    Some(Account::from_info(info.ok()??.ok()?))
}
