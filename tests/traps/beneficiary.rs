//! The beneficiary is an account like any other, and every transaction pays it.

use alloy_primitives::{Address, U256};
use chorus::evm::{AccountChange, SpecId, TxEnv};
use revm::bytecode::opcode as op;

use super::{
    code::{Code, delegation},
    trap::{MINER, Trap, account, by},
};

/// What [`Trap::pay_fee`] pays.
const FEE: u64 = 210_000;
const HEIR: Address = Address::repeat_byte(0x4e);

#[test]
fn the_beneficiary_is_a_sender_and_spends_what_it_has_just_earned() {
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.pay_fee();
    trap.pay_fee();
    trap.send(TxEnv { value: U256::from(2 * FEE - 1), ..by(MINER, 0, HEIR) });
    trap.pay_fee();
    trap.send(TxEnv { value: U256::from(FEE), ..by(MINER, 1, HEIR) });
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.balance(HEIR), 3 * FEE - 1);
    assert_eq!((facts.balance(MINER), facts.nonce(MINER)), (1, 2));
}

#[test]
fn the_beneficiary_is_a_recipient_and_everybody_looks_at_its_balance() {
    let reader = account(0xc0, 1);
    let mut trap = Trap::new(SpecId::PRAGUE);
    // SSTORE(CALLER, BALANCE(MINER))
    let look = Code::new().address(MINER).ops(&[op::BALANCE, op::CALLER, op::SSTORE]);
    trap.contract(reader, look);
    let mut expected = Vec::new();
    for i in 1..=8 {
        trap.pay_fee();
        let sender = trap.sender();
        trap.send(TxEnv { value: U256::from(5), ..by(sender, 0, MINER) });
        let sender = trap.sender();
        trap.send(by(sender, 0, reader));
        expected.push((U256::from_be_slice(sender.as_slice()), U256::from(i * (FEE + 5))));
    }
    let facts = trap.outcome();
    assert_eq!(facts.change(reader).unwrap().storage, expected);
    assert_eq!(facts.balance(MINER), 8 * (FEE + 5));
}

/// SSTORE(0, SLOAD(0) + SELFBALANCE), then SSTORE(1, EXTCODESIZE(itself)).
fn looks_at_itself() -> Code {
    let sum = Code::slow().load(0).ops(&[op::SELFBALANCE, op::ADD]).store(0);
    sum.ops(&[op::ADDRESS, op::EXTCODESIZE]).store(1)
}

#[test]
fn the_beneficiary_is_a_delegated_account_that_runs_its_delegates_code() {
    let delegate = account(0xc0, 1);
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(delegate, looks_at_itself());
    trap.store.nonce(MINER, 3).code(MINER, delegation(delegate));
    for _ in 0..4 {
        trap.pay_fee();
        trap.call(MINER);
    }
    trap.send(TxEnv { value: U256::from(FEE), ..by(MINER, 3, HEIR) });
    let facts = trap.outcome();
    // One, two, three and four fees; and the designator's length.
    assert_eq!(facts.slots(MINER), [(0, U256::from(10 * FEE)), (1, U256::from(23))]);
    assert_eq!((facts.balance(MINER), facts.nonce(MINER)), (3 * FEE, 4));
}

#[test]
fn the_beneficiary_is_a_contract_that_is_called() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(MINER, looks_at_itself());
    for _ in 0..4 {
        trap.pay_fee();
        trap.call(MINER);
    }
    let facts = trap.outcome();
    assert_eq!(facts.slot(MINER, 0), U256::from(10 * FEE));
    assert_eq!(facts.balance(MINER), 4 * FEE);
}

/// A beneficiary that destroys itself, with one fee before, one of that transaction, one after.
fn destroyed(spec: SpecId) -> Trap {
    let mut trap = Trap::new(spec);
    trap.contract(MINER, Code::slow().address(HEIR).ops(&[op::SELFDESTRUCT]));
    trap.store.slot(MINER, U256::ONE, U256::from(9));
    trap.pay_fee();
    let sender = trap.sender();
    trap.send(TxEnv { gas_price: 1, ..by(sender, 0, MINER) });
    trap.pay_fee();
    trap.dawdle();
    trap
}

#[test]
fn the_beneficiary_destroys_itself_and_the_fee_for_that_goes_with_it() {
    let facts = destroyed(SpecId::SHANGHAI).outcome();
    assert_eq!(facts.balance(HEIR), FEE);
    // It comes back as an account without code.
    let expected =
        AccountChange { wiped: true, balance: Some(U256::from(FEE)), ..AccountChange::default() };
    assert_eq!(*facts.change(MINER).unwrap(), expected);
}

#[test]
fn the_beneficiary_that_destroys_itself_stays_under_eip_6780() {
    let mut trap = destroyed(SpecId::CANCUN);
    let facts = trap.outcome();
    let expected =
        AccountChange { balance: Some(U256::from(FEE + facts.gas(2))), ..AccountChange::default() };
    assert_eq!(facts.balance(HEIR), FEE);
    assert_eq!(*facts.change(MINER).unwrap(), expected);
}

#[test]
fn a_zero_fee_creates_the_beneficiary_before_eip_161() {
    let probe = account(0xc0, 1);
    let mut trap = Trap::new(SpecId::TANGERINE);
    trap.contract(probe, Code::new().call(MINER, 0));
    let first = trap.call(probe);
    let facts = trap.outcome();
    let expected = AccountChange { created: true, ..AccountChange::default() };
    assert_eq!(*facts.change(MINER).unwrap(), expected);
    // Who calls it later finds it there: no gas for a new account.
    assert!(facts.gas(first) < 21_000 + 25_000, "{}", facts.gas(first));

    // In a block of its own, the same call does pay for it: the touch comes after the calls.
    let mut alone = Trap::bare(SpecId::TANGERINE);
    alone.contract(probe, Code::new().call(MINER, 0));
    let at = alone.call(probe);
    assert_eq!(alone.outcome().gas(at), facts.gas(first) + 25_000);
}

#[test]
fn a_zero_fee_deletes_an_empty_beneficiary_after_eip_161() {
    for spec in [SpecId::SPURIOUS_DRAGON, SpecId::PRAGUE] {
        let mut trap = Trap::new(spec);
        trap.store.account(MINER);
        trap.dawdle();
        let facts = trap.outcome();
        let change = facts.change(MINER).unwrap();
        assert!(change.deleted && change.wiped, "{change:?}");

        // One that is not there stays away, and a fee makes it.
        let mut trap = Trap::new(spec);
        trap.dawdle();
        assert_eq!(trap.outcome().change(MINER), None);
        trap.pay_fee();
        assert_eq!(trap.outcome().balance(MINER), FEE);
    }
}
