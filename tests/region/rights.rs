use chorus::region::{
    OperationKind, Permissions,
    config::ChainConfig,
    error::{ChangeError, MapError},
    operation::{Fault, Operation},
    rights::SecurityLevel,
};
use ruint::aliases::U256;

use crate::{
    region_run::{Run, address, chain, copy, create, grant, map, open, publish, read, word, write},
    region_world::MapWorld,
};

fn at(level: SecurityLevel) -> Run {
    Run::new(ChainConfig { security_level: level, ..chain() }, MapWorld::default())
}

const LEVELS: [SecurityLevel; 4] =
    [SecurityLevel::None, SecurityLevel::Basic, SecurityLevel::Strict, SecurityLevel::Paranoid];

/// What the owner, somebody with a grant of reading and executing, and a stranger may do with a
/// region whose ceiling is reading and writing.
#[test]
fn levels_add_the_ceiling_then_owner_and_grants() {
    for (level, expected) in [
        (SecurityLevel::None, [7, 7, 7]),
        (SecurityLevel::Basic, [3, 3, 3]),
        (SecurityLevel::Strict, [3, 1, 0]),
        (SecurityLevel::Paranoid, [3, 1, 0]),
    ] {
        for options in [0, 4] {
            let mut run = at(level);
            let handle = run.create_with("a", 100, 3, options);
            run.grant(handle, 2, 5);
            for (actor, permissions) in [1, 2, 3].into_iter().zip(expected) {
                run.enter();
                run.actor = address(actor);
                assert_eq!(run.info(handle), (100, permissions), "{level:?} {actor}");
                // What info says is what the operations go by.
                let maps = run.ask(map(handle, 0, 0, 0)).is_ok();
                assert_eq!(maps, permissions & 3 == 3, "{level:?} {actor}");
                let reads = run.ask(map(handle, 2, 0, 0)).is_ok();
                assert_eq!(reads, permissions & 1 == 1, "{level:?} {actor}");
                let grows = run.ask(Operation::Grow { handle, size: word(100_u64) }).is_ok();
                assert_eq!(grows, permissions & 2 == 2, "{level:?} {actor}");
                let (offset, len) = (U256::ZERO, U256::ONE);
                let runs = run.ask(Operation::Exec { handle, offset, len, limit: 9 }).is_ok();
                assert_eq!(runs, permissions & 4 == 4, "{level:?} {actor}");
            }
        }
    }
}

#[test]
fn the_permissions_of_creation_are_a_ceiling_for_grants() {
    let mut run = Run::start();
    let handle = run.create_with("a", 100, 1, 4);
    run.grant(handle, 2, 7);
    run.actor = address(2);
    assert_eq!(run.info(handle).1, 1);
    let needed = Permissions::WRITE;
    let error = MapError::PermissionDenied { actor: address(2), needed };
    assert_eq!(run.error(map(handle, 0, 0, 0)), error.into());
}

#[test]
fn a_region_without_permissions_is_nobodys() {
    let mut run = Run::start();
    let handle = run.create_with("a", 100, 0, 4);
    let needed = Permissions::READ;
    let error = MapError::PermissionDenied { actor: address(1), needed };
    assert_eq!(run.error(map(handle, 2, 0, 0)), error.into());
    run.destroy(handle);
}

#[test]
fn from_strict_on_only_the_owner_grants_destroys_and_frees() {
    for level in LEVELS {
        let mut run = at(level);
        let handle = run.create("a", 1, 4);
        let block = run.alloc(1, 0);
        run.actor = address(2);
        let open = level < SecurityLevel::Strict;
        for operation in
            [grant(handle, 3, 1), Operation::Destroy { handle }, Operation::Free { handle: block }]
        {
            assert_eq!(run.ask(operation).is_ok(), open, "{level:?}");
        }
    }
}

#[test]
fn rights_are_those_of_when_it_was_mapped() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 4);
    run.grant(handle, 2, 3);
    run.enter();
    run.actor = address(2);
    let mapping = run.map(handle, 0);
    run.actor = address(1);
    run.grant(handle, 2, 0);
    run.actor = address(2);
    run.write(mapping, 0, &[1]);
    assert_eq!(run.read(mapping, 0, 2), [1, 0]);
    let error = MapError::PermissionDenied { actor: address(2), needed: Permissions::READ };
    assert_eq!(run.error(map(handle, 2, 0, 0)), error.into());
}

#[test]
fn a_grant_of_this_transaction_acts_on_its_later_maps() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    run.actor = address(2);
    assert!(run.ask(map(handle, 0, 0, 0)).is_err());
    run.actor = address(1);
    run.enter();
    run.grant(handle, 2, 3);
    run.actor = address(2);
    run.map(handle, 0);
    run.session.revert();
    assert!(run.ask(map(handle, 0, 0, 0)).is_err());
}

#[test]
fn a_child_frame_inherits_no_mapping_and_maps_for_itself() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.enter();
    assert!(run.ask(read(mapping, 0, 1)).is_err());
    run.actor = address(2);
    assert!(run.ask(map(handle, 0, 0, 0)).is_err());
}

/// Everything that changes anything is a violation, at every level; looking is not.
#[test]
fn the_static_rule_holds_at_every_level() {
    for level in LEVELS {
        let mut run = at(level);
        let handle = run.create("a", 100, 2);
        let other = run.create("b", 100, 4);
        let block = run.alloc(64, 0);
        let (shared, snapshot) = (run.map(handle, 0), run.map(handle, 1));
        let (zero, one) = (U256::ZERO, U256::ONE);
        run.is_static = true;
        let changing = [
            (create("c", 1, 7, 0), 200),
            (create("c", 1, 7, 4), 200),
            (Operation::Alloc { size: one, class: zero }, 100),
            (Operation::Free { handle: block }, 50),
            (map(other, 0, 0, 0), 200),
            (map(other, 1, 0, 0), 200),
            (publish(snapshot), 100),
            (write(shared, 0, 1), 100),
            (write(shared, 0, 0), 100),
            (write(snapshot, 0, 1), 100),
            (copy(shared, 0, 1, 1), 100),
            (Operation::Grow { handle, size: word(200_u64) }, 100),
            (grant(handle, 2, 1), 200),
            (Operation::Destroy { handle: other }, 200),
        ];
        for (operation, gas) in changing {
            assert_eq!(run.ask(operation.clone()), Err(Fault::Static { gas }), "{operation:?}");
        }
        let looking = [
            open(1, "a"),
            map(other, 2, 0, 0),
            map(other, 3, 0, 0),
            read(shared, 0, 1),
            Operation::ReadPadded { mapping: word(shared), offset: zero, len: one },
            Operation::Info { handle },
            Operation::Exec { handle, offset: zero, len: one, limit: 9 },
            Operation::Unmap { mapping: word(shared) },
        ];
        for operation in looking {
            run.ask(operation).unwrap();
        }
    }
}

#[test]
fn denied_access_is_counted_and_told_to_the_audit_at_paranoid() {
    for level in LEVELS {
        let mut run = at(level);
        let handle = run.create_with("a", 100, 1, 4);
        let other = run.create("b", 100, 4);
        run.actor = address(2);
        let map_denied = run.ask(map(handle, 0, 0, 0));
        let destroy_denied = run.ask(Operation::Destroy { handle: other });
        let denials = u64::from(map_denied.is_err()) + u64::from(destroy_denied.is_err());
        // Not a denial.
        run.ask(Operation::Unmap { mapping: word(9_u64) }).unwrap_err();
        let effects = run.next();
        assert_eq!(effects.usage.denied, denials, "{level:?}");
        if level < SecurityLevel::Paranoid {
            assert!(effects.denied.is_empty());
            continue;
        }
        let told: Vec<_> =
            effects.denied.iter().map(|event| (event.operation, event.actor)).collect();
        let bob = address(2);
        assert_eq!(told, [(OperationKind::Map, bob), (OperationKind::Destroy, bob)]);
        let error = ChangeError::NotOwner { actor: bob };
        assert_eq!(effects.denied[1].error, error.into());
    }
}
