//! Calls that are none, calls with value, and the gas of calls that fail.

use alloy_primitives::{Address, Bytes, U256, keccak256};
use chorus::{
    evm::SpecId,
    region::{Handle, Operation},
};
use revm::{
    bytecode::opcode as op,
    context::result::{ExecutionResult, HaltReason, OutOfGasError},
};

use super::shared::{
    Code, Interface, Lab, Left, PRECOMPILE, Ran, Step, calldata,
    operation::{CONTRACT, alloc, create, grant, grow, map, open, publish, read, unmap},
    persistent, program, transient, word,
};

/// What a transaction that calls the precompile directly comes to.
fn direct(data: impl Into<Bytes>, value: u64) -> (Ran, ExecutionResult) {
    let mut lab = Lab::new();
    // Before calldata had a floor price (EIP-7623).
    lab.spec = SpecId::CANCUN;
    let at = lab.call_with(PRECOMPILE, data.into(), value);
    let ran = lab.run();
    let result = ran.executed(at).result.clone();
    (ran, result)
}

#[track_caller]
fn reverted(result: &ExecutionResult) -> &Bytes {
    match result {
        ExecutionResult::Revert { output, .. } => output,
        other => panic!("{other:?}"),
    }
}

fn selector(signature: &str) -> Vec<u8> {
    keccak256(signature)[..4].to_vec()
}

#[test]
fn a_transaction_can_call_it_directly() {
    let call = calldata(&Step::from(alloc(64, 0)));
    let (_, result) = direct(call.clone(), 0);
    assert!(result.is_success());
    assert_eq!(result.output().unwrap().len(), 32);
    // Base, calldata, and the operation with three words moved in and one out.
    let zeros = call.iter().filter(|byte| **byte == 0).count() as u64;
    let data = 4 * zeros + 16 * (call.len() as u64 - zeros);
    assert_eq!(result.tx_gas_used(), 21_000 + data + 106 + 3 * 3 + 3);
}

#[test]
fn what_is_no_call_of_the_interface_reverts_and_says_so() {
    let whole = calldata(&Step::from(alloc(64, 0)));
    let mut long = whole.clone();
    long.push(0);
    let cases: [Vec<u8>; 6] = [
        vec![],
        vec![1, 2, 3],
        selector("exec(uint256,bytes32,uint256,uint256)"),
        selector("alloc(uint256,uint8)"),
        whole[..whole.len() - 1].to_vec(),
        long,
    ];
    for call in cases {
        let (ran, result) = direct(call.clone(), 0);
        assert_eq!(reverted(&result), &selector("MalformedCall()"), "{call:?}");
        assert!(ran.diagnostics(0).is_empty());
    }
}

#[test]
fn value_is_refused_and_stays_where_it_was() {
    let call = calldata(&Step::from(create("a", 1, 4)));
    let (ran, result) = direct(call, 1);
    assert_eq!(reverted(&result), &selector("ValueRefused()"));
    assert!(ran.changes.regions.is_empty());
    assert!(ran.change(PRECOMPILE).is_none());
}

#[test]
fn value_that_a_delegatecall_only_shows_is_none() {
    let mut lab = Lab::new();
    let call = calldata(&Step::from(create("a", 1, 4)));
    let code = Code::new().data(&call, 0).call(op::DELEGATECALL, PRECOMPILE, call.len() as u64);
    lab.contract(CONTRACT, code.keep(0).bytes());
    let at = lab.call_with(CONTRACT, Bytes::new(), 5);
    let ran = lab.run();
    assert!(ran.succeeded(at));
    assert_eq!(ran.slot(CONTRACT, 0), word(1));
}

#[test]
fn a_failure_costs_what_was_charged_until_it_and_its_data() {
    let nothing = Handle([9; 32]);
    let own = transient(CONTRACT, "own", 1);
    let words = |count: u64| 3 * count;
    // Base, lookup; calldata of a selector and so many words; an error of a selector and so many.
    let cases: Vec<(Vec<Step>, u64)> = vec![
        (vec![alloc(0, 4).into()], 100 + words(3) + words(1)),
        (vec![create("own", 0, 0).into()], 200 + words(5) + words(1)),
        (vec![create("own", 1 << 40, 0).into()], 200 + 2_600 + words(5) + words(3)),
        (vec![map(nothing, 0).into()], 200 + 2_600 + words(5) + words(2)),
        (vec![map(nothing, 99).into()], 200 + words(5) + words(2)),
        (vec![unmap(1).into()], 50 + words(2) + words(2)),
        (vec![read(1, 0, 1 << 60).into()], 50 + words(4) + words(2)),
        (
            vec![create("own", 9, 0).into(), map(own, 0).into(), read(1, 9, 1).into()],
            50 + words(4) + words(4),
        ),
        (vec![Step::write(1, 0, &[1; 100])], 100 + words(9) + words(2)),
    ];
    for (steps, expected) in cases {
        let mut lab = Lab::new();
        let code = program(&lab.config, Interface::Precompile, &steps);
        lab.contract(CONTRACT, code.bytes());
        lab.call(CONTRACT);
        let ran = lab.run();
        let last = steps.len() - 1;
        let left = Left::of(&ran, CONTRACT, Interface::Precompile, &steps[last], last);
        assert!(!left.success);
        assert_eq!(left.gas, expected, "{steps:?}");
    }
}

#[test]
fn a_static_call_reverts_at_what_changes_something() {
    let region = persistent(CONTRACT, "p", 1);
    let mut lab = Lab::new();
    let code = program(&lab.config, Interface::Precompile, &[create("p", 100, 4).into()]);
    lab.contract(CONTRACT, code.bytes());
    lab.call(CONTRACT);
    lab.advance();
    let cases: Vec<(Step, bool)> = vec![
        (open(CONTRACT, "p").into(), true),
        (map(region, 2).into(), true),
        (map(region, 3).into(), true),
        (Operation::Info { handle: region }.into(), true),
        (map(region, 0).into(), false),
        (alloc(1, 0).into(), false),
        (create("q", 1, 0).into(), false),
        (Operation::Free { handle: region }.into(), false),
        (publish(1).into(), false),
        (Step::write(1, 0, b""), false),
        (grow(region, 200).into(), false),
        (grant(region, CONTRACT, 1).into(), false),
        (Operation::Destroy { handle: region }.into(), false),
    ];
    for (step, allowed) in cases {
        let call = calldata(&step);
        let code = Code::new().data(&call, 0).call(op::STATICCALL, PRECOMPILE, call.len() as u64);
        let code = code.keep(0).ops(&[op::RETURNDATASIZE]).push(0).push(0);
        let code = code.ops(&[op::RETURNDATACOPY]).push(0).ops(&[op::MLOAD]).keep(1);
        lab.contract(CONTRACT, code.bytes());
        let at = lab.call(CONTRACT);
        let ran = lab.run();
        assert!(ran.succeeded(at) && ran.diagnostics(at).is_empty(), "{step:?}");
        assert_eq!(ran.slot(CONTRACT, 0), word(u64::from(allowed)), "{step:?}");
        if !allowed {
            let error = ran.slot(CONTRACT, 1).to_be_bytes::<32>()[..4].to_vec();
            assert_eq!(error, selector("StaticViolation()"), "{step:?}");
        }
    }
}

#[test]
fn whatever_gas_is_short_of_a_call_takes_it_all_and_leaves_nothing() {
    const CALLER: Address = Address::repeat_byte(0xca);
    let call = calldata(&Step::from(create("a", 1, 4)));
    let needed = 200 + 2_600 + 32_000 + 3 * 5 + 3;
    let with = |gas: u64| {
        let mut lab = Lab::new();
        let code = Code::new().data(&call, 0).ops(&[op::GAS]);
        let code = code.call_with_gas(op::CALL, PRECOMPILE, call.len() as u64, gas);
        let code = code.ops(&[op::GAS]).keep(0).keep(1).keep(2);
        lab.contract(CALLER, code.ops(&[op::RETURNDATASIZE]).keep(3).bytes());
        lab.call(CALLER);
        let ran = lab.run();
        let worked = ran.slot(CALLER, 1) == word(1);
        if !worked {
            assert!(ran.changes.regions.is_empty());
            assert_eq!(ran.slot(CALLER, 3), U256::ZERO, "out of gas has no data");
            let used = ran.slot(CALLER, 2) - ran.slot(CALLER, 0);
            assert_eq!(used, word(gas + 7 * 3 + 100 + 2));
        }
        worked
    };
    assert!(with(needed));
    for gas in [0, 1, 14, 15, 16, 214, 215, 2_814, 2_815, 20_000, needed - 3, needed - 1] {
        assert!(!with(gas), "{gas}");
    }
}

#[test]
fn a_transaction_that_runs_out_of_gas_in_it_halts() {
    let mut lab = Lab::new();
    let call = calldata(&Step::from(create("a", 1, 4)));
    let at = lab.call_with(PRECOMPILE, call.into(), 0);
    lab.limit(at, 30_000);
    let ran = lab.run();
    assert_eq!(ran.halt(at), Some(&HaltReason::OutOfGas(OutOfGasError::Precompile)));
}

#[test]
fn a_length_that_nobody_could_return_runs_out_of_gas() {
    let own = transient(CONTRACT, "own", 1);
    for len in [U256::MAX, U256::from(u64::MAX), word(1 << 40)] {
        let padded = Operation::ReadPadded { mapping: word(1), offset: word(0), len };
        let steps = [create("own", 9, 0).into(), map(own, 0).into(), padded.into()];
        let mut lab = Lab::new();
        let code = program(&lab.config, Interface::Precompile, &steps);
        lab.contract(CONTRACT, code.bytes());
        let at = lab.call(CONTRACT);
        let ran = lab.run();
        assert!(ran.succeeded(at));
        assert!(!Left::of(&ran, CONTRACT, Interface::Precompile, &steps[2], 2).success);
        assert_eq!(Left::returned(&ran, CONTRACT, 2), 0);
    }
}
