//! What a host cannot give, to a transaction that uses shared memory: its error ends the block, and no contract
//! sees it.

use std::sync::Arc;

use alloy_primitives::{Address, U256};
use chorus::{
    evm::{
        AccountInfo, Block, BlockError, CancelToken, Engine, ExecuteOptions, InvalidPolicy, Path,
        Sequential, StateStore, StoreError,
    },
    region::{Operation, SecurityLevel, config::SharedMemoryConfig, page_map::PageNumber},
};
use revm::bytecode::opcode as op;

use super::shared::{
    Code, Lab, MEMORY, opcode_of, operands,
    operation::{CONTRACT, create, map, read},
    persistent, word,
};

fn emit(code: Code, operation: Operation) -> Code {
    let byte = opcode_of(&Lab::new().config, operation.kind());
    let words = operands(&operation, MEMORY).into_iter().rev();
    words.fold(code, |code, word| code.push(word)).ops(&[byte])
}

#[test]
fn a_lost_page_ends_the_block_the_same_way_one_by_one_and_in_parallel() {
    let config = SharedMemoryConfig::production().chain;
    let mut lab = Lab::with(chorus::region::config::ChainConfig {
        security_level: SecurityLevel::Paranoid,
        ..config
    });
    let region = persistent(CONTRACT, "p", 1);
    let code = emit(emit(Code::new(), create("p", 8192, 4)), map(region, 0));
    let write = Operation::Write { mapping: word(1), offset: word(0), len: word(8192) };
    lab.contract(CONTRACT, emit(code, write).bytes());
    lab.call(CONTRACT);
    assert!(lab.advance().succeeded(0));

    // The outer contract calls one that reads the second page, and goes on if that fails.
    let reader = emit(emit(Code::new(), map(region, 0)), read(1, 4096, 32));
    lab.contract(CONTRACT, reader.bytes());
    let outer = Address::repeat_byte(0x66);
    let call = (0..5).fold(Code::new(), |code, _| code.push(0));
    let call = call.push(U256::from_be_slice(CONTRACT.as_slice()));
    lab.contract(outer, call.push(1_000_000).ops(&[op::CALL, op::POP]).bytes());
    lab.call(Address::repeat_byte(0x99));
    lab.call(outer);
    lab.call(outer);
    assert!(lab.run().succeeded(2));

    let memory = lab.memory();
    assert!(memory.damage_page(region, PageNumber(1)).unwrap());
    let block: Arc<Block> = Arc::new(lab.block());
    let store: Arc<dyn StateStore> = Arc::new(lab.store.clone().build());
    let expected = Sequential::with_shared_memory(memory.clone())
        .execute(&block, &*store, InvalidPolicy::Fail)
        .unwrap_err();
    let BlockError::SharedMemory { index: 1, reason } = &expected else { panic!("{expected}") };
    assert!(reason.contains(&format!("page 1 of region {region}")), "{reason}");
    for threads in [1, 2] {
        let engine = Engine::builder().threads(threads).path(Path::Parallel);
        let engine = engine.shared_memory(memory.clone()).build().unwrap();
        assert_eq!(engine.execute(&block, &store).unwrap_err(), expected);
    }
}

/// A store that cannot say whether an account has storage, and cancels the block when it is asked.
struct Failing {
    inner: Arc<dyn StateStore>,
    token: CancelToken,
}

impl StateStore for Failing {
    fn try_account(&self, address: Address) -> Option<Result<Option<AccountInfo>, StoreError>> {
        self.inner.try_account(address)
    }

    fn try_storage(&self, address: Address, slot: U256) -> Option<Result<U256, StoreError>> {
        self.inner.try_storage(address, slot)
    }

    fn try_has_storage(&self, address: Address) -> Option<Result<bool, StoreError>> {
        self.token.cancel();
        Some(Err(StoreError::Account { address, reason: "no idea".into() }))
    }
}

#[test]
fn nothing_is_kept_of_a_transaction_whose_read_failed_as_the_block_was_cancelled() {
    let mut lab = Lab::new();
    let code = emit(emit(Code::new(), create("p", 8192, 4)), map(persistent(CONTRACT, "p", 1), 0));
    let write = Operation::Write { mapping: word(1), offset: word(0), len: word(32) };
    let code = emit(code, write).push(0).push(0).push(0).ops(&[op::CREATE]);
    lab.contract(CONTRACT, code.bytes());
    // One that has nothing but a balance may have storage.
    lab.store.balance(CONTRACT.create(1), U256::ONE);
    lab.call(Address::repeat_byte(0x99));
    lab.call(CONTRACT);
    assert!(lab.run().succeeded(1));

    let (block, memory) = (Arc::new(lab.block()), lab.memory());
    let inner: Arc<dyn StateStore> = Arc::new(lab.store.clone().build());
    for (path, parts) in
        [(Path::Direct, false), (Path::Auto, false), (Path::Auto, true), (Path::Parallel, false)]
    {
        let engine = Engine::builder().threads(2).path(path).shared_memory(memory.clone());
        let engine = engine.build().unwrap();
        let token = CancelToken::new();
        let options = ExecuteOptions::new().cancel(&token).keep_committed();
        let store: Arc<dyn StateStore> = Arc::new(Failing { inner: inner.clone(), token });
        let ended = match parts {
            true => engine.execute_in_parts(&block, &store, 0, 1, options),
            false => engine.execute_with(&block, &store, options),
        };
        let Err(error @ BlockError::Cancelled { .. }) = ended else {
            panic!("{path:?}: {ended:?}")
        };
        let partial = error.committed().unwrap();
        let regions = partial.regions.as_ref().unwrap();
        assert!(partial.transactions.len() < 2 && regions.regions.is_empty(), "{path:?}");
        assert_eq!(regions.usage, Default::default(), "{path:?}");
        assert!(regions.accesses.is_empty(), "{path:?}");
    }
}
