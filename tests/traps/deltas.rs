//! Balances change by sums that nobody has to read; some read them all the same, or as good as.

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use chorus::evm::{BlockError, Invalid, InvalidPolicy, SpecId, TxEnv};
use revm::{bytecode::opcode as op, context::result::InvalidTransaction};

use super::{
    code::{Code, word},
    trap::{ETHER, Trap, account, by},
};

const PAYEE: Address = Address::repeat_byte(0x9a);

fn contract(i: u8) -> Address {
    account(0xc0, i)
}

/// Code that takes its time and then sends a wei to the payee.
fn pays_slowly() -> Code {
    Code::slow().call(PAYEE, 1)
}

#[test]
fn extcodehash_sees_that_a_credit_ended_emptiness() {
    let mut trap = Trap::new(SpecId::ISTANBUL);
    // SSTORE(CALLER, EXTCODEHASH(PAYEE))
    let look = Code::new().address(PAYEE).ops(&[op::EXTCODEHASH, op::CALLER, op::SSTORE]);
    trap.contract(contract(1), look).contract(contract(2), pays_slowly());
    trap.store.balance(contract(2), U256::from(1));
    let before = trap.call(contract(1));
    trap.call(contract(2));
    let after = trap.call(contract(1));
    let facts = trap.outcome();
    let reader = |at: usize| trap.block.transactions[at].env.caller;
    let slot = |at: usize| (U256::from_be_slice(reader(at).as_slice()), KECCAK256_EMPTY.into());
    assert_eq!(facts.change(contract(1)).unwrap().storage, [slot(after)]);
    assert!(facts.gas(after) > facts.gas(before), "only one of them stores more than zero");
    assert_eq!(facts.balance(PAYEE), 1);
}

#[test]
fn gas_for_a_new_account_is_due_only_before_the_first_credit() {
    for spec in [SpecId::SPURIOUS_DRAGON, SpecId::CANCUN] {
        let mut trap = Trap::new(spec);
        let payers = 1..=6;
        for i in payers.clone() {
            trap.contract(contract(i), pays_slowly());
            trap.store.balance(contract(i), U256::from(1));
        }
        let calls: Vec<_> = payers.map(|i| trap.call(contract(i))).collect();
        let facts = trap.outcome();
        for later in &calls[1..] {
            assert_eq!(facts.gas(calls[0]), facts.gas(*later) + 25_000);
        }
        assert_eq!(facts.balance(PAYEE), calls.len() as u64);
    }
}

#[test]
fn a_touch_deletes_an_empty_account_unless_a_credit_came_first() {
    let build = |credit_first: bool| {
        let mut trap = Trap::new(SpecId::SHANGHAI);
        trap.store.account(PAYEE).balance(contract(2), U256::from(1));
        trap.contract(contract(1), Code::slow().call(PAYEE, 0));
        trap.contract(contract(2), pays_slowly());
        let order = if credit_first { [2, 1] } else { [1, 2] };
        for i in order {
            trap.call(contract(i));
        }
        trap.dawdle();
        trap
    };
    let facts = build(true).outcome();
    let change = facts.change(PAYEE).unwrap();
    assert_eq!((change.wiped, change.deleted, change.created), (false, false, false));
    assert_eq!(change.balance, Some(U256::from(1)));

    let facts = build(false).outcome();
    let change = facts.change(PAYEE).unwrap();
    assert_eq!((change.deleted, change.balance), (false, Some(U256::from(1))));

    let mut trap = build(false);
    trap.block.transactions.remove(2);
    assert!(trap.outcome().change(PAYEE).unwrap().deleted);
}

#[test]
fn a_debit_fails_where_earlier_debits_have_left_too_little() {
    let till = contract(1);
    let mut trap = Trap::new(SpecId::CANCUN);
    // Sends 60 wei to whom the input names, and stores there whether that failed.
    let pays = Code::slow().call_given(60).ops(&[op::ISZERO]).push(0).ops(&[op::CALLDATALOAD]);
    trap.contract(till, pays.ops(&[op::SSTORE]));
    trap.store.balance(till, U256::from(200));
    let payees: Vec<_> = (0..6).map(|i| account(0x9a, i)).collect();
    for payee in &payees {
        trap.call_with(till, word(*payee));
    }
    let facts = trap.outcome();
    let failed = |payee: &Address| (U256::from_be_slice(payee.as_slice()), U256::from(1));
    let expected: Vec<_> = payees[3..].iter().map(failed).collect();
    assert_eq!(facts.change(till).unwrap().storage, expected);
    assert!(payees[..3].iter().all(|payee| facts.balance(*payee) == 60));
    assert!(payees[3..].iter().all(|payee| facts.change(*payee).is_none()));
    assert_eq!(facts.balance(till), 20);
}

#[test]
fn a_sender_whom_earlier_transactions_left_too_little_is_invalid() {
    let mut trap = Trap::new(SpecId::CANCUN);
    let sender = trap.sender();
    let spend = |nonce, wei: u64| TxEnv { value: U256::from(wei), ..by(sender, nonce, PAYEE) };
    trap.send(spend(0, ETHER - 10));
    let poor = trap.send(spend(1, 11));
    trap.send(spend(1, 10));
    trap.dawdle();
    let facts = trap.outcome_of_valid();
    assert_eq!((facts.balance(PAYEE), facts.nonce(sender)), (ETHER, 2));
    assert_eq!(facts.balance(sender), 0);

    let (fee, balance) = (Box::new(U256::from(11)), Box::new(U256::from(10)));
    let reason = Invalid::Transaction(InvalidTransaction::LackOfFundForMaxFee { fee, balance });
    let error = trap.run(InvalidPolicy::Fail).unwrap_err();
    assert_eq!(error, BlockError::Invalid { index: poor, reason });
}

#[test]
fn a_sender_is_funded_by_an_earlier_transaction_of_the_block() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(contract(1), Code::slow().call(PAYEE, 500_100));
    trap.store.balance(contract(1), U256::from(1_000_200));
    trap.call(contract(1));
    let heir = account(0x4e, 0);
    let spend = TxEnv { value: U256::from(100), gas_price: 1, ..by(PAYEE, 0, heir) };
    let first = trap.send(spend.clone());
    // What it has left does not buy its gas limit again, before it is funded once more.
    trap.call(contract(1));
    let second = trap.send(TxEnv { nonce: 1, ..spend });
    trap.dawdle();
    let facts = trap.outcome();
    assert!(facts.succeeded(first) && facts.succeeded(second));
    assert_eq!((facts.balance(heir), facts.nonce(PAYEE)), (200, 2));
    assert_eq!(facts.balance(PAYEE), 2 * (500_100 - 21_000 - 100));
}
