use chorus::region::{
    Permissions,
    config::ChainConfig,
    error::{ChangeError, ExecError, LookupError},
    handle::Handle,
    operation::{Operation, Output},
};
use ruint::aliases::U256;

use crate::{
    region_run::{Run, account, address, chain, grant, word},
    region_world::MapWorld,
};

fn grow(handle: Handle, size: u64) -> Operation {
    Operation::Grow { handle, size: word(size) }
}

fn exec(handle: Handle, offset: u64, len: u64, limit: u64) -> Operation {
    Operation::Exec { handle, offset: word(offset), len: word(len), limit }
}

#[test]
fn what_works_on_a_handle_tells_the_invalid_from_the_stale() {
    let mut run = Run::start();
    let stale = run.create("a", 1, 4);
    run.destroy(stale);
    let invalid = stale.id().at(2);
    let expected = [
        (invalid, LookupError::InvalidHandle { handle: invalid }),
        (stale, LookupError::StaleHandle { handle: stale }),
    ];
    for (handle, error) in expected {
        let change = ChangeError::Lookup(error.clone());
        let operations = [
            grow(handle, 1),
            grant(handle, 1, 1),
            Operation::Destroy { handle },
            Operation::Info { handle },
        ];
        for operation in operations {
            assert_eq!(run.error(operation), change.clone().into());
        }
        assert_eq!(run.error(exec(handle, 0, 1, 1)), ExecError::Lookup(error).into());
    }
}

#[test]
fn grow_makes_a_region_larger_and_never_smaller() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    run.grow(handle, 101);
    run.grow(handle, 101);
    run.grow(handle, 9000);
    assert_eq!(run.info(handle).0, 9000);
    for size in [0, 1, 8999] {
        let error = ChangeError::Shrink { size: word(size), current: 9000 };
        assert_eq!(run.error(grow(handle, size)), error.into());
    }
}

#[test]
fn grow_stops_at_what_the_chain_allows() {
    let config = ChainConfig { max_region_size: 5000, ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    let handle = run.create("a", 100, 0);
    for size in [U256::from(5001), U256::ONE << 64, (U256::ONE << 64) + U256::from(200), U256::MAX]
    {
        let error = ChangeError::RegionTooLarge { size, max: 5000 };
        assert_eq!(run.error(Operation::Grow { handle, size }), error.into());
    }
    run.grow(handle, 5000);
}

#[test]
fn grow_needs_the_right_to_write() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    run.grant(handle, 2, 5);
    run.grant(handle, 3, 2);
    let sealed = run.create_with("b", 100, 5, 4);
    let needed = Permissions::WRITE;
    let denied = |actor| ChangeError::PermissionDenied { actor: address(actor), needed }.into();
    assert_eq!(run.error(grow(sealed, 200)), denied(1));
    run.actor = address(2);
    assert_eq!(run.error(grow(handle, 200)), denied(2));
    run.actor = address(3);
    run.grow(handle, 200);
}

#[test]
fn the_size_that_is_seen_is_the_one_that_was_asked_for() {
    // Whatever capacity a host keeps for it.
    let mut run = Run::start();
    let handle = run.create("a", 4097, 6);
    let mapping = run.map(handle, 0);
    run.grow(handle, 5001);
    assert_eq!(run.info(handle).0, 5001);
    run.write(mapping, 5000, &[1; 100]);
    assert_eq!(run.info(handle).0, 5100);
    run.next();
    assert_eq!(run.info(handle).0, 5100);
}

#[test]
fn only_the_owner_grants_and_destroys() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    run.grant(handle, 2, 7);
    run.actor = address(2);
    let error = ChangeError::NotOwner { actor: address(2) };
    assert_eq!(run.error(grant(handle, 2, 7)), error.clone().into());
    assert_eq!(run.error(Operation::Destroy { handle }), error.into());
}

#[test]
fn a_grant_takes_defined_permissions_and_an_address() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let high = U256::ONE << 160;
    for option in [high, high + account(2), U256::MAX] {
        let operation = Operation::Grant { handle, address: option, permissions: word(1_u64) };
        assert_eq!(run.error(operation), ChangeError::InvalidOption { option }.into());
    }
    for option in [U256::from(8), U256::from(257), (U256::ONE << 64) + U256::ONE, U256::MAX] {
        let operation = Operation::Grant { handle, address: account(2), permissions: option };
        assert_eq!(run.error(operation), ChangeError::InvalidOption { option }.into());
    }
    for permissions in 0..8 {
        run.grant(handle, 2, permissions);
    }
    let far = Operation::Grant { handle, address: high - U256::ONE, permissions: word(1_u64) };
    run.ask(far).unwrap();
}

#[test]
fn a_grant_is_replaced_by_the_next_and_revoked_by_zero() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    let seen = |run: &mut Run| {
        run.actor = address(2);
        let permissions = run.info(handle).1;
        run.actor = address(1);
        permissions
    };
    assert_eq!(seen(&mut run), 0);
    for permissions in [7, 1, 0, 2] {
        run.grant(handle, 2, permissions);
        assert_eq!(u64::from(seen(&mut run)), permissions);
        run.next();
        assert_eq!(u64::from(seen(&mut run)), permissions);
    }
}

#[test]
fn destroy_ends_a_region_that_nobody_maps() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    let mapping = run.map(handle, 0);
    run.write(mapping, 0, &[1]);
    run.enter();
    run.map(handle, 2);
    let error = ChangeError::RegionInUse { mappings: 2 };
    assert_eq!(run.error(Operation::Destroy { handle }), error.into());
    run.session.commit();
    run.unmap(mapping);
    run.destroy(handle);
    run.next();
    assert!(run.world.pages.is_empty());
    assert_eq!(run.open(1, "a"), None);
}

#[test]
fn a_region_that_is_created_again_starts_with_nothing() {
    let mut run = Run::start();
    let old = run.create("a", 5000, 4);
    let mapping = run.map(old, 0);
    run.write(mapping, 0, &[1; 5000]);
    run.grant(old, 2, 7);
    run.next();
    run.destroy(old);
    let new = run.create("a", 4096, 4);
    assert_ne!(old, new);
    let mapping = run.map(new, 0);
    assert_eq!(run.read(mapping, 0, 5000), [0; 4096]);
    run.write(mapping, 0, &[2]);
    run.next();
    run.actor = address(2);
    assert_eq!(run.info(new), (4096, 0));
    run.actor = address(1);
    let mapping = run.map(new, 0);
    assert_eq!(run.read(mapping, 0, 2), [2, 0]);
    assert_eq!(run.world.pages.len(), 1);
}

#[test]
fn info_tells_the_size_and_the_callers_permissions() {
    let mut run = Run::start();
    let handle = run.create_with("a", 100, 3, 4);
    run.grant(handle, 2, 5);
    assert_eq!(run.info(handle), (100, 3));
    run.actor = address(2);
    assert_eq!(run.info(handle), (100, 1));
    run.actor = address(3);
    assert_eq!(run.info(handle), (100, 0));
}

#[test]
fn exec_gets_the_bytes_of_the_region() {
    let mut run = Run::start();
    for options in [0, 4] {
        let handle = run.create("a", 9000, options);
        let mapping = run.map(handle, 0);
        run.write(mapping, 4090, &[0x5B; 10]);
        let done = run.ask(exec(handle, 4089, 12, 12)).unwrap();
        assert_eq!(done.output, Output::Bytes(12));
        assert_eq!(done.bytes, [&[0][..], &[0x5B; 10], &[0]].concat());
        // Pages that are not there are zeros, too; and code of no bytes stops at once, anywhere.
        assert_eq!(run.ask(exec(handle, 8190, 810, 1000)).unwrap().bytes, [0; 810]);
        assert_eq!(run.ask(exec(handle, 1 << 60, 0, 0)).unwrap().bytes, [0; 0]);
    }
}

#[test]
fn exec_needs_the_right_to_execute() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    run.grant(handle, 2, 3);
    run.grant(handle, 3, 4);
    let needed = Permissions::EXECUTE;
    let denied = |actor| ExecError::PermissionDenied { actor: address(actor), needed }.into();
    for actor in [2, 4] {
        run.actor = address(actor);
        assert_eq!(run.error(exec(handle, 0, 1, 10)), denied(actor));
        assert_eq!(run.error(exec(handle, 0, 0, 10)), denied(actor));
    }
    run.actor = address(3);
    run.ask(exec(handle, 0, 1, 10)).unwrap();
}

#[test]
fn code_is_no_longer_than_the_limit_and_lies_within_the_region() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let error = ExecError::RegionTooLarge { size: word(51_u64), max: 50 };
    assert_eq!(run.error(exec(handle, 0, 51, 50)), error.into());
    run.ask(exec(handle, 50, 50, 50)).unwrap();
    let big = U256::ONE << 64;
    let (one, all) = (U256::ONE, U256::from(100));
    for (offset, len) in [
        (all, one),
        (one, all),
        (big, one),
        (one, big),
        (U256::ZERO, big + one),
        (big - one, one),
        (one, big - one),
        (U256::MAX, U256::MAX),
    ] {
        let operation = Operation::Exec { handle, offset, len, limit: 1000 };
        let error = ExecError::OutOfBounds { offset, len, size: 100 };
        assert_eq!(run.error(operation), error.into());
    }
}
