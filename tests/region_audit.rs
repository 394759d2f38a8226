//! Who is denied a region is told to the audit: once for each transaction of the block, in their order, on whichever
//! path, and where the block changes it.
#![cfg(feature = "evm")]
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::{Address, TxKind, U256, hex};
use chorus::{
    engine::SharedMemory,
    evm::{
        Block, BlockEnv, Engine, ExecuteOptions, InvalidPolicy, Path, Sequential, SpecId,
        StateStore, TxEnv,
    },
    region::{self, Name, Permissions, RegionOptions, SecurityLevel, config::SharedMemoryConfig},
    store::MemoryStore,
};

const CONTRACT: Address = Address::repeat_byte(0xcc);
const MAPS: Address = Address::repeat_byte(0xdd);
const CALLS: usize = 120;

/// Counts what is told to the audit.
#[derive(Clone, Default)]
struct Audit(Arc<AtomicUsize>);

impl tracing::Subscriber for Audit {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "chorus::audit"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Calls of a contract that has another map a region of somebody else's, in vain, and then counts in a slot: the first
/// one, if they are to be a chain, or the caller's.
fn block(chain: bool) -> (Arc<Block>, Arc<dyn StateStore>, Arc<SharedMemory>) {
    let mut config = SharedMemoryConfig::production();
    config.chain.security_level = SecurityLevel::Paranoid;
    let memory = SharedMemory::new(config).unwrap();
    let owner = region::Address([9; 20]);
    let options = RegionOptions::PERSISTENT;
    let secret = Name::new("secret").unwrap();
    let handle = memory.create(owner, secret, 4096, Permissions::NONE, options).unwrap();
    // SHARED_MAP of the handle, which ends that call; the slot is 0 or CALLER, and counts one more.
    let map = [&hex!("5f 5f 5f 7f")[..], &handle.0, &hex!("e2 00")].concat();
    let call_it = [&hex!("5f 5f 5f 5f 5f 73")[..], MAPS.as_slice(), &hex!("61ffff f1 50")].concat();
    let slot = if chain { hex!("5f") } else { hex!("33") };
    let code = [&call_it[..], &slot, &hex!("80 54 6001 01 90 55 00")].concat();
    let mut world = MemoryStore::builder();
    world.nonce(MAPS, 1).code(MAPS, map.into());
    world.nonce(CONTRACT, 1).code(CONTRACT, code.into());
    let call = |at: usize| TxEnv {
        caller: Address::left_padding_from(&(0xa0_0000 + at as u64).to_be_bytes()),
        gas_limit: 400_000,
        kind: TxKind::Call(CONTRACT),
        data: vec![1, 2, 3, 4].into(),
        ..TxEnv::default()
    };
    let env = BlockEnv { gas_limit: u64::MAX, number: U256::ONE, ..BlockEnv::default() };
    let block = Block::new(SpecId::PRAGUE, 1, env, (0..CALLS).map(call));
    (Arc::new(block), Arc::new(world.build()), memory)
}

#[test]
fn each_denial_is_told_once_whichever_path_is_found() {
    // All threads are listened to, so this is the only test of its process.
    let audit = Audit::default();
    tracing::subscriber::set_global_default(audit.clone()).unwrap();
    for (chain, path, streams, part) in [
        (true, Path::Auto, false, None),
        (true, Path::Auto, true, None),
        (false, Path::Auto, false, None),
        (true, Path::Direct, false, None),
        (false, Path::Parallel, false, None),
        (false, Path::Auto, false, Some((40, 80))),
        (true, Path::Auto, true, Some((0, 40))),
        (false, Path::Auto, false, Some((60, 120))),
    ] {
        let (block, store, memory) = block(chain);
        let expected = Sequential::with_shared_memory(memory.clone())
            .execute(&block, &*store, InvalidPolicy::Fail)
            .unwrap();
        assert_eq!(expected.regions.as_ref().unwrap().usage.denied, CALLS as u64);
        let engine = Engine::builder().threads(2).path(path).shared_memory(memory);
        let engine = engine.build().unwrap();
        let mut options = ExecuteOptions::new();
        if streams {
            options = options.stream(CALLS as u32);
        }
        audit.0.store(0, Ordering::Relaxed);
        let outcome = match part {
            Some((head, end)) => engine.execute_in_parts(&block, &store, head, end, options),
            None => engine.execute_with(&block, &store, options),
        };
        let outcome = outcome.unwrap();
        assert_eq!((&outcome.diff, &outcome.regions), (&expected.diff, &expected.regions));
        let told = audit.0.load(Ordering::Relaxed);
        assert_eq!(told, CALLS, "{chain}, {path:?}, {streams}, {part:?}");
    }
}
