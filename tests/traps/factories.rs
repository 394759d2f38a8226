//! Contracts that create others in several transactions: what becomes of their nonces.

use alloy_primitives::{Address, B256, U256, keccak256};
use chorus::evm::{SpecId, TxEnv};
use revm::bytecode::opcode as op;

use super::{
    code::{Code, delegation},
    trap::{Trap, account, by},
};

const FACTORY: Address = Address::repeat_byte(0xfa);

/// Creates a contract without code, under the caller's address as the salt. Leaves its address.
fn create2(code: Code, wei: u64) -> Code {
    code.ops(&[op::CALLER]).push(0).push(0).push(wei).ops(&[op::CREATE2])
}

/// The same by the factory's nonce.
fn create(code: Code) -> Code {
    code.push(0).push(0).push(0).ops(&[op::CREATE])
}

/// With input: CREATE. Without: CREATE2.
fn either() -> Code {
    Code::slow().branch(create(Code::new()), create2(Code::new(), 0))
}

fn salted(salt: Address) -> Address {
    FACTORY.create2(B256::left_padding_from(salt.as_slice()), keccak256([]))
}

#[test]
fn addresses_by_nonce_come_after_those_by_salt() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(FACTORY, either());
    // By salt, salt, nonce, and so on.
    let callers: Vec<_> = (0..9)
        .map(|i| {
            let input = if i % 3 == 2 { vec![1] } else { Vec::new() };
            let at = trap.call_with(FACTORY, input.into());
            trap.block.transactions[at].env.caller
        })
        .collect();
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.nonce(FACTORY), 10);
    for (i, caller) in (0..).zip(callers) {
        let created = if i % 3 == 2 { FACTORY.create(1 + i) } else { salted(caller) };
        assert_eq!(facts.nonce(created), 1, "{i}");
    }
}

#[test]
fn what_is_taken_back_raises_no_nonce() {
    let mut trap = Trap::new(SpecId::CANCUN);
    let fails = create2(Code::new(), 0).push(0).push(0).ops(&[op::REVERT]);
    trap.contract(FACTORY, Code::slow().branch(fails, create2(Code::new(), 0)));
    for i in 0..9 {
        trap.call_with(FACTORY, if i % 2 == 0 { vec![1].into() } else { Vec::new().into() });
    }
    trap.dawdle();
    assert_eq!(trap.outcome().nonce(FACTORY), 5);
}

#[test]
fn a_creation_that_cannot_be_paid_for_raises_no_nonce() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(FACTORY, create2(Code::slow(), 5));
    for wei in [0, 4, 0, 7, 0, 3] {
        let sender = trap.sender();
        trap.send(TxEnv { value: U256::from(wei), ..by(sender, 0, FACTORY) });
    }
    trap.dawdle();
    let facts = trap.outcome();
    // It has 0, 4, 4, 11, 6 and 4 when it creates.
    assert_eq!((facts.nonce(FACTORY), facts.balance(FACTORY)), (1 + 2, 4));
}

#[test]
fn the_last_nonce_there_is_creates_nothing() {
    for factory in [create(Code::slow()), create2(Code::slow(), 0)] {
        let mut trap = Trap::new(SpecId::CANCUN);
        trap.contract(FACTORY, factory.store(1));
        trap.store.nonce(FACTORY, u64::MAX - 2);
        for _ in 0..4 {
            trap.call(FACTORY);
        }
        trap.dawdle();
        let facts = trap.outcome();
        assert_eq!(facts.nonce(FACTORY), u64::MAX);
        assert_eq!(facts.slots(FACTORY), [], "the last call leaves 0");
    }
}

#[test]
fn a_factory_that_sends_transactions_has_one_nonce_for_both() {
    let mut trap = Trap::new(SpecId::PRAGUE);
    let code = account(0xc0, 1);
    trap.contract(code, either());
    let owner = trap.sender();
    trap.store.code(owner, delegation(code));
    let mut nonce = 0;
    for i in 0..8 {
        trap.call_with(owner, if i % 2 == 0 { vec![1].into() } else { Vec::new().into() });
        nonce += 1;
        if i % 3 == 0 {
            trap.send(TxEnv { value: U256::ONE, ..by(owner, nonce, account(0xf0, 1)) });
            nonce += 1;
        }
    }
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.nonce(owner), nonce);
    assert_eq!(facts.balance(account(0xf0, 1)), 3);
}

#[test]
fn a_factory_that_comes_back_begins_anew() {
    // Destroys itself with one byte of input, creates by salt with none.
    let heir = account(0x4e, 1);
    let destroy = Code::new().address(heir).ops(&[op::SELFDESTRUCT]);
    let mortal = Code::slow().branch(destroy, create2(Code::new(), 0));
    let maker = account(0xc0, 2);
    let here = maker.create2(B256::ZERO, keccak256(mortal.init()));
    let mut trap = Trap::new(SpecId::SHANGHAI);
    trap.contract(maker, Code::slow().create2(&mortal.init()));
    trap.contract(here, mortal);
    for round in 0..3 {
        for _ in 0..=round {
            trap.call(here);
        }
        trap.call_with(here, vec![1].into());
        trap.call(maker);
    }
    for _ in 0..2 {
        trap.call(here);
    }
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!((facts.nonce(here), facts.nonce(maker)), (3, 4));
}

/// From Amsterdam on CREATE is paid for by where the contract would be, before there is a frame for it.
#[test]
fn a_place_that_has_been_paid_for_is_where_the_contract_goes() {
    let mut trap = Trap::new(SpecId::AMSTERDAM);
    trap.contract(FACTORY, create(Code::slow()));
    for _ in 0..8 {
        let sender = trap.sender();
        trap.send(TxEnv { gas_limit: 5_000_000, ..by(sender, 0, FACTORY) });
    }
    trap.dawdle();
    let facts = trap.outcome();
    for i in 0..8 {
        assert_eq!(facts.nonce(FACTORY.create(1 + i)), 1, "{i}");
    }
}

#[test]
fn a_place_that_cannot_be_paid_for_depends_on_the_nonce_all_the_same() {
    let mut trap = Trap::new(SpecId::AMSTERDAM);
    trap.contract(FACTORY, Code::new().branch(create(Code::new()), create2(Code::new(), 0)));
    // What is there already costs less.
    trap.store.balance(FACTORY.create(2), U256::ONE);
    let outer = account(0xc0, 1);
    // SSTORE(1, 1 + whether the factory succeeds with input and 80,000 gas).
    let code = Code::new().push(0).push(0).push(1).push(0).push(0).address(FACTORY).push(80_000);
    trap.contract(outer, code.ops(&[op::CALL]).push(1).ops(&[op::ADD]).store(1));
    for callee in [FACTORY, outer] {
        let sender = trap.sender();
        trap.send(TxEnv { gas_limit: 5_000_000, ..by(sender, 0, callee) });
    }
    trap.dawdle();
    assert_eq!(trap.outcome().slot(outer, 1), U256::from(2));
}
