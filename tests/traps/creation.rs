//! Contracts come into being: where they must not, and where others wait for them.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use chorus::evm::{AccountChange, SpecId, TxEnv};
use revm::bytecode::opcode as op;

use super::{
    code::{Code, delegation},
    trap::{Trap, account, by},
};

const FACTORY: Address = Address::repeat_byte(0xfa);

/// SSTORE(0, SLOAD(0) + 1)
fn counter() -> Code {
    Code::slow().push(1).load(0).ops(&[op::ADD]).store(0)
}

/// A transaction that creates a contract.
fn create(sender: Address, nonce: u64, init: Bytes) -> TxEnv {
    TxEnv { kind: TxKind::Create, data: init, ..by(sender, nonce, Address::ZERO) }
}

/// Where the factory creates a counter with CREATE2.
fn counter_address() -> Address {
    FACTORY.create2(B256::ZERO, keccak256(counter().init()))
}

/// The factory stores in slot 5 what CREATE2 says.
fn factory() -> Code {
    Code::slow().create2(&counter().init()).store(5)
}

#[test]
fn storage_alone_makes_a_creation_collide() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(FACTORY, factory());
    trap.store.slot(counter_address(), U256::from(8), U256::from(9));
    let sender = trap.sender();
    let created = sender.create(0);
    trap.store.slot(created, U256::from(8), U256::from(9)).balance(created, U256::from(1));
    // Credits on the way there do not make it any more free.
    let giver = trap.sender();
    trap.send(TxEnv { value: U256::from(3), ..by(giver, 0, created) });
    let collides = trap.send(create(sender, 0, counter().init()));
    let inner = trap.call(FACTORY);
    trap.call(created);
    trap.dawdle();
    let facts = trap.outcome();
    assert!(facts.executed(collides).result.is_halt());
    assert_eq!(facts.gas(collides), 500_000);
    let paid = AccountChange { balance: Some(U256::from(4)), ..AccountChange::default() };
    assert_eq!((facts.change(created), facts.nonce(sender)), (Some(&paid), 1));
    // Within a call the creator finds out, and its nonce has moved.
    assert!(facts.succeeded(inner));
    let change = facts.change(FACTORY).unwrap();
    assert_eq!((change.nonce, &change.storage), (Some(2), &vec![]));
    assert_eq!(facts.change(counter_address()), None);
}

#[test]
fn storage_that_was_wiped_in_the_block_does_not_collide() {
    let here = counter_address();
    let mut trap = Trap::new(SpecId::SHANGHAI);
    trap.contract(FACTORY, factory());
    trap.contract(here, Code::slow().address(FACTORY).ops(&[op::SELFDESTRUCT]));
    trap.store.slot(here, U256::from(8), U256::from(9));
    let before = trap.call(FACTORY);
    trap.call(here);
    let after = trap.call(FACTORY);
    trap.call(here);
    let facts = trap.outcome();
    // Both attempts succeed as calls; the first finds the place taken, all gas of CREATE2 gone.
    assert!(facts.succeeded(before) && facts.succeeded(after));
    assert_eq!(facts.slot(FACTORY, 5), U256::from_be_slice(here.as_slice()));
    let change = facts.change(here).unwrap();
    assert!(change.wiped && !change.deleted);
    assert_eq!(change.storage, [(U256::ZERO, U256::from(1))]);
}

#[test]
fn contracts_are_created_and_called_within_the_block() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(FACTORY, factory());
    let sender = trap.sender();
    let places = [sender.create(0), counter_address()];
    // Nobody is there yet.
    let early = places.map(|place| trap.call(place));
    trap.send(create(sender, 0, counter().init()));
    trap.call(FACTORY);
    for place in places {
        for _ in 0..3 {
            trap.call(place);
        }
    }
    trap.send(by(sender, 1, places[0]));
    let facts = trap.outcome();
    assert!(early.into_iter().all(|at| facts.gas(at) == 21_000));
    for (place, calls) in places.into_iter().zip([4, 3]) {
        let change = facts.change(place).unwrap();
        assert!(change.created && change.code.is_some());
        assert_eq!(change.storage, [(U256::ZERO, U256::from(calls))]);
    }
}

#[test]
fn a_place_that_is_taken_within_the_block_collides_the_second_time() {
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(FACTORY, factory());
    let calls = [(); 3].map(|()| trap.call(FACTORY));
    let facts = trap.outcome();
    // The first stores the address. The next find zero, and put that in its place and leave it.
    assert_eq!(facts.change(FACTORY).unwrap().storage, []);
    assert!(calls.into_iter().all(|at| facts.succeeded(at)));
    assert_eq!((facts.nonce(FACTORY), facts.nonce(counter_address())), (4, 1));
}

#[test]
fn ether_sent_ahead_is_there_when_the_contract_comes() {
    let mut trap = Trap::new(SpecId::CANCUN);
    let sender = trap.sender();
    let place = sender.create(0);
    let giver = account(0xc0, 1);
    trap.contract(giver, Code::slow().call(place, 30));
    trap.store.balance(giver, U256::from(30));
    trap.call(giver);
    // The constructor stores what it has, and leaves no code.
    let init = Code::slow().ops(&[op::SELFBALANCE]).store(0);
    trap.send(TxEnv { value: U256::from(12), ..create(sender, 0, init.into()) });
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.slot(place, 0), U256::from(42));
    assert_eq!((facts.balance(place), facts.nonce(place)), (42, 1));
}

#[test]
fn a_creation_where_somebody_delegated_before_collides() {
    let mut trap = Trap::new(SpecId::PRAGUE);
    trap.contract(FACTORY, factory());
    // The wallet's own key could hold such an address; nobody knows one, the rule holds anyway.
    trap.store.code(counter_address(), delegation(account(0xc0, 9)));
    let call = trap.call(FACTORY);
    trap.dawdle();
    let facts = trap.outcome();
    assert!(facts.succeeded(call));
    assert_eq!(facts.change(counter_address()), None);
    assert_eq!(facts.nonce(FACTORY), 2);
}
