//! Opcode and precompile agree, scenario by scenario.

use alloy_primitives::{Address, U256, keccak256};
use chorus::region::{Handle, Operation, config::SharedMemoryConfig};

use super::shared::{
    Interface, Lab, Left, Ran, Step, block, calldata, error_data, name,
    operation::{
        CONTRACT, alloc, copy, create, grant, grow, map, open, publish, read, read_padded, unmap,
    },
    persistent, program, transient, word,
};

const OTHER: Address = Address::repeat_byte(0x77);

/// Runs a scenario in a block, after another one that left state behind.
fn run(interface: Interface, steps: &[Step]) -> (Ran, usize) {
    let mut lab = Lab::new();
    let before: [Step; 4] = [
        create("state", 10_000, 4).into(),
        map(persistent(CONTRACT, "state", 1), 0).into(),
        Step::write(1, 100, b"from the block before"),
        grant(persistent(CONTRACT, "state", 1), OTHER, 3).into(),
    ];
    let code = program(&lab.config, Interface::Opcode, &before);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    lab.advance();
    let code = program(&lab.config, interface, steps);
    lab.contract(CONTRACT, code.bytes());
    let at = lab.call(CONTRACT);
    (lab.run(), at)
}

/// Gas of moving so many bytes through a call.
fn moved(bytes: usize) -> u64 {
    3 * (bytes as u64).div_ceil(32)
}

fn scenarios() -> Vec<Vec<Step>> {
    let own = transient(CONTRACT, "own", 1);
    let state = persistent(CONTRACT, "state", 1);
    let made = || create("own", 9_000, 0).into();
    vec![
        vec![made(), Operation::Info { handle: own }.into(), grow(own, 9_001).into()],
        vec![create("p", 5, 4).into(), create("p", 5, 0).into(), open(CONTRACT, "p").into()],
        vec![open(CONTRACT, "state").into(), open(OTHER, "state").into(), open(OTHER, "x").into()],
        vec![
            made(),
            map(own, 0).into(),
            Step::write(1, 0, b"some bytes"),
            Step::write(1, 4090, &[7; 12]),
            Step::write(1, 8_990, &[8; 40]),
            Step::write(1, 1, b""),
            read(1, 0, 10).into(),
            read(1, 4_080, 33).into(),
            read(1, 8_999, 500).into(),
            read(1, 5, 0).into(),
            read_padded(1, 8_999, 70).into(),
            read_padded(1, 1 << 50, 3).into(),
            read_padded(1, 0, 0).into(),
            copy(1, 3, 0, 10).into(),
            read(1, 0, 32).into(),
            unmap(1).into(),
        ],
        vec![
            map(state, 0).into(),
            read(1, 96, 64).into(),
            Step::write(1, 64, &[1; 64]),
            Step::write(1, 5_000, &[2; 64]),
            grant(state, OTHER, 0).into(),
            grant(state, CONTRACT, 1).into(),
            grow(state, 20_000).into(),
            read(1, 5_000, 3).into(),
        ],
        vec![
            map(state, 1).into(),
            map(state, 2).into(),
            Step::write(1, 100, b"FROM"),
            read(2, 100, 8).into(),
            publish(1).into(),
            read(2, 100, 8).into(),
        ],
        vec![
            alloc(100, 4).into(),
            alloc(64, 0).into(),
            map(block(CONTRACT, 1), 0).into(),
            Step::write(1, 0, &[5; 100]),
            read(1, 50, 32).into(),
            unmap(1).into(),
            Operation::Free { handle: block(CONTRACT, 1) }.into(),
        ],
        vec![Operation::Destroy { handle: state }.into(), create("state", 77, 4).into()],
        vec![create("auto", 10, 2).into(), map(transient(CONTRACT, "auto", 1), 0).into(), {
            Step::write(1, 100, b"beyond the end")
        }],
    ]
}

#[test]
fn results_state_and_gas_are_the_same_apart_from_moving_the_data() {
    for steps in scenarios() {
        let (by_opcode, at) = run(Interface::Opcode, &steps);
        assert!(by_opcode.succeeded(at), "{steps:?}: {:?}", by_opcode.diagnostics(at));
        let (by_call, at) = run(Interface::Precompile, &steps);
        assert!(by_call.succeeded(at), "{steps:?}");
        for (at, step) in steps.iter().enumerate() {
            let opcode = Left::of(&by_opcode, CONTRACT, Interface::Opcode, step, at);
            let call = Left::of(&by_call, CONTRACT, Interface::Precompile, step, at);
            assert!(call.success, "{step:?}");
            assert_eq!(opcode.hash, call.hash, "{step:?}");
            // A padded read has no result on the stack: its length is what was asked for.
            assert_eq!(opcode.results, call.results, "{step:?}");
            let returned = Left::returned(&by_call, CONTRACT, at) as usize;
            let extra = moved(calldata(step).len()) + moved(returned);
            assert_eq!(opcode.gas + extra, call.gas, "{step:?}");
        }
        assert_eq!(by_opcode.changes, by_call.changes, "{steps:?}");
    }
}

fn failures() -> Vec<Vec<Step>> {
    let own = transient(CONTRACT, "own", 1);
    let state = persistent(CONTRACT, "state", 1);
    let made = || create("own", 100, 0).into();
    let mapped = || map(own, 0).into();
    let high = U256::ONE << 64;
    let nothing = Handle([9; 32]);
    let create_of = |size: U256, permissions: U256, options: U256| Operation::Create {
        name: name("own"),
        size,
        permissions,
        options,
    };
    let map_of = |options: U256, offset: U256, size: U256| Operation::Map {
        handle: own,
        options,
        offset,
        size,
    };
    vec![
        vec![create("own", 0, 0).into()],
        vec![create("own", (64 << 20) + 1, 0).into()],
        vec![create_of(high, word(7), word(0)).into()],
        vec![create_of(word(1), word(8), word(0)).into()],
        vec![create_of(word(1), word(7), word(256 + 4)).into()],
        vec![create_of(word(1), word(7), word(24)).into()],
        vec![
            Operation::Create {
                name: [0; 32],
                size: word(1),
                permissions: word(1),
                options: word(0),
            }
            .into(),
        ],
        vec![made(), made()],
        vec![create("state", 10, 4).into()],
        vec![alloc(0, 4).into()],
        vec![alloc(65, 0).into()],
        vec![alloc(64, 5).into()],
        vec![Operation::Alloc { size: high, class: word(4) }.into()],
        vec![Operation::Free { handle: state }.into()],
        vec![Operation::Free { handle: nothing }.into()],
        vec![map(nothing, 0).into()],
        vec![map(persistent(CONTRACT, "state", 2), 0).into()],
        vec![made(), map(own, 16).into()],
        vec![made(), map_of(high, word(0), word(0)).into()],
        vec![made(), map_of(word(0), word(50), word(51)).into()],
        vec![made(), map_of(word(0), U256::MAX, U256::MAX).into()],
        vec![made(), mapped(), mapped()],
        vec![unmap(0).into()],
        vec![made(), mapped(), unmap(1).into(), unmap(1).into()],
        vec![made(), mapped(), publish(1).into()],
        vec![publish(3).into()],
        vec![read(1, 0, 0).into()],
        vec![made(), mapped(), read(1, 100, 1).into()],
        vec![
            made(),
            mapped(),
            Operation::Read { mapping: word(1), offset: high, len: word(1) }.into(),
        ],
        vec![read_padded(1, 0, 1).into()],
        vec![Step::write(1, 0, b"x")],
        vec![made(), map(own, 2).into(), Step::write(1, 0, b"x")],
        vec![made(), mapped(), Step::write(1, 100, b"x")],
        vec![made(), mapped(), copy(1, 0, 99, 2).into()],
        vec![made(), mapped(), copy(1, 99, 0, 2).into()],
        vec![made(), grow(own, 99).into()],
        vec![made(), grow(own, (64 << 20) + 1).into()],
        vec![grow(nothing, 1).into()],
        vec![made(), grant(own, OTHER, 8).into()],
        vec![
            made(),
            Operation::Grant { handle: own, address: U256::MAX, permissions: word(1) }.into(),
        ],
        vec![made(), mapped(), Operation::Destroy { handle: own }.into()],
        vec![
            made(),
            Operation::Destroy { handle: own }.into(),
            Operation::Info { handle: own }.into(),
        ],
        vec![Operation::Info { handle: nothing }.into()],
    ]
}

#[test]
fn errors_are_the_same_as_typed_values_and_as_solidity_sees_them() {
    for steps in failures() {
        let (by_opcode, at) = run(Interface::Opcode, &steps);
        assert!(by_opcode.halt(at).is_some(), "{steps:?}");
        let [expected] = by_opcode.diagnostics(at) else { panic!("{steps:?}") };
        let (by_call, at) = run(Interface::Precompile, &steps);
        assert!(by_call.succeeded(at), "the caller goes on: {steps:?}");
        assert_eq!(by_call.diagnostics(at), std::slice::from_ref(expected), "{steps:?}");
        let last = steps.len() - 1;
        let left = Left::of(&by_call, CONTRACT, Interface::Precompile, &steps[last], last);
        let data = error_data(&expected.error);
        assert!(!left.success, "{steps:?}");
        assert_eq!(left.hash, U256::from_be_bytes(keccak256(&data).0), "{steps:?}");
        assert_eq!(Left::returned(&by_call, CONTRACT, last), data.len() as u64);
    }
}

#[test]
fn a_chain_without_copy_on_write_refuses_it_on_both_ways() {
    let mut config = SharedMemoryConfig::production().chain;
    config.enable_copy_on_write = false;
    for interface in [Interface::Opcode, Interface::Precompile] {
        let mut lab = Lab::with(config.clone());
        let steps = [create("own", 1, 1).into()];
        let code = program(&lab.config, interface, &steps);
        lab.contract(CONTRACT, code.bytes());
        let at = lab.call(CONTRACT);
        assert_eq!(lab.run().diagnostics(at)[0].error.reason().name(), "InvalidOption");
    }
}

#[test]
fn opcodes_and_calls_of_one_frame_share_its_mappings_and_regions() {
    // A mapping made by a call is read by an opcode, and the other way round.
    let own = transient(CONTRACT, "own", 1);
    let steps: Vec<Step> = vec![
        create("own", 100, 0).into(),
        map(own, 0).into(),
        Step::write(1, 0, b"shared"),
        read(1, 0, 6).into(),
        map(own, 2).into(),
        read(2, 0, 6).into(),
    ];
    let orders = [[true, false, true, false, true, false], [false, true, false, true, false, true]];
    for order in orders {
        let mut lab = Lab::new();
        let code = super::shared::mixed(&lab.config, &steps, &order);
        lab.contract(CONTRACT, code.bytes());
        let at = lab.call(CONTRACT);
        let ran = lab.run();
        assert!(ran.succeeded(at), "{:?}", ran.diagnostics(at));
        for read in [3, 5] {
            let by = if order[read] { Interface::Opcode } else { Interface::Precompile };
            let left = Left::of(&ran, CONTRACT, by, &steps[read], read);
            assert!(left.success);
            assert_eq!(left.hash, U256::from_be_bytes(keccak256(b"shared").0));
        }
    }
}
