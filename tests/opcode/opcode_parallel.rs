//! Transactions that meet in a region. That every way of running the block comes to the same is
//! checked by the lab; here is what it comes to.

use alloy_primitives::{Address, U256};
use chorus::region::{Operation, sidecar::Sidecar};
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Lab, MEMORY, opcode_of, operands,
    operation::{CONTRACT, create, grant, map, open, read},
    persistent, word,
};

const OTHER: Address = Address::repeat_byte(0x77);

/// An operation as an opcode on memory, its results left on the stack.
fn emit(code: Code, operation: Operation) -> Code {
    let byte = opcode_of(&Lab::new().config, operation.kind());
    let words = operands(&operation, MEMORY).into_iter().rev();
    words.fold(code, |code, word| code.push(word)).ops(&[byte])
}

fn write(offset: u64, len: u64) -> Operation {
    Operation::Write { mapping: word(1), offset: word(offset), len: word(len) }
}

/// A chain on which the contract has a persistent region that everybody may write to.
fn lab() -> Lab {
    let mut lab = Lab::new();
    let region = persistent(CONTRACT, "p", 1);
    let code = emit(Code::new(), create("p", 8192, 4));
    let code = emit(emit(code, map(region, 0)), write(0, 4096));
    lab.contract(CONTRACT, emit(code, grant(region, OTHER, 3)).bytes());
    lab.call(CONTRACT);
    assert!(lab.advance().succeeded(0));
    lab
}

/// The word of the region's first page that ended up at an offset.
fn first_page(ran: &super::shared::Ran, offset: usize) -> U256 {
    let (_, page) = &ran.changes.regions[0].pages[0];
    U256::from_be_slice(&page.bytes()[offset..offset + 32])
}

#[test]
fn a_counter_in_a_region_counts_every_transaction() {
    let mut lab = lab();
    let code = emit(Code::new(), map(persistent(CONTRACT, "p", 1), 0));
    let code = emit(code, read(1, 64, 32)).push(MEMORY).ops(&[op::MLOAD]).push(1);
    let code = code.ops(&[op::ADD]).push(MEMORY).ops(&[op::MSTORE]);
    lab.contract(OTHER, emit(code, write(64, 32)).bytes());
    for _ in 0..100 {
        lab.call(OTHER);
    }
    let ran = lab.run();
    assert!((0..100).all(|at| ran.succeeded(at)));
    assert_eq!(first_page(&ran, 64), word(100));
}

#[test]
fn writes_to_different_words_of_a_page_all_arrive() {
    let mut lab = lab();
    // Writes its first word of input at the offset in the second.
    let code = emit(Code::new(), map(persistent(CONTRACT, "p", 1), 0)).push(0);
    let code = code.ops(&[op::CALLDATALOAD]).push(MEMORY).ops(&[op::MSTORE]);
    let code = code.push(MEMORY).push(32).push(32).ops(&[op::CALLDATALOAD]).push(1).ops(&[0xE4]);
    lab.contract(OTHER, code.bytes());
    for i in 0..100_u64 {
        let data = [word(i + 1).to_be_bytes::<32>(), word(32 * i).to_be_bytes::<32>()].concat();
        lab.call_with(OTHER, data.into(), 0);
    }
    let ran = lab.run();
    assert!((0..100).all(|i| first_page(&ran, 32 * i) == word(i as u64 + 1)));
}

#[test]
fn regions_come_and_go_between_transactions() {
    // Destroys the region if there is one, else creates it: generations tell how often.
    let mut lab = Lab::new();
    let code = emit(Code::new(), open(CONTRACT, "q")).ops(&[op::DUP1]);
    let destroy = Code::new().ops(&[op::JUMPDEST, 0xD5]).bytes();
    let make = emit(Code::new(), create("q", 100, 4)).bytes();
    let target = code.bytes().len() as u64 - 1 + 33 + 1 + make.len() as u64;
    let code = code.push(target).ops(&[op::JUMPI]).ops(&make).ops(&destroy);
    lab.contract(CONTRACT, code.bytes());
    for _ in 0..51 {
        lab.call(CONTRACT);
    }
    let ran = lab.run();
    assert!((0..51).all(|at| ran.succeeded(at)), "{:?}", ran.diagnostics(1));
    let [change] = &ran.changes.regions[..] else { panic!("{:?}", ran.changes) };
    assert_eq!(change.handle(), persistent(CONTRACT, "q", 26));
    assert!(change.after.live.is_some());
}

#[test]
fn a_revoked_grant_keeps_out_whoever_comes_after() {
    let mut lab = lab();
    let region = persistent(CONTRACT, "p", 1);
    lab.contract(OTHER, emit(Code::new(), map(region, 0)).keep(0).bytes());
    lab.contract(CONTRACT, emit(Code::new(), grant(region, OTHER, 1)).bytes());
    let before: Vec<_> = (0..20).map(|_| lab.call(OTHER)).collect();
    lab.call(CONTRACT);
    let after: Vec<_> = (0..20).map(|_| lab.call(OTHER)).collect();
    let ran = lab.run();
    assert!(before.into_iter().all(|at| ran.succeeded(at)));
    for at in after {
        assert_eq!(ran.diagnostics(at)[0].error.reason().name(), "PermissionDenied");
    }
}

#[test]
fn code_in_a_region_is_the_code_of_the_moment() {
    // One contract rewrites the program that others run: it stores how often it was rewritten.
    let mut lab = lab();
    let region = persistent(CONTRACT, "p", 1);
    // PUSH32 n, PUSH32 0, SSTORE, STOP: the number stands at byte 1.
    let program = Code::new().push(0).keep(0).bytes();
    let code = emit(Code::new(), map(region, 0)).data(&program, MEMORY);
    let code = code.push(0).ops(&[op::SLOAD]).push(1).ops(&[op::ADD, op::DUP1]).keep(0);
    let code = code.push(MEMORY + 1).ops(&[op::MSTORE]);
    let len = program.len() as u64;
    lab.contract(CONTRACT, emit(code, write(0, len)).bytes());
    let run = Operation::Exec { handle: region, offset: word(0), len: word(len), limit: 0 };
    let users: Vec<Address> = (1..20).map(|i| super::shared::account(0x77, i)).collect();
    let grants = users.iter().fold(Code::new(), |code, user| emit(code, grant(region, *user, 4)));
    let owner = lab.store.clone();
    lab.contract(CONTRACT, grants.bytes());
    lab.call(CONTRACT);
    assert!(lab.advance().succeeded(0));
    lab.store = owner;
    for user in &users {
        lab.contract(*user, emit(Code::new(), run.clone()).bytes());
        lab.call(CONTRACT);
        lab.call(*user);
    }
    let ran = lab.run();
    for (at, user) in users.iter().enumerate() {
        assert!(ran.succeeded(2 * at + 1), "{:?}", ran.diagnostics(2 * at + 1));
        assert_eq!(ran.slot(*user, 0), word(at as u64 + 1));
    }
}

#[test]
fn what_is_attached_is_seen_by_its_transaction_and_the_blocks_by_all() {
    let mut lab = Lab::new();
    let [own, all] = [7, 9].map(|byte| Sidecar::new(&[byte; 64]).unwrap());
    // Maps it to be read, and keeps its first word; fails where it is not attached.
    let reader = |sidecar: &Sidecar| {
        let code = emit(Code::new(), map(sidecar.handle(), 2));
        emit(code, read(1, 0, 32)).push(MEMORY).ops(&[op::MLOAD]).keep(0).bytes()
    };
    lab.contract(CONTRACT, reader(&own));
    lab.sidecars.push(all.clone());
    for at in 0..20 {
        let other = super::shared::account(0x77, at);
        lab.contract(other, reader(&all));
        assert_eq!(lab.call(other), 2 * usize::from(at));
        let at = lab.call(CONTRACT);
        if at % 4 == 1 {
            lab.attach(at, &own);
        }
    }
    let ran = lab.run();
    for at in 0..20 {
        let other = super::shared::account(0x77, at);
        assert_eq!(ran.slot(other, 0), U256::from_be_bytes([9; 32]), "{at}");
        let at = 2 * usize::from(at) + 1;
        assert_eq!(ran.succeeded(at), at % 4 == 1, "{at}");
    }
    assert_eq!(ran.slot(CONTRACT, 0), U256::from_be_bytes([7; 32]));
}
