//! Whose rights, whose mappings, and what a revert takes back.

use alloy_primitives::{Address, U256};
use chorus::region::{Handle, Operation, RegionError, error::AccessError};
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Lab, handle_word, opcode_of, operands,
    operation::{CONTRACT, create, grant, map, open, read, unmap},
    persistent, transient, word,
};

const INNER: Address = Address::repeat_byte(0x1c);
const OTHER: Address = Address::repeat_byte(0x77);

/// An operation as an opcode, its results left on the stack.
fn emit(code: Code, operation: Operation) -> Code {
    let byte = opcode_of(&Lab::new().config, operation.kind());
    let words = operands(&operation, 0).into_iter().rev();
    words.fold(code, |code, word| code.push(word)).ops(&[byte])
}

fn code(operations: &[Operation]) -> Code {
    operations.iter().cloned().fold(Code::new(), emit)
}

#[test]
fn a_mapping_is_its_frames_alone() {
    let region = transient(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    // The same address, in a frame of its own: no mapping 1 there.
    let inner = code(&[read(1, 0, 1)]);
    lab.contract(INNER, inner.bytes());
    let outer = code(&[create("a", 10, 0), map(region, 0)]);
    let outer = outer.call_with_gas(op::DELEGATECALL, INNER, 0, 10_000).keep(0);
    let outer = emit(outer, read(1, 0, 1)).keep(1);
    lab.contract(CONTRACT, outer.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!(ran.slot(CONTRACT, 0), U256::ZERO);
    assert_eq!(ran.slot(CONTRACT, 1), word(1));
    let error: RegionError = AccessError::NotMapped { mapping: word(1) }.into();
    assert_eq!(ran.diagnostics(at)[0].error, error);
    assert_eq!(ran.diagnostics(at)[0].actor, CONTRACT);
    assert_eq!(ran.diagnostics(at)[0].depth, 2);
}

#[test]
fn mappings_end_with_the_frame_and_pin_nothing_then() {
    let region = transient(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    lab.contract(INNER, code(&[map(region, 0), map(region, 2)]).keep(5).keep(6).bytes());
    let outer = code(&[create("a", 10, 0)]).call(op::DELEGATECALL, INNER, 0).keep(0);
    let outer = outer.call(op::DELEGATECALL, INNER, 0).keep(1);
    // Not in use any more.
    let outer = emit(outer, Operation::Destroy { handle: region });
    lab.contract(CONTRACT, outer.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
    assert_eq!([ran.slot(CONTRACT, 0), ran.slot(CONTRACT, 1)], [word(1), word(1)]);
    // Each frame counts from 1.
    assert_eq!([ran.slot(CONTRACT, 6), ran.slot(CONTRACT, 5)], [word(1), word(2)]);
}

#[test]
fn old_fault_10_a_reverted_call_leaves_no_region_no_mapping_and_no_byte() {
    let region = persistent(CONTRACT, "a", 1);
    for ending in [op::REVERT, op::INVALID] {
        let mut lab = Lab::new();
        let inner = code(&[create("a", 10, 4), map(region, 0)]).push(0).push(0).ops(&[ending]);
        lab.contract(INNER, inner.bytes());
        let outer = code(&[open(CONTRACT, "a")]).keep(0);
        let outer = outer.call_with_gas(op::DELEGATECALL, INNER, 0, 100_000).keep(1);
        let outer = emit(outer, open(CONTRACT, "a")).keep(2);
        // It can be created as if nothing had happened, with the same handle.
        let outer = emit(outer, create("a", 20, 4)).keep(3);
        lab.contract(CONTRACT, outer.bytes());
        let at = lab.call(CONTRACT);
        let ran = lab.run();
        assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
        let slots = [0, 1, 2, 3].map(|slot| ran.slot(CONTRACT, slot));
        assert_eq!(slots, [U256::ZERO, U256::ZERO, U256::ZERO, handle_word(region)]);
        assert_eq!(ran.changes.regions.len(), 1);
        assert_eq!(ran.changes.regions[0].after.live.as_ref().unwrap().size, 20);
        assert!(ran.changes.regions[0].pages.is_empty());
    }
}

#[test]
fn a_transaction_that_reverts_leaves_nothing_and_its_nonce() {
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code(&[create("a", 10, 4)]).push(0).push(0).ops(&[op::REVERT]).bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(!ran.succeeded(at) && ran.halt(at).is_none());
    assert!(ran.changes.regions.is_empty());
    assert!(ran.change(lab.sender()).is_some_and(|change| change.nonce == Some(1)));
}

#[test]
fn warmth_is_taken_back_by_a_revert() {
    // Looks the region up, measures, and reverts if there is input.
    let region = persistent(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code(&[create("a", 10, 4)]).bytes());
    lab.call(CONTRACT);
    lab.advance();
    lab.contract(INNER, code(&[open(CONTRACT, "a")]).push(0).push(0).ops(&[op::REVERT]).bytes());
    let outer = Code::new().call_with_gas(op::CALL, INNER, 0, 100_000).ops(&[op::POP, op::GAS]);
    let outer = emit(outer, Operation::Info { handle: region }).ops(&[op::GAS]).keep(0);
    let outer = outer.ops(&[op::POP, op::POP]).keep(1);
    lab.contract(CONTRACT, outer.bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!(ran.slot(CONTRACT, 1) - ran.slot(CONTRACT, 0), word(2_650 + 3 + 2));
}

#[test]
fn rights_are_those_of_the_frames_own_address() {
    let region = persistent(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    let setup = [create("a", 10, 4), grant(region, OTHER, 1)];
    lab.contract(CONTRACT, code(&setup).bytes());
    lab.call(CONTRACT);
    lab.advance();
    // Maps read-only, then writable.
    lab.contract(INNER, code(&[map(region, 2), map(region, 0)]).bytes());
    for (scheme, from, works) in [
        (op::DELEGATECALL, CONTRACT, true),
        (op::CALLCODE, CONTRACT, true),
        (op::CALL, CONTRACT, false),
        (op::DELEGATECALL, OTHER, false),
    ] {
        lab.contract(from, Code::new().call_with_gas(scheme, INNER, 0, 50_000).keep(0).bytes());
        let at = lab.call(from);
        let ran = lab.run();
        assert_eq!(ran.slot(from, 0), word(u64::from(works)), "{scheme:#x} from {from}");
        if !works {
            let acts = if scheme == op::CALL { INNER } else { from };
            assert_eq!(ran.diagnostics(at)[0].actor, acts);
            assert_eq!(ran.diagnostics(at)[0].error.reason().name(), "PermissionDenied");
        }
    }
}

#[test]
fn what_init_code_creates_is_the_new_contracts() {
    let mut lab = Lab::new();
    let init = code(&[create("a", 10, 4)]);
    let bytes = init.bytes();
    let factory = Code::new().data(&bytes, 0).push(bytes.len() as u64).push(0).push(0);
    lab.contract(CONTRACT, factory.ops(&[op::CREATE]).keep(0).bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
    let created = Address::from_word(ran.slot(CONTRACT, 0).into());
    let handle: Handle = persistent(created, "a", 1);
    assert_eq!(ran.changes.regions[0].handle(), handle);
}

#[test]
fn a_creation_that_collides_opens_no_frame() {
    // CREATE2 twice at one address: the second fails before it runs. Checkpoints of the journal and
    // of the session still go together.
    let region = transient(CONTRACT, "a", 1);
    let mut lab = Lab::new();
    let init = Code::new().push(1).push(0).ops(&[op::RETURN]).bytes();
    let make = |code: Code| {
        let code = code.data(&init, 0).push(0).push(init.len() as u64).push(0).push(0);
        code.ops(&[op::CREATE2])
    };
    let outer = make(code(&[create("a", 10, 0), map(region, 0)])).keep(0);
    let outer = make(outer).keep(1);
    let outer = emit(outer, read(1, 0, 5)).keep(2);
    lab.contract(CONTRACT, emit(outer, unmap(1)).bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?} {:?}", ran.halt(at), ran.diagnostics(at));
    assert!(ran.slot(CONTRACT, 0) != U256::ZERO && ran.slot(CONTRACT, 1) == U256::ZERO);
    assert_eq!(ran.slot(CONTRACT, 2), word(5));
}
