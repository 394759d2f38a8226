use chorus::region::{
    Permissions,
    config::ChainConfig,
    error::{AccessError, AllocError, ChangeError, ExecError, LookupError, MapError},
    handle::Handle,
    operation::Operation,
    rights::SecurityLevel,
    sidecar::{Sidecar, SidecarError},
};
use sha3::{Digest, Keccak256};

use crate::{
    region_run::{Run, address, chain, grant, map, publish, word},
    region_world::MapWorld,
};

fn data() -> Vec<u8> {
    (0..5000_u32).map(|at| (at % 250) as u8 + 1).collect()
}

fn with_sidecar(level: SecurityLevel) -> (Run, Handle) {
    let mut world = MapWorld::default();
    let handle = world.attach(&data());
    (Run::new(ChainConfig { security_level: level, ..chain() }, world), handle)
}

const LEVELS: [SecurityLevel; 4] =
    [SecurityLevel::None, SecurityLevel::Basic, SecurityLevel::Strict, SecurityLevel::Paranoid];

#[test]
fn a_sidecars_handle_is_its_content() {
    let hash = Keccak256::new().chain_update([2]).chain_update(5000_u64.to_be_bytes());
    let hash = hash.chain_update(data()).finalize();
    let mut expected = [0; 32];
    expected[..24].copy_from_slice(&hash[..24]);
    assert_eq!(Sidecar::new(&data()).unwrap().handle(), Handle(expected));
}

#[test]
fn everybody_can_read_a_sidecar() {
    for level in LEVELS {
        let (mut run, handle) = with_sidecar(level);
        run.actor = address(9);
        assert_eq!(run.info(handle), (5000, 1));
        let mapping = run.map(handle, 2);
        assert_eq!(run.read(mapping, 0, 6000), data());
        let window = run.window(handle, 2, 4090, 20);
        assert_eq!(run.read(window, 0, 20), data()[4090..4110]);
        let padded = crate::region_run::read_padded(mapping, 4999, 3);
        assert_eq!(run.ask(padded).unwrap().bytes, [data()[4999], 0, 0]);
    }
}

#[test]
fn nobody_can_change_a_sidecar_at_any_level() {
    for level in LEVELS {
        let (mut run, handle) = with_sidecar(level);
        let actor = run.actor;
        let needed = Permissions::WRITE;
        let denied = MapError::PermissionDenied { actor, needed };
        assert_eq!(run.error(map(handle, 0, 0, 0)), denied.into());
        let denied = ChangeError::PermissionDenied { actor, needed };
        assert_eq!(run.error(Operation::Grow { handle, size: word(6000_u64) }), denied.into());
        let denied = ChangeError::NotOwner { actor };
        assert_eq!(run.error(grant(handle, 2, 7)), denied.clone().into());
        assert_eq!(run.error(Operation::Destroy { handle }), denied.into());
        let error = AllocError::Lookup(LookupError::InvalidHandle { handle });
        assert_eq!(run.error(Operation::Free { handle }), error.into());
        let needed = Permissions::EXECUTE;
        let denied = ExecError::PermissionDenied { actor, needed };
        let exec = Operation::Exec { handle, offset: word(0_u64), len: word(1_u64), limit: 10 };
        assert_eq!(run.error(exec), denied.into());
    }
}

#[test]
fn a_snapshot_of_a_sidecar_can_be_written_and_not_published() {
    let (mut run, handle) = with_sidecar(SecurityLevel::None);
    let snapshot = run.map(handle, 1);
    run.write(snapshot, 1, &[0xFF]);
    assert_eq!(run.read(snapshot, 0, 3), [1, 0xFF, 3]);
    let denied = AccessError::PermissionDenied { actor: address(1), needed: Permissions::WRITE };
    assert_eq!(run.error(publish(snapshot)), denied.into());
    let shared = run.map(handle, 2);
    assert_eq!(run.read(shared, 0, 3), [1, 2, 3]);
    let effects = run.next();
    assert!(effects.meta_changes.is_empty() && effects.page_changes.is_empty());
}

#[test]
fn a_sidecar_resolves_only_where_it_is_attached() {
    let (mut run, handle) = with_sidecar(SecurityLevel::Strict);
    run.map(handle, 2);
    run.world.sidecars.clear();
    run.next();
    let error = MapError::Lookup(LookupError::InvalidHandle { handle });
    assert_eq!(run.error(map(handle, 2, 0, 0)), error.into());
}

#[test]
fn touching_a_sidecar_costs_what_touching_state_does() {
    let (mut run, handle) = with_sidecar(SecurityLevel::Strict);
    assert_eq!(run.price(map(handle, 2, 0, 0)), 200 + 2600);
    let mapping = run.map(handle, 2);
    let read = crate::region_run::read(mapping, 4000, 1000);
    assert_eq!(run.ask(read.clone()).unwrap().gas, 50 + 32 * 3 + 2 * 2100);
    assert_eq!(run.price(read), 50 + 32 * 3);
}

#[test]
fn sidecars_are_bounded_in_count_and_size() {
    assert!(matches!(Sidecar::new(&[]), Err(SidecarError::Empty)));
    let sidecars = [Sidecar::new(&[1]).unwrap(), Sidecar::new(&[1; 100]).unwrap()];
    assert_eq!(Sidecar::check(&sidecars, 2, 100), Ok(()));
    let many = SidecarError::TooMany { count: 2, max: 1 };
    assert_eq!(Sidecar::check(&sidecars, 1, 100), Err(many));
    let large = SidecarError::TooLarge { size: 100, max: 99 };
    assert_eq!(Sidecar::check(&sidecars, 2, 99), Err(large));
}
