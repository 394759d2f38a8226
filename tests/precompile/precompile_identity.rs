//! Whom a call acts for, and whose its mappings are.

use alloy_primitives::{Address, U256};
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Lab, PRECOMPILE, Step, calldata,
    operation::{CONTRACT, create, map, read, unmap},
    persistent, transient, word,
};

const LIBRARY: Address = Address::repeat_byte(0x11);

/// A call of the precompile by `scheme`, as a library makes it: leaves whether it worked.
fn ask(code: Code, scheme: u8, step: impl Into<Step>) -> Code {
    let call = calldata(&step.into());
    code.data(&call, 0).call_with_gas(scheme, PRECOMPILE, call.len() as u64, 500_000)
}

#[test]
fn the_owner_is_whom_the_call_acts_for() {
    for (outer, inner, owner) in [
        (op::CALL, op::CALL, LIBRARY),
        (op::CALL, op::DELEGATECALL, LIBRARY),
        (op::CALL, op::CALLCODE, LIBRARY),
        (op::DELEGATECALL, op::CALL, CONTRACT),
        (op::DELEGATECALL, op::DELEGATECALL, CONTRACT),
        (op::DELEGATECALL, op::CALLCODE, CONTRACT),
        (op::CALLCODE, op::CALL, CONTRACT),
        (op::CALLCODE, op::DELEGATECALL, CONTRACT),
        (op::CALLCODE, op::CALLCODE, CONTRACT),
    ] {
        let mut lab = Lab::new();
        lab.contract(LIBRARY, ask(Code::new(), inner, create("a", 10, 4)).bytes());
        lab.contract(CONTRACT, Code::new().call(outer, LIBRARY, 0).bytes());
        let at = lab.call(CONTRACT);
        let ran = lab.run();
        assert!(ran.succeeded(at));
        let made: Vec<_> = ran.changes.regions.iter().map(|change| change.handle()).collect();
        assert_eq!(made, [persistent(owner, "a", 1)], "{outer:#x} {inner:#x}");
    }
}

#[test]
fn a_transaction_that_calls_it_directly_acts_for_its_sender() {
    let mut lab = Lab::new();
    let call = calldata(&create("a", 10, 4).into());
    let at = lab.call_with(PRECOMPILE, call.into(), 0);
    let sender = lab.sender();
    let ran = lab.run();
    assert!(ran.succeeded(at));
    assert_eq!(ran.changes.regions[0].handle(), persistent(sender, "a", 1));
}

#[test]
fn a_mapping_belongs_to_the_frame_that_calls_and_not_to_the_calls_own() {
    let region = transient(CONTRACT, "a", 1);
    for scheme in [op::CALL, op::CALLCODE, op::DELEGATECALL] {
        let mut lab = Lab::new();
        let code = ask(Code::new(), scheme, create("a", 10, 0)).keep(0);
        let code = ask(code, scheme, map(region, 0)).keep(1);
        let code = ask(code, scheme, read(1, 0, 10)).keep(2);
        let code = ask(code, scheme, unmap(1)).keep(3);
        let code = ask(code, scheme, read(1, 0, 10)).keep(4);
        lab.contract(CONTRACT, code.bytes());
        lab.call(CONTRACT);
        let ran = lab.run();
        let slots = [0, 1, 2, 3, 4].map(|slot| ran.slot(CONTRACT, slot));
        assert_eq!(slots, [1, 1, 1, 1, 0].map(word), "{scheme:#x}");
    }
}

#[test]
fn a_child_frame_inherits_no_mapping_and_leaves_none() {
    let region = transient(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    // The library maps in its own frame, and what the outer frame has mapped is not there.
    let library = ask(Code::new(), op::CALL, read(1, 0, 1)).keep(10);
    let library = ask(library, op::CALL, map(region, 2)).keep(11);
    lab.contract(LIBRARY, ask(library, op::CALL, read(1, 0, 1)).keep(12).bytes());
    let code = ask(Code::new(), op::CALL, create("a", 10, 0)).keep(0);
    let code = ask(code, op::CALL, map(region, 0)).keep(1);
    let code = code.call(op::DELEGATECALL, LIBRARY, 0).keep(2);
    let code = ask(code, op::CALL, unmap(1)).keep(3);
    let destroy = chorus::region::Operation::Destroy { handle: region };
    let code = ask(code, op::CALL, destroy).keep(4);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    let slots = [0, 1, 2, 3, 4, 10, 11, 12].map(|slot| ran.slot(CONTRACT, slot));
    assert_eq!(slots, [1, 1, 1, 1, 1, 0, 1, 1].map(word));
}

#[test]
fn a_static_frame_passes_its_flag_on() {
    let mut lab = Lab::new();
    let library = ask(Code::new(), op::CALL, create("a", 10, 0)).push(0).ops(&[op::MSTORE]);
    lab.contract(LIBRARY, library.push(32).push(0).ops(&[op::RETURN]).bytes());
    let code = Code::new().push(32).push(0).push(0).push(0).address(LIBRARY).push(1_000_000);
    let code = code.ops(&[op::STATICCALL]).keep(0).push(0).ops(&[op::MLOAD]).keep(1);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!([ran.slot(CONTRACT, 0), ran.slot(CONTRACT, 1)], [word(1), U256::ZERO]);
}

#[test]
fn what_a_reverted_call_made_through_it_is_gone() {
    let mut lab = Lab::new();
    let library = ask(Code::new(), op::CALL, create("a", 10, 4)).push(0).push(0);
    lab.contract(LIBRARY, library.ops(&[op::REVERT]).bytes());
    lab.contract(CONTRACT, Code::new().call(op::CALL, LIBRARY, 0).keep(0).bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at));
    assert!(ran.changes.regions.is_empty());
}

#[test]
fn it_acts_as_the_contract_under_construction_in_init_code() {
    let mut lab = Lab::new();
    let init = ask(Code::new(), op::CALL, create("a", 10, 4)).bytes();
    let factory = Code::new().data(&init, 0).push(init.len() as u64).push(0).push(0);
    lab.contract(CONTRACT, factory.ops(&[op::CREATE]).keep(0).bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    let created = Address::from_word(ran.slot(CONTRACT, 0).into());
    assert_eq!(ran.changes.regions[0].handle(), persistent(created, "a", 1));
}
