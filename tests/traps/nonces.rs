//! Nonces are predicted along a sender's transactions; here the prediction is right, or wrong.

use alloy_primitives::{Address, B256, U256, keccak256};
use chorus::evm::{BlockError, Invalid, InvalidPolicy, SpecId, TransactionOutcome, TxEnv};
use revm::{
    bytecode::opcode as op,
    context::{either::Either, result::InvalidTransaction},
    context_interface::transaction::{Authorization, RecoveredAuthority, RecoveredAuthorization},
};

use super::{
    code::{Code, delegation},
    trap::{Facts, Trap, account, by},
};

const FRIEND: Address = Address::repeat_byte(0xf1);

fn contract(i: u8) -> Address {
    account(0xc0, i)
}

fn too_low(tx: u64, state: u64) -> Invalid {
    Invalid::Transaction(InvalidTransaction::NonceTooLow { tx, state })
}

fn too_high(tx: u64, state: u64) -> Invalid {
    Invalid::Transaction(InvalidTransaction::NonceTooHigh { tx, state })
}

fn skipped(facts: &Facts, at: usize) -> &Invalid {
    match &facts.0.transactions[at] {
        TransactionOutcome::Skipped(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// Appends a transaction that makes `authority` a delegate of `to`, and calls `callee`.
fn authorize(trap: &mut Trap, authority: Address, nonce: u64, to: Address, callee: Address) {
    let inner = Authorization { chain_id: U256::from(1), address: to, nonce };
    let authority = RecoveredAuthority::Valid(authority);
    let signed = RecoveredAuthorization::new_unchecked(inner, authority);
    let env = TxEnv {
        tx_type: 4,
        gas_priority_fee: Some(0),
        authorization_list: vec![Either::Right(signed)],
        ..by(trap.sender(), 0, callee)
    };
    trap.send(env);
}

#[test]
fn chains_of_one_sender_run_through() {
    let counter = contract(1);
    let mut trap = Trap::new(SpecId::CANCUN);
    // SSTORE(0, SLOAD(0) + 1)
    trap.contract(counter, Code::slow().push(1).load(0).ops(&[op::ADD]).store(0));
    let senders = [trap.sender(), trap.sender()];
    for nonce in 0..20 {
        for sender in senders {
            let to = if nonce % 5 == 0 { counter } else { FRIEND };
            trap.send(TxEnv { value: U256::from(nonce % 5), ..by(sender, nonce, to) });
        }
    }
    let facts = trap.outcome();
    assert_eq!(senders.map(|sender| facts.nonce(sender)), [20, 20]);
    assert_eq!(facts.slot(counter, 0), U256::from(8));
    assert_eq!(facts.balance(FRIEND), 2 * 4 * (1 + 2 + 3 + 4));
}

#[test]
fn a_gap_in_a_chain_takes_the_rest_with_it() {
    let mut trap = Trap::new(SpecId::CANCUN);
    let sender = trap.sender();
    let sent: Vec<_> =
        [0, 1, 3, 4, 1, 2, 3].map(|nonce| trap.send(by(sender, nonce, FRIEND))).into();
    trap.dawdle();
    let facts = trap.outcome_of_valid();
    assert_eq!(*skipped(&facts, sent[2]), too_high(3, 2));
    assert_eq!(*skipped(&facts, sent[3]), too_high(4, 2));
    assert_eq!(*skipped(&facts, sent[4]), too_low(1, 2));
    assert_eq!(facts.nonce(sender), 4);
    let error = trap.run(InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: sent[2], reason: too_high(3, 2) });
}

#[test]
fn an_authorization_bumps_the_nonce_of_another_sender_even_if_the_call_reverts() {
    let [failing, delegate] = [contract(1), contract(2)];
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(failing, Code::slow().push(0).push(0).ops(&[op::REVERT]));
    trap.contract(delegate, Code::new().push(7).store(1));
    let sender = trap.sender();
    trap.send(by(sender, 0, FRIEND));
    authorize(&mut trap, sender, 1, delegate, failing);
    let stale = trap.send(by(sender, 1, FRIEND));
    let next = trap.send(by(sender, 2, FRIEND));
    // By now it runs the delegate's code.
    let called = trap.call(sender);
    trap.dawdle();
    let facts = trap.outcome_of_valid();
    assert!(!facts.succeeded(stale - 1), "the call reverts");
    assert_eq!(*skipped(&facts, stale), too_low(1, 2));
    assert!(facts.succeeded(next) && facts.succeeded(called));
    assert_eq!(facts.nonce(sender), 3);
    assert_eq!(facts.slot(sender, 1), U256::from(7));
    let code = facts.change(sender).unwrap().code.as_ref().expect("a designator");
    assert_eq!(code.0, keccak256(delegation(delegate)));

    let error = trap.run(InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: stale, reason: too_low(1, 2) });
}

#[test]
fn a_chain_goes_on_over_the_nonces_that_authorizations_took() {
    let delegate = contract(1);
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(delegate, Code::slow());
    let sender = trap.sender();
    for round in 0..5 {
        trap.send(by(sender, 2 * round, FRIEND));
        authorize(&mut trap, sender, 2 * round + 1, delegate, delegate);
    }
    trap.send(by(sender, 10, FRIEND));
    assert_eq!(trap.outcome().nonce(sender), 11);
}

#[test]
fn a_delegated_account_that_creates_moves_its_own_nonce() {
    let [delegate, wallet] = [contract(1), account(0xde, 1)];
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(delegate, Code::slow().create(&[]));
    trap.store.nonce(wallet, 5).code(wallet, delegation(delegate));
    trap.send(by(wallet, 5, FRIEND));
    trap.call(wallet);
    trap.call(wallet);
    let stale = trap.send(by(wallet, 6, FRIEND));
    let next = trap.send(by(wallet, 8, FRIEND));
    // This one creates too, at the nonce after its own.
    trap.send(by(wallet, 9, wallet));
    let last = trap.send(by(wallet, 11, FRIEND));
    let facts = trap.outcome_of_valid();
    assert_eq!(*skipped(&facts, stale), too_low(6, 8));
    assert!(facts.succeeded(next) && facts.succeeded(last));
    assert_eq!(facts.nonce(wallet), 12);
    for nonce in [6, 7, 10] {
        assert!(facts.change(wallet.create(nonce)).unwrap().created);
    }
    let error = trap.run(InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: stale, reason: too_low(6, 8) });
}

#[test]
fn a_delegated_account_is_drained_by_others() {
    let [delegate, wallet] = [contract(1), account(0xde, 1)];
    let mut trap = Trap::new(SpecId::PRAGUE);
    // Sends all it has to the friend.
    let drain = Code::slow().push(0).push(0).push(0).push(0).ops(&[op::SELFBALANCE]);
    trap.contract(delegate, drain.address(FRIEND).push(80_000).ops(&[op::CALL]));
    trap.store.balance(wallet, U256::from(100)).code(wallet, delegation(delegate));
    let spend = |nonce| TxEnv { value: U256::from(40), ..by(wallet, nonce, contract(9)) };
    trap.send(spend(0));
    trap.call(wallet);
    let poor = trap.send(spend(1));
    let free = trap.send(by(wallet, 1, contract(9)));
    trap.dawdle();
    let facts = trap.outcome_of_valid();
    let (fee, balance) = (Box::new(U256::from(40)), Box::new(U256::ZERO));
    let reason = Invalid::Transaction(InvalidTransaction::LackOfFundForMaxFee { fee, balance });
    assert_eq!(*skipped(&facts, poor), reason);
    assert!(facts.succeeded(free));
    assert_eq!((facts.balance(wallet), facts.nonce(wallet)), (0, 2));
    assert_eq!((facts.balance(FRIEND), facts.balance(contract(9))), (60, 40));
    let error = trap.run(InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: poor, reason });
}

#[test]
fn code_read_through_a_delegation_observes_the_delegate() {
    let wallet = account(0xde, 1);
    let delegate = Code::new().push(7).store(1).init();
    let target = contract(1).create2(B256::ZERO, keccak256(&delegate));
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(contract(1), Code::slow().create2(&delegate));
    trap.store.nonce(wallet, 1).code(wallet, delegation(target));
    let before = trap.call(wallet);
    trap.call(contract(1));
    let after = trap.call(wallet);
    trap.dawdle();
    let facts = trap.outcome();
    // Nothing was at the delegate first, and storing costs.
    assert!(facts.gas(before) + 20_000 < facts.gas(after));
    assert_eq!(facts.slot(wallet, 1), U256::from(7));
}

#[test]
fn code_read_through_a_delegation_observes_the_delegated_account() {
    let wallet = account(0xde, 1);
    let mut trap = Trap::new(SpecId::PRAGUE);
    for i in 1..=3 {
        // SSTORE(i, SLOAD(0) + 1), SSTORE(0, i)
        let count = Code::slow().push(1).load(0).ops(&[op::ADD]).store(i);
        trap.contract(contract(i as u8), count.push(i).store(0));
    }
    trap.store.nonce(wallet, 1).code(wallet, delegation(contract(1)));
    trap.call(wallet);
    authorize(&mut trap, wallet, 1, contract(2), FRIEND);
    trap.call(wallet);
    authorize(&mut trap, wallet, 2, contract(3), FRIEND);
    trap.call(wallet);
    // Back to no code at all: nothing happens any more.
    authorize(&mut trap, wallet, 3, Address::ZERO, FRIEND);
    trap.call(wallet);
    let facts = trap.outcome();
    let expected = [(0, 3), (1, 1), (2, 2), (3, 3)].map(|(slot, n)| (slot, U256::from(n)));
    assert_eq!(facts.slots(wallet), expected);
    assert_eq!(facts.nonce(wallet), 4);
    let code = facts.change(wallet).unwrap().code.as_ref().expect("other code");
    assert!(code.1.is_empty());
}
