use chorus::region::{
    config::ChainConfig,
    error::CreateError,
    handle::{Address, Handle},
    operation::{Operation, Output},
};
use ruint::aliases::U256;
use sha3::{Digest, Keccak256};

use crate::{
    region_run::{Run, account, address, chain, create, name, open, word},
    region_world::MapWorld,
};

/// The specification's formula, without the library.
fn handle(kind: u8, owner: Address, name: [u8; 32], generation: u64) -> Handle {
    let hash = Keccak256::new().chain_update([kind]).chain_update(owner.0).chain_update(name);
    let mut bytes = [0; 32];
    bytes[..24].copy_from_slice(&hash.finalize()[..24]);
    bytes[24..].copy_from_slice(&generation.to_be_bytes());
    Handle(bytes)
}

const PERSISTENT: u64 = 4;

#[test]
fn a_handle_is_what_the_formula_says() {
    let mut run = Run::start();
    assert_eq!(run.create("a", 1, PERSISTENT), handle(0, address(1), name("a"), 1));
    assert_eq!(run.create("b", 1, 0), handle(1, address(1), name("b"), 1));
    assert_eq!(run.create("a", 1, 0), handle(1, address(1), name("a"), 2));
    assert_eq!(run.alloc(1, 0), handle(1, address(1), [0; 32], 3));
    run.actor = address(2);
    assert_eq!(run.create("a", 1, PERSISTENT), handle(0, address(2), name("a"), 1));
}

#[test]
fn ordinals_are_journaled() {
    let mut run = Run::start();
    run.enter();
    assert_eq!(run.create("a", 1, 0).generation(), 1);
    assert_eq!(run.alloc(1, 0).generation(), 2);
    run.session.revert();
    assert_eq!(run.create("b", 1, 0).generation(), 1);
    run.enter();
    assert_eq!(run.create("c", 1, 0).generation(), 2);
    run.session.commit();
    assert_eq!(run.create("d", 1, 0).generation(), 3);
    // Destroying does not take an ordinal back.
    let d = run.open(1, "d").unwrap();
    run.destroy(d);
    assert_eq!(run.create("d", 1, 0).generation(), 4);
}

#[test]
fn ordinals_begin_anew_in_every_transaction() {
    let mut run = Run::start();
    assert_eq!(run.create("a", 1, 0).generation(), 1);
    run.next();
    assert_eq!(run.create("b", 1, 0).generation(), 1);
}

#[test]
fn generations_count_creations_and_survive_destruction() {
    let mut run = Run::start();
    for generation in 1..4 {
        let handle = run.create("a", 1, PERSISTENT);
        assert_eq!(handle.generation(), generation);
        if generation == 2 {
            // Across transactions as within one.
            run.next();
        }
        run.destroy(handle);
    }
    run.next();
    assert_eq!(run.open(1, "a"), None);
    assert_eq!(run.create("a", 1, PERSISTENT).generation(), 4);
}

#[test]
fn generations_are_journaled() {
    let mut run = Run::start();
    run.enter();
    let reverted = run.create("a", 1, PERSISTENT);
    run.destroy(reverted);
    assert_eq!(run.create("a", 1, PERSISTENT).generation(), 2);
    run.session.revert();
    assert_eq!(run.create("a", 1, PERSISTENT), reverted);
}

#[test]
fn a_region_of_zero_bytes_is_refused() {
    let error = Run::start().error(create("a", 0, 7, 0));
    assert_eq!(error, CreateError::ZeroSize.into());
}

#[test]
fn a_region_has_at_most_the_size_that_the_chain_allows() {
    let mut run = Run::start();
    let max = chain().max_region_size;
    run.create("a", max, 0);
    let sizes = [U256::from(max) + U256::ONE, U256::ONE << 64, U256::MAX];
    for size in sizes {
        let operation = Operation::Create {
            name: name("b"),
            size,
            permissions: word(7_u64),
            options: U256::ZERO,
        };
        assert_eq!(run.error(operation), CreateError::RegionTooLarge { size, max }.into());
    }
}

#[test]
fn a_transaction_creates_at_most_as_many_regions_as_the_chain_allows() {
    let mut run = Run::new(ChainConfig { max_shared_regions: 2, ..chain() }, MapWorld::default());
    let a = run.create("a", 1, 0);
    run.enter();
    run.create("b", 1, PERSISTENT);
    let error = CreateError::TooManyRegions { max: 2 };
    assert_eq!(run.error(create("c", 1, 7, 0)), error.clone().into());
    // Those that were never made do not count; those that were destroyed do.
    run.session.revert();
    run.destroy(a);
    run.create("c", 1, 0);
    assert_eq!(run.error(create("d", 1, 7, 0)), error.into());
    run.next();
    run.create("d", 1, 0);
}

#[test]
fn a_name_is_not_zero() {
    let operation = Operation::Create {
        name: [0; 32],
        size: word(1_u64),
        permissions: word(7_u64),
        options: U256::ZERO,
    };
    assert_eq!(Run::start().error(operation), CreateError::NameInvalid.into());
}

#[test]
fn an_owner_has_one_region_of_a_name_and_lifetime() {
    let mut run = Run::start();
    for options in [0, PERSISTENT] {
        let handle = run.create("a", 1, options);
        let error = CreateError::RegionExists { handle };
        assert_eq!(run.error(create("a", 1, 7, options)), error.into());
        run.create("b", 1, options);
    }
    run.actor = address(2);
    run.create("a", 1, 0);
    run.create("a", 1, PERSISTENT);
    run.next();
    run.actor = address(1);
    let handle = run.open(1, "a").unwrap();
    let error = CreateError::RegionExists { handle };
    assert_eq!(run.error(create("a", 1, 7, PERSISTENT)), error.into());
    run.create("a", 1, 0);
}

#[test]
fn undefined_options_and_permissions_are_refused() {
    let mut run = Run::start();
    let big = U256::ONE << 64;
    let three = U256::from(24);
    for option in [U256::from(32), U256::from(128), three, big, big + U256::from(4), U256::MAX] {
        let operation = Operation::Create {
            name: name("a"),
            size: word(1_u64),
            permissions: word(7_u64),
            options: option,
        };
        assert_eq!(run.error(operation), CreateError::InvalidOption { option }.into());
    }
    for option in [U256::from(8), big + U256::from(7), U256::MAX] {
        let operation = Operation::Create {
            name: name("a"),
            size: word(1_u64),
            permissions: option,
            options: U256::ZERO,
        };
        assert_eq!(run.error(operation), CreateError::InvalidOption { option }.into());
    }
    for options in 0..24 {
        run.create(&format!("region {options}"), 1, options);
    }
}

#[test]
fn copy_on_write_regions_are_refused_where_the_chain_has_it_off() {
    let config = ChainConfig { enable_copy_on_write: false, ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    let error = CreateError::InvalidOption { option: word(5_u64) };
    assert_eq!(run.error(create("a", 1, 7, 5)), error.into());
    run.create("a", 1, 4);
}

#[test]
fn open_finds_a_region_by_owner_and_name_or_says_that_there_is_none() {
    let mut run = Run::start();
    assert_eq!(run.open(1, "a"), None);
    let handle = run.create("a", 1, PERSISTENT);
    assert_eq!(run.open(1, "a"), Some(handle));
    assert_eq!(run.open(2, "a"), None);
    assert_eq!(run.open(1, "b"), None);
    run.actor = address(2);
    assert_eq!(run.open(1, "a"), Some(handle));
    run.actor = address(1);
    run.destroy(handle);
    assert_eq!(run.open(1, "a"), None);
}

#[test]
fn open_finds_the_transactions_own_region_first() {
    let mut run = Run::start();
    let state = run.create("a", 1, PERSISTENT);
    let own = run.create("a", 1, 0);
    assert_eq!(run.open(1, "a"), Some(own));
    run.destroy(own);
    assert_eq!(run.open(1, "a"), Some(state));
}

#[test]
fn open_of_what_cannot_exist_finds_nothing() {
    let mut run = Run::start();
    run.create("a", 1, PERSISTENT);
    let far = (U256::ONE << 160) + account(1);
    for (owner, name) in [(far, name("a")), (U256::MAX, name("a")), (account(1), [0; 32])] {
        let done = run.ask(Operation::Open { owner, name }).unwrap();
        assert_eq!(done.output, Output::Handle(None));
    }
    // Not even a pool block, which has no name.
    run.alloc(1, 0);
    let done = run.ask(Operation::Open { owner: account(1), name: [0; 32] }).unwrap();
    assert_eq!(done.output, Output::Handle(None));
}

#[test]
fn a_transactions_region_ends_with_it() {
    let mut run = Run::start();
    let handle = run.create("a", 1, 0);
    let effects = run.next();
    assert!(effects.meta_changes.is_empty() && effects.page_changes.is_empty());
    assert_eq!(run.open(1, "a"), None);
    let error = chorus::region::error::LookupError::InvalidHandle { handle };
    assert_eq!(
        run.error(Operation::Info { handle }),
        chorus::region::error::ChangeError::Lookup(error).into()
    );
}

#[test]
fn a_persistent_region_is_there_for_later_transactions() {
    let mut run = Run::start();
    let handle = run.create("a", 5000, PERSISTENT);
    let mapping = run.map(handle, 0);
    run.write(mapping, 4090, &[1; 20]);
    run.grant(handle, 2, 1);
    run.next();
    run.actor = address(2);
    assert_eq!(run.open(1, "a"), Some(handle));
    assert_eq!(run.info(handle), (5000, 1));
    let mapping = run.map(handle, 2);
    assert_eq!(run.read(mapping, 4089, 22), [&[0][..], &[1; 20], &[0]].concat());
}

#[test]
fn a_transaction_that_comes_to_nothing_leaves_nothing() {
    let mut run = Run::start();
    let handle = run.create("a", 5000, PERSISTENT);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1; 20]);
    let effects = run.session.finish(false);
    assert!(effects.meta_changes.is_empty() && effects.page_changes.is_empty());
    // What it saw decided that it came to nothing.
    assert_eq!(effects.meta_seen.len(), 1);
}

#[test]
fn equal_programs_get_equal_handles() {
    let program = || {
        let mut run = Run::start();
        [run.create("a", 1, 0), run.create("a", 1, PERSISTENT), run.alloc(1, 4)]
    };
    assert_eq!(program(), program());
    assert_eq!(open(1, "a"), Operation::Open { owner: account(1), name: name("a") });
}
