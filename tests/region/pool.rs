use chorus::{
    pool::Class,
    region::{
        config::{ChainConfig, SharedMemoryConfig},
        error::{AllocError, ChangeError, LookupError, MapError},
        operation::Operation,
    },
};
use ruint::aliases::U256;

use crate::{
    region_run::{PLENTY, Run, address, chain, map, word},
    region_world::MapWorld,
};

fn alloc(size: u64, class: u64) -> Operation {
    Operation::Alloc { size: word(size), class: word(class) }
}

fn with_blocks(pool_blocks: [u32; 4]) -> Run {
    Run::new(ChainConfig { pool_blocks, ..chain() }, MapWorld::default())
}

#[test]
fn a_block_is_a_region_of_the_size_that_was_asked_for() {
    let mut run = Run::start();
    for (size, class) in [(1, 0), (64, 0), (100, 1), (4096, 4), (65_536, 2), (1 << 20, 3)] {
        let block = run.alloc(size, class);
        assert_eq!(run.info(block), (size, 7));
        let mapping = run.map(block, 0);
        assert!(run.read(mapping, 0, size).iter().all(|byte| *byte == 0));
        run.write(mapping, size - 1, &[1]);
    }
}

#[test]
fn the_automatic_class_is_the_smallest_that_fits() {
    for (size, class) in [(1, 0), (64, 0), (65, 1), (4096, 1), (4097, 2), (65_536, 2), (65_537, 3)]
    {
        let mut blocks = [1; 4];
        blocks[class] = 0;
        let mut run = with_blocks(blocks);
        let class = Class::from_number(class as u8).unwrap();
        assert_eq!(run.error(alloc(size, 4)), AllocError::PoolExhausted { class }.into());
    }
}

#[test]
fn a_block_of_zero_bytes_is_refused() {
    assert_eq!(Run::start().error(alloc(0, 4)), AllocError::ZeroSize.into());
}

#[test]
fn a_block_holds_no_more_than_its_class() {
    let mut run = Run::start();
    for (class, max) in [(0, 64), (1, 4096), (2, 65_536), (3, 1 << 20), (4, 1 << 20)] {
        for size in [U256::from(max) + U256::ONE, U256::ONE << 64, U256::MAX] {
            let error = AllocError::RegionTooLarge { size, max };
            let operation = Operation::Alloc { size, class: word(class) };
            assert_eq!(run.error(operation), error.into());
        }
        run.alloc(max, class);
    }
}

#[test]
fn there_are_four_classes_and_the_automatic_one() {
    let mut run = Run::start();
    for option in [U256::from(5), U256::from(256), (U256::ONE << 64) + U256::ONE, U256::MAX] {
        let operation = Operation::Alloc { size: U256::ONE, class: option };
        assert_eq!(run.error(operation), AllocError::InvalidOption { option }.into());
    }
}

#[test]
fn a_class_is_exhausted_at_the_configured_count_whatever_else_is_held() {
    let config = SharedMemoryConfig::testing().chain;
    let mut run = Run::new(config.clone(), MapWorld::default());
    for (number, quota) in (0..).zip(config.pool_blocks) {
        let class = Class::from_number(number).unwrap();
        let blocks: Vec<_> = (0..quota).map(|_| run.alloc(1, number.into())).collect();
        let error = AllocError::PoolExhausted { class };
        assert_eq!(run.error(alloc(1, number.into())), error.clone().into());
        // One that is given back can be had again.
        run.ask(Operation::Free { handle: blocks[0] }).unwrap();
        run.alloc(1, number.into());
        assert_eq!(run.error(alloc(1, number.into())), error.into());
    }
    // The quota is the transaction's.
    run.next();
    run.alloc(1, 3);
}

#[test]
fn blocks_and_named_regions_have_limits_of_their_own() {
    let config = ChainConfig { max_shared_regions: 1, pool_blocks: [3, 0, 0, 0], ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    run.alloc(1, 0);
    run.create("a", 1, 0);
    run.alloc(1, 0);
    run.enter();
    run.alloc(1, 0);
    run.session.revert();
    let error = chorus::region::error::CreateError::TooManyRegions { max: 1 };
    assert_eq!(run.error(crate::region_run::create("b", 1, 7, 0)), error.into());
    run.alloc(1, 0);
    assert_eq!(run.error(alloc(1, 0)), AllocError::PoolExhausted { class: Class::B64 }.into());
}

#[test]
fn quotas_are_journaled() {
    let mut run = with_blocks([2, 0, 0, 0]);
    let block = run.alloc(1, 0);
    run.enter();
    run.alloc(1, 0);
    run.session.revert();
    run.alloc(1, 0);
    run.enter();
    run.ask(Operation::Free { handle: block }).unwrap();
    run.session.revert();
    assert_eq!(run.error(alloc(1, 0)), AllocError::PoolExhausted { class: Class::B64 }.into());
    run.ask(Operation::Free { handle: block }).unwrap();
}

#[test]
fn blocks_are_zero_when_they_are_handed_out_again() {
    let mut run = with_blocks([0, 1, 0, 0]);
    let block = run.alloc(4096, 1);
    let mapping = run.map(block, 0);
    run.write(mapping, 0, &[0xFF; 4096]);
    run.unmap(mapping);
    run.ask(Operation::Free { handle: block }).unwrap();
    let block = run.alloc(4096, 1);
    let mapping = run.map(block, 0);
    assert_eq!(run.read(mapping, 0, 4096), [0; 4096]);
}

#[test]
fn only_a_block_is_freed_only_once_and_only_by_its_owner() {
    let mut run = Run::start();
    let (named, state) = (run.create("a", 1, 0), run.create("b", 1, 4));
    let never = named.id().at(7);
    for handle in [named, state, never] {
        let error = AllocError::Lookup(LookupError::InvalidHandle { handle });
        assert_eq!(run.error(Operation::Free { handle }), error.into());
    }
    let block = run.alloc(1, 0);
    run.actor = address(2);
    let error = AllocError::NotOwner { actor: address(2) };
    assert_eq!(run.error(Operation::Free { handle: block }), error.into());
    run.actor = address(1);
    run.ask(Operation::Free { handle: block }).unwrap();
    let error = LookupError::StaleHandle { handle: block };
    assert_eq!(
        run.error(Operation::Free { handle: block }),
        AllocError::Lookup(error.clone()).into()
    );
    assert_eq!(run.error(map(block, 0, 0, 0)), MapError::Lookup(error).into());
}

#[test]
fn a_block_in_use_is_not_freed() {
    let mut run = Run::start();
    let block = run.alloc(1, 0);
    let mapping = run.map(block, 0);
    run.enter();
    run.map(block, 2);
    let error = AllocError::RegionInUse { mappings: 2 };
    assert_eq!(run.error(Operation::Free { handle: block }), error.into());
    run.session.commit();
    run.unmap(mapping);
    run.ask(Operation::Free { handle: block }).unwrap();
}

#[test]
fn a_block_grows_up_to_its_class() {
    let mut run = Run::start();
    let block = run.alloc(1, 1);
    run.grow(block, 4096);
    let size = word(4097_u64);
    let error = ChangeError::RegionTooLarge { size, max: 4096 };
    assert_eq!(run.error(Operation::Grow { handle: block, size }), error.into());
}

#[test]
fn destroy_gives_a_block_back_as_free_does() {
    let mut run = with_blocks([1, 0, 0, 0]);
    let block = run.alloc(1, 0);
    run.destroy(block);
    run.alloc(1, 0);
}

#[test]
fn a_block_can_be_granted_to_others() {
    let mut run = Run::start();
    let block = run.alloc(1, 0);
    run.grant(block, 2, 1);
    run.actor = address(2);
    run.map(block, 2);
    assert_eq!(run.gas, PLENTY);
}
