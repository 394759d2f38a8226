//! What runs out of gas, at each step of its price, has changed nothing; and the order of checks.

use chorus::region::{
    Permissions,
    config::ChainConfig,
    error::{AllocError, ChangeError, CreateError, LookupError, MapError, RegionError},
    handle::Handle,
    operation::{Fault, Operation},
};
use ruint::aliases::U256;

use crate::{
    region_run::{
        PLENTY, Run, address, chain, copy, create, grant, map, name, open, publish, read,
        read_padded, word, write,
    },
    region_world::MapWorld,
};

/// A transaction with a region of the world, one of its own with a shared mapping and a snapshot
/// that has written, and a block.
struct Scene {
    run: Run,
    state: Handle,
    own: Handle,
    block: Handle,
}

/// Ordinals of mappings.
const OWN: u64 = 1;
const SNAPSHOT: u64 = 2;
const STATE: u64 = 3;

fn scene() -> Scene {
    let mut run = Run::start();
    let state = run.create("state", 8192, 6);
    let mapping = run.map(state, 0);
    run.write(mapping, 0, &[1; 64]);
    run.next();
    let own = run.create("own", 8192, 0);
    let block = run.alloc(64, 0);
    run.map(own, 0);
    run.map(state, 1);
    run.write(SNAPSHOT, 4090, &[2; 10]);
    run.map(state, 0);
    Scene { run, state, own, block }
}

/// Every operation, with the sums up to each step of its price.
fn prices(scene: &Scene) -> Vec<(Operation, Vec<u64>)> {
    let Scene { state, own, block, .. } = *scene;
    let cold = Handle(state.0).id().at(1);
    assert_eq!(cold, state);
    let one = U256::ONE;
    // Memory: the block's two words and the snapshot's two pages are there already.
    let words = |words: u64| 3 * words + words * words / 512;
    let pages = |count: u64| words(2 + 256 + 128 * count) - words(2 + 256);
    let alloc = words(2 + 256 + 2) - words(2 + 256);
    let sums = |steps: &[u64]| -> Vec<u64> {
        steps
            .iter()
            .scan(0, |sum, step| {
                *sum += step;
                Some(*sum)
            })
            .collect()
    };
    vec![
        (Operation::Alloc { size: one, class: U256::ZERO }, sums(&[100, alloc])),
        (Operation::Free { handle: block }, sums(&[50])),
        (create("new", 1, 7, 0), sums(&[200, 2600])),
        (create("new", 1, 7, 4), sums(&[200, 2600, 32_000])),
        (open(1, "new"), sums(&[100, 2600])),
        (map(own, 2, 0, 0), sums(&[200])),
        (Operation::Unmap { mapping: word(OWN) }, sums(&[50])),
        (publish(SNAPSHOT), sums(&[100, 3 * 2, pages(2), 819_200 + 2900])),
        (read(OWN, 0, 64), sums(&[50, 6, 100])),
        (read_padded(OWN, 0, 64), sums(&[50, 6, 100])),
        (write(OWN, 4095, 2), sums(&[100, 3, 200, pages(2)])),
        (write(SNAPSHOT, 0, 2), sums(&[100, 3])),
        (write(STATE, 8192, 32), sums(&[100, 3, 2100, pages(1), 819_200])),
        (write(STATE, 0, 32), sums(&[100, 3, pages(1), 2900])),
        (copy(OWN, 0, 4096, 32), sums(&[100, 3, 200, pages(1)])),
        (Operation::Grow { handle: own, size: word(9000_u64) }, sums(&[100])),
        (grant(state, 2, 1), sums(&[200, 20_000])),
        (Operation::Destroy { handle: block }, sums(&[200])),
        (Operation::Info { handle: own }, sums(&[50])),
        (
            Operation::Exec { handle: own, offset: U256::ZERO, len: word(64_u64), limit: 64 },
            sums(&[100, 6 + 16, 100]),
        ),
    ]
}

/// Everything of a scene that can be seen.
fn look(scene: &mut Scene) -> Vec<String> {
    let run = &mut scene.run;
    run.gas = PLENTY;
    run.session.checkpoint(false);
    let mut seen = Vec::new();
    for handle in [scene.state, scene.own, scene.block] {
        seen.push(format!("{:?}", run.ask(Operation::Info { handle })));
        seen.push(format!("{:?}", run.ask(Operation::Destroy { handle })));
    }
    for mapping in 1..6 {
        seen.push(format!("{:?}", run.ask(read(mapping, 0, 8192))));
    }
    seen.push(format!("{:?}", run.ask(open(1, "new"))));
    seen.push(format!("{:?}", run.ask(Operation::Alloc { size: U256::ONE, class: U256::ZERO })));
    run.session.revert();
    seen
}

#[test]
fn gas_that_is_exactly_enough_is_enough_and_one_less_is_not() {
    for at in 0..prices(&scene()).len() {
        let (operation, steps) = prices(&scene()).swap_remove(at);
        let total = *steps.last().unwrap();
        for step in steps {
            let mut scene = scene();
            let before = look(&mut scene);
            scene.run.gas = step - 1;
            let result = scene.run.try_ask(&operation);
            assert_eq!(result, Err(Fault::OutOfGas), "{operation:?} with {}", step - 1);
            assert_eq!(look(&mut scene), before, "{operation:?} with {}", step - 1);
        }
        let mut scene = scene();
        scene.run.gas = total;
        assert_eq!(scene.run.try_ask(&operation), Ok(total), "{operation:?}");
    }
}

impl Run {
    fn try_ask(&mut self, operation: &Operation) -> Result<u64, Fault> {
        let call = self.call_in(self.session.depth());
        self.ask_as(call, operation, &[9; 100]).map(|done| done.gas)
    }
}

#[test]
fn an_operation_of_more_gas_than_there_can_be_is_refused() {
    let mut run = Run::start();
    let handle = run.create("a", 100, 0);
    let mapping = run.map(handle, 0);
    run.gas = u64::MAX;
    for len in [U256::ONE << 68, U256::MAX] {
        let read = Operation::Read { mapping: word(mapping), offset: U256::ZERO, len };
        assert_eq!(run.ask(read), Err(Fault::OutOfGas));
    }
}

#[test]
fn no_page_is_asked_for_that_could_not_be_paid() {
    let mut run = Run::start();
    let handle = run.create("a", 64 << 20, 4);
    run.next();
    let mapping = run.map(handle, 0);
    let asked = run.world.asked;
    run.gas = 7_000_000;
    assert_eq!(run.ask(read(mapping, 0, 64 << 20)), Err(Fault::OutOfGas));
    assert_eq!(run.world.asked, asked);
}

/// Base gas, malformed operands, static rule, lookup gas, handle, generation, rights, mapping, bounds,
/// limits, remaining gas: each before all that come later.
#[test]
fn the_first_check_that_fails_is_the_result() {
    let mut run = Run::start();
    let handle = run.create_with("a", 100, 1, 4);
    let stale = run.create("b", 1, 4);
    run.destroy(stale);
    run.next();
    let bad = |handle| Operation::Map {
        handle,
        options: word(16_u64),
        offset: word(100_u64),
        size: U256::ZERO,
    };
    let far = |handle, options: u64| map(handle, options, 100, 0);
    let fault = |run: &mut Run, gas: u64, operation: Operation| {
        run.gas = gas;
        run.ask(operation).unwrap_err()
    };
    let failed = |error: MapError, gas: u64| Fault::Failed { error: error.into(), gas };
    let invalid = stale.id().at(9);
    run.actor = address(2);
    run.is_static = true;
    assert_eq!(fault(&mut run, 199, bad(invalid)), Fault::OutOfGas);
    let option = MapError::InvalidOption { option: word(16_u64) };
    assert_eq!(fault(&mut run, 200, bad(invalid)), failed(option, 200));
    assert_eq!(fault(&mut run, 200, far(invalid, 0)), Fault::Static { gas: 200 });
    run.is_static = false;
    assert_eq!(fault(&mut run, 2799, far(invalid, 0)), Fault::OutOfGas);
    let error = MapError::Lookup(LookupError::InvalidHandle { handle: invalid });
    assert_eq!(fault(&mut run, 2800, far(invalid, 0)), failed(error, 2800));
    let error = MapError::Lookup(LookupError::StaleHandle { handle: stale });
    assert_eq!(fault(&mut run, 2800, far(stale, 0)), failed(error, 2800));
    let (actor, needed) = (address(2), Permissions::READ);
    let denied = MapError::PermissionDenied { actor, needed };
    assert_eq!(fault(&mut run, 2800, far(handle, 2)), failed(denied, 2800));
    run.actor = address(1);
    let (offset, len) = (word(100_u64), U256::ZERO);
    let error = MapError::OutOfBounds { offset, len, size: 100 };
    assert_eq!(fault(&mut run, 2800, far(handle, 2)), failed(error, 2800));
}

#[test]
fn create_checks_operands_then_the_static_rule_then_the_name_then_limits() {
    let config = ChainConfig { max_shared_regions: 1, max_region_size: 100, ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    let handle = run.create("a", 1, 4);
    let failed = |error: CreateError, gas: u64| Err(Fault::Failed { error: error.into(), gas });
    let with = |text: &str, size: u64, permissions: u64, options: u64| Operation::Create {
        name: if text.is_empty() { [0; 32] } else { name(text) },
        size: word(size),
        permissions: word(permissions),
        options: word(options),
    };
    run.is_static = true;
    run.gas = 200;
    assert_eq!(run.ask(with("", 0, 8, 32)), failed(CreateError::NameInvalid, 200));
    assert_eq!(run.ask(with("a", 0, 8, 32)), failed(CreateError::ZeroSize, 200));
    let eight = CreateError::InvalidOption { option: word(8_u64) };
    assert_eq!(run.ask(with("a", 101, 8, 32)), failed(eight, 200));
    let bits = CreateError::InvalidOption { option: word(32_u64) };
    assert_eq!(run.ask(with("a", 101, 7, 32)), failed(bits, 200));
    assert_eq!(run.ask(with("a", 101, 7, 4)), Err(Fault::Static { gas: 200 }));
    run.is_static = false;
    let exists = CreateError::RegionExists { handle };
    assert_eq!(run.ask(with("a", 101, 7, 4)), failed(exists, 200));
    assert_eq!(run.ask(with("b", 101, 7, 4)), Err(Fault::OutOfGas));
    run.gas = 2800;
    let large = CreateError::RegionTooLarge { size: word(101_u64), max: 100 };
    assert_eq!(run.ask(with("b", 101, 7, 4)), failed(large, 2800));
    let many = CreateError::TooManyRegions { max: 1 };
    assert_eq!(run.ask(with("b", 100, 7, 4)), failed(many, 2800));
}

#[test]
fn whoever_may_not_is_told_so_before_what_is_wrong_besides() {
    let config = ChainConfig { pool_blocks: [0; 4], ..chain() };
    let mut run = Run::new(config, MapWorld::default());
    let handle = run.create("a", 100, 0);
    run.map(handle, 0);
    run.actor = address(2);
    let failed = |run: &mut Run, operation| -> RegionError { run.error(operation) };
    let not_owner = ChangeError::NotOwner { actor: address(2) };
    assert_eq!(failed(&mut run, Operation::Destroy { handle }), not_owner.into());
    let denied = ChangeError::PermissionDenied { actor: address(2), needed: Permissions::WRITE };
    let grow = Operation::Grow { handle, size: U256::ZERO };
    assert_eq!(failed(&mut run, grow), denied.into());
    let operation = Operation::Alloc { size: word(65_u64), class: U256::ZERO };
    let large = AllocError::RegionTooLarge { size: word(65_u64), max: 64 };
    assert_eq!(failed(&mut run, operation), large.into());
}
