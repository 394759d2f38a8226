//! The pools of an engine: what contracts hold of them, and what the host takes.

use std::collections::HashMap;

use chorus::{
    engine::SharedMemory,
    native::{Engine, Path, SharedError, Transaction, View, execute_sequential_with},
    pool::{Class, ClassStats, Exhaustion, PoolExhausted},
    region::{Address, config::SharedMemoryConfig},
};

use super::desk::{Desk, config};

fn of(desk: &Desk, class: Class) -> ClassStats {
    *desk.memory.pools().stats().of(class)
}

/// A transaction that takes a block, looks at the figures, and reverts another one.
fn takes(desk: &Desk) -> Transaction<u64, u64, [u32; 3], SharedError> {
    let memory = desk.memory.clone();
    let in_use = move || memory.pools().stats().of(Class::K64).in_use;
    Transaction::new(async move |view: View<u64, u64>| {
        let regions = view.regions();
        let kept = regions.alloc(65_536).await?;
        let checkpoint = regions.checkpoint()?;
        regions.alloc(65_536).await?;
        let two = in_use();
        checkpoint.revert();
        let one = in_use();
        let checkpoint = regions.checkpoint()?;
        regions.free(kept).await?;
        let none = in_use();
        checkpoint.revert();
        assert_eq!(in_use(), 1);
        Ok([two, one, none])
    })
}

#[test]
fn blocks_of_a_transaction_are_in_use_from_alloc_until_free_revert_or_its_end() {
    let desk = Desk::new(config());
    let outcome = execute_sequential_with(&[takes(&desk)], HashMap::new(), &desk.memory).unwrap();
    assert_eq!(outcome.results, [Ok([2, 1, 0])]);
    let stats = of(&desk, Class::K64);
    assert_eq!((stats.in_use, stats.high_water, stats.fallbacks), (0, 2, 0));

    let engine = Engine::builder().threads(1).path(Path::Parallel);
    let engine = engine.shared_memory(desk.memory.clone()).build().unwrap();
    let outcome = engine.execute(&[takes(&desk)], HashMap::new()).unwrap();
    assert_eq!(outcome.results, [Ok([2, 1, 0])]);
    drop((outcome, engine));
    let stats = of(&desk, Class::K64);
    assert_eq!((stats.in_use, stats.free), (0, stats.capacity));
}

#[test]
fn a_contract_does_not_see_that_the_pool_is_empty() {
    let with = |blocks: [u32; 4]| {
        let mut config = config();
        // The quota is the chain's, whatever the host has.
        config.chain.pool_blocks = [3; 4];
        config.host.pools.blocks = blocks;
        let desk = Desk::new(config);
        let many = |n: u64| {
            Transaction::<u64, u64, usize, SharedError>::new(async move |view: View<u64, u64>| {
                let regions = view.regions();
                let mut taken = 0;
                while taken < 5 && regions.alloc(1 << 20).await.is_ok() {
                    taken += 1;
                }
                Ok(taken)
            })
            .acting_as(Address::from_number(n))
        };
        let block: Vec<_> = (0..20).map(many).collect();
        let engine = Engine::builder().threads(2).path(Path::Parallel);
        let engine = engine.shared_memory(desk.memory.clone()).build().unwrap();
        let outcome = engine.execute(&block, HashMap::new()).unwrap();
        (outcome.results, of(&desk, Class::M1).fallbacks)
    };
    let (plenty, fallbacks) = with([0, 0, 0, 100]);
    assert_eq!((plenty.clone(), fallbacks), (vec![Ok(3); 20], 0));
    let (none, fallbacks) = with([0; 4]);
    assert_eq!(none, plenty);
    assert!(fallbacks >= 60);
}

#[test]
fn the_host_takes_blocks_with_either_behaviour_and_the_metrics_show_them() {
    let memory = SharedMemory::new(SharedMemoryConfig::testing()).unwrap();
    let pools = memory.pools();
    let one = pools.allocate(Class::M1, Exhaustion::Fail).unwrap();
    let refused = pools.allocate(Class::M1, Exhaustion::Fail).unwrap_err();
    assert_eq!(refused, PoolExhausted { class: Class::M1 });
    let other = pools.allocate(Class::M1, Exhaustion::Heap).unwrap();
    assert!(one.is_pooled() && !other.is_pooled());
    assert!(one.iter().chain(other.iter()).all(|byte| *byte == 0));

    let text = memory.metrics().to_prometheus();
    for line in [
        "chorus_pool_blocks{class=\"b64\"} 64",
        "chorus_pool_blocks{class=\"4k\"} 16",
        "chorus_pool_blocks{class=\"64k\"} 4",
        "chorus_pool_blocks{class=\"1m\"} 1",
        "chorus_pool_blocks_in_use{class=\"1m\"} 1",
        "chorus_pool_fallbacks_total{class=\"1m\"} 1",
        "chorus_pool_heap_blocks{class=\"1m\"} 1",
        "chorus_pool_utilisation{class=\"1m\"} 1",
        "chorus_pool_fragmentation{class=\"b64\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}
