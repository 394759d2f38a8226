//! The account at the precompile's address.

use alloy_primitives::{Address, Bytes, U256, keccak256};
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Lab, PRECOMPILE, Step, calldata,
    operation::{CONTRACT, alloc},
    word,
};

#[test]
fn it_has_one_byte_of_code_and_is_warm() {
    let mut lab = Lab::new();
    let code = Code::new().ops(&[op::GAS]).address(PRECOMPILE).ops(&[op::EXTCODESIZE, op::GAS]);
    let code = code.keep(0).keep(1).keep(2);
    let code = code.address(PRECOMPILE).ops(&[op::EXTCODEHASH]).keep(3);
    let code = code.push(U256::MAX).push(0).ops(&[op::MSTORE]);
    let code = code.push(2).push(0).push(0).address(PRECOMPILE).ops(&[op::EXTCODECOPY]);
    let code = code.push(0).ops(&[op::MLOAD]).keep(4);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at));
    assert_eq!(ran.slot(CONTRACT, 1), word(1));
    assert_eq!(ran.slot(CONTRACT, 2) - ran.slot(CONTRACT, 0), word(100 + 3 + 2));
    assert_eq!(ran.slot(CONTRACT, 3), U256::from_be_bytes(keccak256([0]).0));
    assert_eq!(ran.slot(CONTRACT, 4), U256::MAX >> 16);
    assert!(ran.change(PRECOMPILE).is_none());
}

#[test]
fn no_use_of_it_shows_in_the_state() {
    let mut lab = Lab::new();
    let call = calldata(&Step::from(alloc(64, 0)));
    let code = Code::new().data(&call, 0).call(op::CALL, PRECOMPILE, call.len() as u64);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    lab.call_with(PRECOMPILE, call.into(), 0);
    lab.call_with(PRECOMPILE, Bytes::new(), 1);
    assert!(lab.run().change(PRECOMPILE).is_none());
}

#[test]
fn wei_that_reaches_it_another_way_stays_without_code() {
    let mut lab = Lab::new();
    lab.store.balance(CONTRACT, U256::from(77));
    lab.contract(CONTRACT, Code::new().address(PRECOMPILE).ops(&[op::SELFDESTRUCT]).bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at));
    let change = ran.change(PRECOMPILE).expect("a balance");
    assert_eq!(change.balance, Some(U256::from(77)));
    assert!(change.created && change.code.is_none() && change.nonce.is_none());
}

#[test]
fn an_account_that_is_there_already_keeps_what_it_has() {
    let mut lab = Lab::new();
    lab.store.balance(PRECOMPILE, U256::from(5)).balance(CONTRACT, U256::from(77));
    lab.contract(CONTRACT, Code::new().address(PRECOMPILE).ops(&[op::SELFDESTRUCT]).bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    let change = ran.change(PRECOMPILE).expect("a balance");
    assert_eq!(change.balance, Some(U256::from(82)));
    assert!(!change.created && change.code.is_none());
}

#[test]
fn an_empty_account_there_goes_when_it_is_touched_as_any_does() {
    let mut lab = Lab::new();
    lab.store.account(PRECOMPILE);
    let call = calldata(&Step::from(alloc(64, 0)));
    lab.call_with(PRECOMPILE, call.into(), 0);
    let ran = lab.run();
    assert!(ran.change(PRECOMPILE).is_some_and(|change| change.deleted));
}

#[test]
fn ethereums_own_precompiles_answer_beside_it() {
    // SHA-256 of nothing, beside shared memory.
    let sha256 = Address::with_last_byte(2);
    let mut lab = Lab::new();
    let code = Code::new().push(32).push(0).push(0).push(0).address(sha256).push(10_000);
    let code = code.ops(&[op::STATICCALL]).keep(0).push(0).ops(&[op::MLOAD]).keep(1);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!(ran.slot(CONTRACT, 0), word(1));
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(format!("{:064x}", ran.slot(CONTRACT, 1)), digest);
}
