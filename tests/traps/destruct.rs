//! Self-destruction wipes an account: what was stored before is gone, whoever comes afterwards.

use alloy_primitives::{Address, B256, U256, keccak256};
use chorus::evm::{AccountChange, SpecId, TxEnv};
use revm::bytecode::opcode as op;

use super::{
    code::Code,
    trap::{Trap, account, by},
};

const HEIR: Address = Address::repeat_byte(0x4e);

fn contract(i: u8) -> Address {
    account(0xc0, i)
}

/// With input: destroys itself. Without: SSTORE(2, SLOAD(1) + 100), SSTORE(1, 7).
fn mortal() -> Code {
    let destroy = Code::new().address(HEIR).ops(&[op::SELFDESTRUCT]);
    let live = Code::new().load(1).push(100).ops(&[op::ADD]).store(2).push(7).store(1);
    Code::slow().branch(destroy, live)
}

/// Where the factory, `contract(1)`, creates the mortal contract.
fn mortal_address() -> Address {
    contract(1).create2(B256::ZERO, keccak256(mortal().init()))
}

/// A factory, and a mortal contract that is there already, with 9 in slot 1 and 50 wei.
fn world(spec: SpecId) -> Trap {
    let mut trap = Trap::new(spec);
    trap.contract(contract(1), Code::slow().create2(&mortal().init()));
    trap.contract(mortal_address(), mortal());
    trap.store.balance(mortal_address(), U256::from(50));
    trap.store.slot(mortal_address(), U256::from(1), U256::from(9));
    trap
}

fn slots(pairs: &[(u64, u64)]) -> Vec<(u64, U256)> {
    pairs.iter().map(|(slot, value)| (*slot, U256::from(*value))).collect()
}

#[test]
fn a_slot_read_after_wipe_and_re_creation_is_zero() {
    let mut trap = world(SpecId::SHANGHAI);
    trap.call_with(mortal_address(), vec![1].into());
    trap.call(contract(1));
    trap.call(mortal_address());
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.slots(mortal_address()), slots(&[(1, 7), (2, 100)]));
    let change = facts.change(mortal_address()).unwrap();
    assert!(change.wiped && !change.deleted && !change.created, "{change:?}");
    assert_eq!((change.balance, change.nonce), (None, Some(1)));
    assert_eq!(facts.balance(HEIR), 50);
}

#[test]
fn slots_written_between_wipes_are_wiped_too() {
    let mut trap = world(SpecId::SHANGHAI);
    for _ in 0..3 {
        trap.call(mortal_address());
        trap.call_with(mortal_address(), vec![1].into());
        trap.call(contract(1));
    }
    trap.call(mortal_address());
    let facts = trap.outcome();
    assert_eq!(facts.slots(mortal_address()), slots(&[(1, 7), (2, 100)]));

    // And once more, without coming back.
    trap.call_with(mortal_address(), vec![1].into());
    let facts = trap.outcome();
    let expected = AccountChange { wiped: true, deleted: true, ..AccountChange::default() };
    assert_eq!(*facts.change(mortal_address()).unwrap(), expected);
}

#[test]
fn credits_are_ordered_around_a_wipe() {
    let mut trap = world(SpecId::SHANGHAI);
    let gift = |trap: &mut Trap, wei: u64| {
        let sender = trap.sender();
        trap.send(TxEnv { value: U256::from(wei), ..by(sender, 0, mortal_address()) });
    };
    gift(&mut trap, 5);
    trap.call_with(mortal_address(), vec![1].into());
    gift(&mut trap, 3);
    gift(&mut trap, 4);
    trap.dawdle();
    let facts = trap.outcome();
    let expected =
        AccountChange { wiped: true, balance: Some(U256::from(7)), ..AccountChange::default() };
    assert_eq!(*facts.change(mortal_address()).unwrap(), expected);
    assert_eq!(facts.balance(HEIR), 55);
}

#[test]
fn under_eip_6780_only_the_balance_of_an_older_contract_goes() {
    let mut trap = world(SpecId::CANCUN);
    trap.call(mortal_address());
    trap.call_with(mortal_address(), vec![1].into());
    let giver = trap.sender();
    trap.send(TxEnv { value: U256::from(6), ..by(giver, 0, mortal_address()) });
    trap.call_with(mortal_address(), vec![1].into());
    let again = trap.call(contract(1));
    trap.call(mortal_address());
    trap.dawdle();
    let facts = trap.outcome();
    assert!(facts.succeeded(again), "the factory ignores that it collided");
    assert_eq!(facts.slots(mortal_address()), slots(&[(1, 7), (2, 107)]));
    let change = facts.change(mortal_address()).unwrap();
    assert_eq!((change.wiped, change.balance, change.nonce), (false, Some(U256::ZERO), None));
    assert_eq!(facts.balance(HEIR), 56);
}

#[test]
fn under_eip_6780_a_contract_of_the_same_transaction_is_wiped() {
    // Creates it, has it write its slots, and destroys it with one byte of input.
    let here = mortal_address();
    let only_create = Code::new().create2(&mortal().init());
    let create = only_create.clone().ops(&[op::POP]).call(here, 0);
    let destroy = create.push(0).push(0).push(1).push(0).push(0).address(here).push(80_000);
    let with_input = destroy.ops(&[op::CALL]);
    let mut trap = Trap::new(SpecId::CANCUN);
    trap.contract(contract(1), Code::slow().branch(with_input, only_create));
    trap.call_with(contract(1), vec![1].into());
    trap.call_with(contract(1), vec![1].into());
    trap.call(contract(1));
    trap.call(here);
    let facts = trap.outcome();
    assert_eq!(facts.slots(here), slots(&[(1, 7), (2, 100)]));
    let change = facts.change(here).unwrap();
    assert!(change.created && !change.wiped, "{change:?}");
    assert_eq!(facts.nonce(contract(1)), 4);

    // Left destroyed, it has never been there.
    trap.block.transactions.truncate(3);
    assert_eq!(trap.outcome().change(here), None);
}

#[test]
fn the_touch_of_precompile_3_survives_a_revert() {
    let [ripemd, identity] = [3, 4].map(Address::with_last_byte);
    let mut trap = Trap::new(SpecId::SPURIOUS_DRAGON);
    for (i, precompile) in [ripemd, identity].into_iter().enumerate() {
        trap.store.account(precompile);
        let touch = Code::slow().call(precompile, 0).ops(&[op::INVALID]);
        trap.contract(contract(1 + i as u8), touch);
    }
    let calls = [1, 2].map(|i| trap.call(contract(i)));
    trap.dawdle();
    let facts = trap.outcome();
    assert!(calls.into_iter().all(|at| !facts.succeeded(at)));
    let change = facts.change(ripemd).unwrap();
    assert!(change.wiped && change.deleted, "{change:?}");
    assert_eq!(facts.change(identity), None);
}

#[test]
fn the_surviving_touch_spares_a_precompile_that_was_credited_before() {
    let ripemd = Address::with_last_byte(3);
    let mut trap = Trap::new(SpecId::BYZANTIUM);
    trap.store.account(ripemd).balance(contract(1), U256::from(2));
    trap.contract(contract(1), Code::slow().call(ripemd, 2));
    trap.contract(contract(2), Code::slow().call(ripemd, 0).ops(&[op::INVALID]));
    trap.call(contract(1));
    trap.call(contract(2));
    trap.dawdle();
    let facts = trap.outcome();
    assert_eq!(facts.balance(ripemd), 2);
    assert!(!facts.change(ripemd).unwrap().deleted);
}
