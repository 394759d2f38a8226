//! Off means off.

use std::sync::Arc;

use alloy_eips::{eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS};
use alloy_primitives::B256;
use chorus::{
    evm::{BlockError, Engine, InvalidPolicy, Path, Sequential, StateStore},
    region::{OperationKind, config::SharedMemoryConfig, sidecar::Sidecar},
};
use revm::{bytecode::opcode as op, context::result::HaltReason};

use super::shared::{Code, Lab, PRECOMPILE, operation::CONTRACT, word};

/// A chain that has never switched shared memory on, or does so in a later block.
fn off() -> [Lab; 2] {
    let mut later = SharedMemoryConfig::production().chain;
    later.active_from = Some(1_001);
    [Lab::with(SharedMemoryConfig::off().chain), Lab::with(later)]
}

#[test]
fn the_opcodes_are_undefined() {
    for mut lab in off() {
        for kind in OperationKind::ALL {
            let byte = lab.config.opcodes[kind as usize];
            let code = (0..8).fold(Code::new(), |code, _| code.push(1));
            lab.contract(CONTRACT, code.ops(&[byte]).bytes());
            let at = lab.call(CONTRACT);
            let ran = lab.run();
            assert_eq!(ran.halt(at), Some(&HaltReason::OpcodeNotFound), "{}", kind.name());
            assert!(ran.diagnostics(at).is_empty());
        }
    }
}

#[test]
fn the_activation_block_is_the_first() {
    let [_, mut lab] = off();
    let code = Code::new().push(4).push(64).ops(&[0xE0]).keep(0);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    assert!(lab.advance().halt(at).is_some());
    let at = lab.call(CONTRACT);
    assert!(lab.advance().succeeded(at));
}

#[test]
fn opcodes_stand_where_the_chain_has_them_and_eip_8024_stays_free() {
    let mut config = SharedMemoryConfig::production().chain;
    config.opcodes[OperationKind::Alloc as usize] = 0xB0;
    for (byte, there) in [(0xB0, true), (0xE0, false), (0xE6, false), (0xE7, false), (0xE8, false)]
    {
        let mut lab = Lab::with(config.clone());
        lab.contract(CONTRACT, Code::new().push(4).push(64).ops(&[byte]).keep(0).bytes());
        let at = lab.call(CONTRACT);
        assert_eq!(lab.run().succeeded(at), there, "{byte:#x}");
    }
}

#[test]
fn a_block_comes_out_as_without_shared_memory_at_all() {
    for mut lab in off() {
        // Looks at the precompile's address in every way, warm and cold.
        let code = Code::new().ops(&[op::GAS]).keep(0);
        let code = code.address(PRECOMPILE).ops(&[op::EXTCODESIZE, op::GAS]).keep(1).keep(2);
        let code = code.address(PRECOMPILE).ops(&[op::EXTCODEHASH, op::GAS]).keep(3).keep(4);
        let code = code.call(op::CALL, PRECOMPILE, 4).ops(&[op::GAS]).keep(5).keep(6);
        let code = code.call(op::DELEGATECALL, PRECOMPILE, 4).ops(&[op::GAS]).keep(7).keep(8);
        lab.contract(CONTRACT, code.bytes());
        lab.call(CONTRACT);
        lab.call_with(PRECOMPILE, Default::default(), 7);
        lab.call_with(PRECOMPILE, vec![1, 2, 3, 4].into(), 0);
        let (block, store) = (lab.block(), lab.store.clone().build());
        let without = Sequential::new().execute(&block, &store, InvalidPolicy::Fail).unwrap();
        let ran = lab.run();
        assert_eq!(ran.outcome.transactions, without.transactions);
        assert_eq!(ran.outcome.diff, without.diff);
        assert!(ran.changes.regions.is_empty());
    }
}

#[test]
fn system_calls_do_without() {
    let mut lab = Lab::new();
    lab.system.beacon_root = Some(B256::repeat_byte(1));
    lab.system.parent_hash = Some(B256::repeat_byte(2));
    // One looks at the precompile's code, the other uses an opcode.
    let code = Code::new().address(PRECOMPILE).ops(&[op::EXTCODESIZE]).push(1);
    lab.contract(BEACON_ROOTS_ADDRESS, code.ops(&[op::ADD]).keep(0).bytes());
    let code = Code::new().push(1).keep(0).push(4).push(64).ops(&[0xE0]).keep(1);
    lab.contract(HISTORY_STORAGE_ADDRESS, code.bytes());
    let ran = lab.run();
    assert_eq!(ran.slot(BEACON_ROOTS_ADDRESS, 0), word(1));
    assert!(ran.change(HISTORY_STORAGE_ADDRESS).is_none());
}

#[test]
fn rules_before_eip_161_do_without() {
    let mut lab = Lab::new();
    lab.spec = chorus::evm::SpecId::TANGERINE;
    lab.contract(CONTRACT, Code::new().push(4).push(64).ops(&[0xE0]).keep(0).bytes());
    let at = lab.call(CONTRACT);
    assert_eq!(lab.run().halt(at), Some(&HaltReason::OpcodeNotFound));
}

#[test]
fn a_host_that_takes_no_part_minds_nothing_that_is_attached() {
    let mut config = SharedMemoryConfig::production().chain;
    config.max_sidecars = 1;
    let mut lab = Lab::with(config);
    lab.sidecars = [1, 2].map(|byte| Sidecar::new(&[byte]).unwrap()).into();
    lab.call(CONTRACT);
    let block = Arc::new(lab.block());
    let store: Arc<dyn StateStore> = Arc::new(lab.store.clone().build());
    for path in [Path::Direct, Path::Auto, Path::Parallel] {
        let memory = lab.memory();
        let engine = Engine::builder().path(path).shared_memory(memory.clone()).build().unwrap();
        let ended = engine.execute(&block, &store);
        assert!(matches!(ended, Err(BlockError::Sidecar { index: None, .. })), "{path:?}");
        memory.disable();
        assert_eq!(engine.execute(&block, &store).unwrap().transactions.len(), 1, "{path:?}");
    }
}
