//! How programs are drawn.

use proptest::{collection::vec, prelude::*};
use revm::primitives::hardfork::SpecId;

use super::{
    CallKind, Init, Op, Wei, Who,
    strategy::{anybody, place, runner},
    who::PROXIES,
};

fn wei() -> impl Strategy<Value = Wei> {
    prop_oneof![
        4 => Just(Wei::Exactly(0)),
        3 => (1..100u8).prop_map(Wei::Exactly),
        1 => Just(Wei::All),
        1 => Just(Wei::Dependent),
    ]
}

/// Programs for the script contract.
pub(super) fn program(spec: SpecId) -> BoxedStrategy<Vec<Op>> {
    let deep = leaf(spec).boxed().prop_recursive(4, 24, 5, move |inner| nested(spec, inner));
    let op = prop_oneof![2 => leaf(spec), 1 => deep];
    prop_oneof![5 => vec(op, 1..9), 2 => idiom(spec)].boxed()
}

/// Operations that hold no program.
pub(super) fn leaf(spec: SpecId) -> impl Strategy<Value = Op> {
    let since = |fork, weight| if spec.is_enabled_in(fork) { weight } else { 0 };
    // Few slots, so that programs meet in them.
    let slot = || 0..8u8;
    let reads = one_that_exists![
        4 => slot().prop_map(|slot| Op::Load { slot }),
        1 => Just(Op::LoadDependent),
        2 => anybody().prop_map(Op::Balance),
        1 => anybody().prop_map(Op::CodeSize),
        1 => anybody().prop_map(Op::CodeCopy),
        since(SpecId::PETERSBURG, 2) => anybody().prop_map(Op::CodeHash),
        since(SpecId::ISTANBUL, 1) => Just(Op::SelfBalance),
        2 => Just(Op::CoinbaseBalance),
        1 => Just(Op::Environment),
        1 => prop_oneof![0..4u8, Just(255)].prop_map(|back| Op::BlockHash { back }),
        1 => Just(Op::Gas),
        since(SpecId::CANCUN, 1) => (0..3u8).prop_map(|index| Op::BlobHash { index }),
        since(SpecId::CANCUN, 2) => slot().prop_map(|slot| Op::TransientLoad { slot }),
    ];
    let writes = one_that_exists![
        3 => (slot(), 0..4u8).prop_map(|(slot, value)| Op::Store { slot, value }),
        3 => slot().prop_map(|slot| Op::StoreAcc { slot }),
        3 => (slot(), 0..9u8).prop_map(|(slot, by)| Op::Increase { slot, by }),
        1 => (0..4u8).prop_map(|value| Op::StoreDependent { value }),
        2 => Just(Op::Log),
        since(SpecId::CANCUN, 2) => {
            (slot(), 0..4u8).prop_map(|(slot, value)| Op::TransientStore { slot, value })
        },
    ];
    let ends = one_that_exists![
        2 => anybody().prop_map(Op::SelfDestruct),
        since(SpecId::BYZANTIUM, 4) => Just(Op::Revert),
        1 => Just(Op::Invalid),
    ];
    prop_oneof![
        10 => reads,
        10 => writes,
        1 => ends,
        1 => (0..20u8).prop_map(|rounds| Op::Hash { rounds }),
    ]
}

/// Operations that hold a program.
fn nested(spec: SpecId, inner: BoxedStrategy<Op>) -> BoxedStrategy<Op> {
    let since = |fork, weight| if spec.is_enabled_in(fork) { weight } else { 0 };
    let kind = one_that_exists![
        6 => Just(CallKind::Call),
        1 => Just(CallKind::Code),
        since(SpecId::HOMESTEAD, 2) => Just(CallKind::Delegate),
        since(SpecId::BYZANTIUM, 1) => Just(CallKind::Static),
    ];
    // All the gas there is can be asked for since the rule of the 64th part; before it, half.
    let gas = one_that_exists![
        4 => Just(0u8),
        2 => 1..60u8,
        since(SpecId::TANGERINE, 2) => Just(0xffu8),
    ];
    let callee = prop_oneof![3 => runner(), 2 => anybody()];
    let inner = vec(inner, 0..5).boxed();
    let created = init(spec, inner.clone());
    one_that_exists![
        6 => (callee, kind, gas, wei(), inner.clone()).prop_map(|(to, kind, gas, value, program)| {
            Op::Call { to, kind, gas, value, program }
        }),
        1 => inner.prop_map(Op::IfOdd),
        2 => (wei(), created.clone()).prop_map(|(value, init)| Op::Create { value, init }),
        since(SpecId::PETERSBURG, 3) => {
            (wei(), 0..2u8, created).prop_map(|(value, salt, init)| {
                Op::Create2 { value, salt, init }
            })
        },
    ]
    .boxed()
}

/// What to create a contract with; some run a program in the constructor.
pub(super) fn init(spec: SpecId, program: BoxedStrategy<Vec<Op>>) -> BoxedStrategy<Init> {
    let since = |fork, weight| if spec.is_enabled_in(fork) { weight } else { 0 };
    one_that_exists![
        // One creation that is always the same, for addresses that are taken, left, taken again.
        8 => Just(Init::Proxy),
        2 => (0..8u8, 0..4u8).prop_map(|(slot, value)| Init::Storing { slot, value }),
        2 => program.prop_map(Init::Running),
        1 => Just(Init::Empty),
        2 => anybody().prop_map(Init::Doomed),
        1 => Just(Init::Failing),
        since(SpecId::LONDON, 1) => Just(Init::Reserved),
        since(SpecId::LONDON, 1) => Just(Init::Designator),
    ]
    .boxed()
}

fn call(to: Who, gas: u8, value: Wei, program: Vec<Op>) -> Op {
    Op::Call { to, kind: CallKind::Call, gas, value, program }
}

/// Sequences that chance would find too rarely.
fn idiom(spec: SpecId) -> BoxedStrategy<Vec<Op>> {
    let create2 = |value, salt| Op::Create2 { value, salt, init: Init::Proxy };
    let create = |value| Op::Create { value, init: Init::Proxy };
    let destroy = |who, heir| call(who, 0, Wei::Exactly(0), vec![Op::SelfDestruct(heir)]);
    let petersburg = u32::from(spec.is_enabled_in(SpecId::PETERSBURG));
    one_that_exists![
        // Created, written, and perhaps destroyed, in one go; afterwards still there to be read.
        2 => (wei(), anybody(), any::<bool>()).prop_map(move |(value, heir, leave)| {
            let write = call(Who::Last, 0, Wei::Exactly(3), vec![Op::Increase { slot: 1, by: 1 }]);
            let end = if leave { destroy(Who::Last, heir) } else { Op::Log };
            vec![create(value), write, end, Op::Balance(Who::Last), Op::CodeSize(Who::Last)]
        }),
        2 * petersburg => (wei(), 0..2u8).prop_map(move |(value, salt)| {
            vec![create2(value, salt), call(
                Who::Last,
                0,
                Wei::Exactly(1),
                vec![Op::Load { slot: 1 }, Op::Increase { slot: 1, by: 1 }, Op::Log],
            )]
        }),
        // Destroyed by a later transaction than it was created by.
        3 => (place(), anybody()).prop_map(move |(who, heir)| vec![destroy(who, heir)]),
        2 => ((0..PROXIES).prop_map(Who::Proxy), anybody())
            .prop_map(move |(who, heir)| vec![destroy(who, heir), Op::Balance(who)]),
        // The touch of a precompile that runs out of gas, in a call that fails as a whole.
        1 => any::<bool>().prop_map(|fails| {
            let touch = Op::Call {
                to: Who::Precompile(3),
                kind: CallKind::Call,
                gas: 0,
                value: Wei::Exactly(0),
                program: vec![Op::Log; 30],
            };
            let end = if fails { Op::Invalid } else { Op::Log };
            vec![call(Who::Proxy(1), 60, Wei::Exactly(0), vec![touch, end])]
        }),
        // Ether that goes out and comes back with the revert; a touch of an empty account too.
        2 => (anybody(), wei(), 0..2u8).prop_map(|(to, value, empty)| {
            let inner = vec![
                call(to, 0, value, vec![]),
                call(Who::Empty(empty), 0, Wei::Exactly(0), vec![]),
                Op::Store { slot: 2, value: 3 },
                Op::Invalid,
            ];
            vec![call(Who::Script(1), 60, Wei::Exactly(50), inner), Op::Balance(to)]
        }),
        // Emptied to the last wei.
        1 => (runner(), anybody()).prop_map(|(who, to)| {
            vec![call(who, 0, Wei::Exactly(0), vec![call(to, 0, Wei::All, vec![])])]
        }),
    ]
    .boxed()
}
