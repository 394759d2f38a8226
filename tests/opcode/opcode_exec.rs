//! A region's bytes as code.

use alloy_primitives::{Address, U256};
use chorus::region::{Operation, Permissions, RegionError, error::ExecError};
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Lab, MEMORY, handle_word, name, opcode_of, operands,
    operation::{CONTRACT, create, exec, map, read},
    owner, persistent, transient, word,
};

const CALLER: Address = Address::repeat_byte(0xca);

fn emit(code: Code, operation: Operation) -> Code {
    let byte = opcode_of(&Lab::new().config, operation.kind());
    let words = operands(&operation, MEMORY).into_iter().rev();
    words.fold(code, |code, word| code.push(word)).ops(&[byte])
}

/// A frame that has `program` in a region of its own, from byte 0.
fn loaded(program: &Code) -> (Code, u64) {
    let bytes = program.bytes();
    let len = bytes.len() as u64;
    let code = emit(Code::new(), create("code", 100_000, 0));
    let code = emit(code, map(transient(CONTRACT, "code", 1), 0)).data(&bytes, MEMORY);
    let write = Operation::Write { mapping: word(1), offset: word(0), len: word(len) };
    (emit(code, write), len)
}

/// SHARED_EXEC with these operands.
fn run(code: Code, gas: u64, len: u64, input: (u64, u64), output: (u64, u64)) -> Code {
    let code = code.push(output.1).push(output.0).push(input.1).push(input.0);
    let code = code.push(len).push(0).push(handle_word(transient(CONTRACT, "code", 1)));
    code.push(gas).ops(&[0xEE])
}

#[test]
fn code_runs_in_the_callers_own_context() {
    let program = Code::new().ops(&[op::ADDRESS]).keep(0).ops(&[op::CALLER]).keep(1);
    let program = program.ops(&[op::CALLVALUE]).keep(2).push(0).ops(&[op::CALLDATALOAD]).keep(3);
    let program = program.ops(&[op::CALLDATASIZE]).keep(4).ops(&[op::CODESIZE]).keep(5);
    let program =
        program.push(0xfeed).push(0).ops(&[op::MSTORE]).push(32).push(0).ops(&[op::RETURN]);
    let (code, len) = loaded(&program);
    let code = code.push(0xabcd).push(0).ops(&[op::MSTORE]);
    let code = run(code, 1_000_000, len, (0, 32), (64, 32)).keep(6);
    let code = code.push(64).ops(&[op::MLOAD]).keep(7).ops(&[op::RETURNDATASIZE]).keep(8);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call_with(CONTRACT, Default::default(), 5);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?} {:?}", ran.halt(at), ran.diagnostics(at));
    let slots: Vec<U256> = (0..9).map(|slot| ran.slot(CONTRACT, slot)).collect();
    let address = |address: Address| U256::from_be_slice(address.as_slice());
    let expected = [
        address(CONTRACT),
        address(lab.sender()),
        word(5),
        word(0xabcd),
        word(32),
        word(len),
        word(1),
        word(0xfeed),
        word(32),
    ];
    assert_eq!(slots, expected);
}

#[test]
fn a_revert_gives_zero_with_its_data_and_takes_its_writes_back() {
    let program = Code::new().push(1).keep(9).push(0xdead).push(0).ops(&[op::MSTORE]);
    let (code, len) = loaded(&program.push(32).push(0).ops(&[op::REVERT]));
    let code = run(code, 1_000_000, len, (0, 0), (64, 32)).keep(0).ops(&[op::RETURNDATASIZE]);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code.keep(1).push(64).ops(&[op::MLOAD]).keep(2).bytes());
    lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!([0, 1, 2, 9].map(|slot| ran.slot(CONTRACT, slot)), [0, 32, 0xdead, 0].map(word));
}

#[test]
fn no_code_succeeds_at_once_and_zeros_stop() {
    let (code, _) = loaded(&Code::new());
    let code = run(code, 0, 0, (0, 0), (0, 0)).keep(0);
    let code = emit(code, exec(transient(CONTRACT, "code", 1), 50_000, 32)).keep(1);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
    assert_eq!([0, 1].map(|slot| ran.slot(CONTRACT, slot)), [word(1), word(1)]);
}

#[test]
fn a_child_gets_63_of_64_parts_at_most_and_no_stipend() {
    let (code, len) = loaded(&Code::new().ops(&[op::GAS]).keep(0));
    let words = len.div_ceil(32);
    let code = code.ops(&[op::GAS]);
    let code = run(code, u64::MAX, len, (0, 0), (0, 0)).keep(1).keep(2);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
    let before = u64::try_from(ran.slot(CONTRACT, 2)).unwrap();
    // The page is warm and present: it was written.
    let left = before - 8 * 3 - 100 - words * (3 + 8);
    assert_eq!(ran.slot(CONTRACT, 0), word(left - left / 64 - 2));

    let (code, len) = loaded(&Code::new().ops(&[op::GAS]).keep(0));
    lab.contract(CONTRACT, run(code, 30_000, len, (0, 0), (0, 0)).keep(1).bytes());
    lab.call(CONTRACT);
    assert_eq!(lab.run().slot(CONTRACT, 0), word(29_998));
}

#[test]
fn the_child_is_a_fresh_frame_without_mappings() {
    let (code, len) = loaded(&emit(Code::new(), read(1, 0, 1)));
    let mut lab = Lab::new();
    lab.contract(CONTRACT, run(code, 50_000, len, (0, 0), (0, 0)).keep(0).bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert_eq!(ran.slot(CONTRACT, 0), U256::ZERO);
    assert_eq!(ran.diagnostics(at)[0].error.reason().name(), "NotMapped");
    assert_eq!(ran.diagnostics(at)[0].depth, 2);
}

#[test]
fn the_static_flag_is_inherited() {
    let (code, len) = loaded(&Code::new().push(1).keep(9));
    let mut lab = Lab::new();
    // Creates, and then runs what it wrote in a static call of itself, which has the input.
    let code = run(code, 50_000, len, (0, 0), (0, 0));
    lab.contract(CONTRACT, code.keep(0).bytes());
    let at = lab.call(CONTRACT);
    assert_eq!(lab.run().slot(CONTRACT, 9), word(1), "{at}");

    let region = persistent(CONTRACT, "p", 1);
    let program = Code::new().push(1).keep(9).bytes();
    let code = emit(Code::new(), create("p", 1_000, 4));
    let code = emit(code, map(region, 0)).data(&program, MEMORY);
    let len = word(program.len() as u64);
    let write = Operation::Write { mapping: word(1), offset: word(0), len };
    lab = Lab::new();
    lab.contract(CONTRACT, emit(code, write).bytes());
    lab.call(CONTRACT);
    lab.advance();
    let len = program.len() as u64;
    let inner = emit(Code::new(), exec(region, 0, len)).push(0).ops(&[op::MSTORE]);
    lab.contract(CONTRACT, inner.push(32).push(0).ops(&[op::RETURN]).bytes());
    let outer = Code::new().push(32).push(0).push(0).push(0).address(CONTRACT).push(100_000);
    let outer = outer.ops(&[op::STATICCALL]).keep(0).push(0).ops(&[op::MLOAD]).keep(1);
    lab.contract(CALLER, outer.bytes());
    lab.call(CALLER);
    let ran = lab.run();
    assert_eq!(ran.slot(CALLER, 0), word(1), "the frame that executes goes on");
    assert_eq!(ran.slot(CALLER, 1), word(0), "what it executes does not");
}

#[test]
fn executing_needs_the_right_to() {
    let mut lab = Lab::new();
    let no_execute = Operation::Create {
        name: name("code"),
        size: word(10),
        permissions: word(3),
        options: word(0),
    };
    let code = emit(Code::new(), no_execute);
    lab.contract(CONTRACT, emit(code, exec(transient(CONTRACT, "code", 1), 0, 1)).bytes());
    let at = lab.call(CONTRACT);
    let (actor, needed) = (owner(CONTRACT), Permissions::EXECUTE);
    let error: RegionError = ExecError::PermissionDenied { actor, needed }.into();
    assert_eq!(lab.run().diagnostics(at)[0].error, error);
}

#[test]
fn depth_is_bounded_as_for_calls() {
    // Executes itself, counting, as deep as it goes.
    let region = transient(CONTRACT, "code", 1);
    let program = Code::new().push(0).ops(&[op::TLOAD]).push(1).ops(&[op::ADD]);
    let program = program.push(0).ops(&[op::TSTORE]);
    let program = (0..4).fold(program, |code, _| code.push(0));
    let program = program.push(600).push(0).push(handle_word(region)).push(u64::MAX).ops(&[0xEE]);
    let program = program.ops(&[op::POP]);
    let (code, len) = loaded(&program);
    assert!(len < 600);
    let code = run(code, u64::MAX, 600, (0, 0), (0, 0)).keep(0);
    let code = code.push(0).ops(&[op::TLOAD]).keep(1);
    let mut lab = Lab::new();
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    let ran = lab.run();
    assert!(ran.succeeded(at), "{:?} {:?}", ran.halt(at), ran.diagnostics(at));
    // 63/64 of the gas per frame, so it is gas that ends it before the limit of 1024.
    let depth = u64::try_from(ran.slot(CONTRACT, 1)).unwrap();
    assert!((50..=1024).contains(&depth), "{depth}");
}
