//! How plans are drawn, and shrunk.

use proptest::{collection::vec, option, prelude::*, sample::select};
use revm::primitives::hardfork::SpecId;

use super::{
    AuthPlan, Case, Fault, Form, Plan, Pre, Price, Target, TxPlan, Who,
    programs::{init, leaf, program},
    who::{DELEGATED, PROXIES, SCRIPTS, SENDERS},
};

/// The forks that blocks are generated for.
pub(crate) const SPECS: [SpecId; 14] = [
    SpecId::FRONTIER,
    SpecId::HOMESTEAD,
    SpecId::TANGERINE,
    SpecId::SPURIOUS_DRAGON,
    SpecId::BYZANTIUM,
    SpecId::PETERSBURG,
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::MERGE,
    SpecId::SHANGHAI,
    SpecId::CANCUN,
    SpecId::PRAGUE,
    SpecId::OSAKA,
];

/// Blocks of one fork, of up to 60 transactions.
pub(crate) fn block(spec: SpecId) -> impl Strategy<Value = Case> {
    let surroundings = (
        vec((prop_oneof![4 => place(), 1 => destination()], pre()), 0..6),
        vec((destination(), prop_oneof![Just(0), 1..9u64]), 0..3),
        vec((destination(), 1..=6u8), 0..3),
        any::<bool>(),
    );
    // Most blocks have room for all; in a tight one the last transactions find none.
    let room = prop_oneof![5 => Just(110u8), 1 => 20..90u8];
    let base_fee = prop_oneof![Just(0u64), Just(7)];
    let transactions = vec(transaction(spec), 1..60);
    (beneficiary(), base_fee, room, transactions, surroundings).prop_map(
        move |(beneficiary, base_fee, room, transactions, surroundings)| {
            let (occupied, withdrawals, ommers, system) = surroundings;
            Case::from(Plan {
                spec,
                beneficiary,
                base_fee,
                room,
                occupied,
                transactions,
                withdrawals,
                ommers,
                system,
            })
        },
    )
}

fn sender() -> impl Strategy<Value = Who> {
    // Few enough that some send many transactions of a block, which makes nonce chains.
    prop_oneof![6 => (0..SENDERS).prop_map(Who::Eoa), 1 => (0..DELEGATED).prop_map(Who::Delegated)]
}

/// Where a contract is, or may come to be.
pub(super) fn place() -> impl Strategy<Value = Who> {
    prop_oneof![
        4 => (0..2u8, 0..2u8).prop_map(|(by, salt)| Who::Created2 { by, salt }),
        2 => (0..SCRIPTS, 1..4u8).prop_map(|(of, nonce)| Who::Child { of, nonce }),
        2 => (0..3u8, 0..3u8).prop_map(|(of, after)| Who::EoaChild { of, after }),
    ]
}

/// Whoever runs programs.
pub(super) fn runner() -> impl Strategy<Value = Who> {
    prop_oneof![
        6 => (0..SCRIPTS).prop_map(Who::Script),
        3 => (0..PROXIES).prop_map(Who::Proxy),
        2 => (0..DELEGATED).prop_map(Who::Delegated),
        3 => place(),
    ]
}

/// Anybody but the sender of everything and the precompiles.
fn destination() -> impl Strategy<Value = Who> {
    prop_oneof![
        3 => (0..SENDERS).prop_map(Who::Eoa),
        4 => runner(),
        3 => place(),
        2 => (0..2u8).prop_map(Who::Empty),
        2 => (0..3u8).prop_map(Who::Absent),
        1 => Just(Who::Precompile(3)),
    ]
}

/// Anybody at all.
pub(super) fn anybody() -> impl Strategy<Value = Who> {
    prop_oneof![
        8 => destination(),
        1 => (0..=0x12u8).prop_map(Who::Precompile),
        1 => (0..4u8).prop_map(Who::System),
        1 => Just(Who::Diver),
        2 => Just(Who::Last),
    ]
}

fn beneficiary() -> impl Strategy<Value = Who> {
    prop_oneof![3 => Just(Who::Absent(7)), 4 => destination()]
}

fn pre() -> impl Strategy<Value = Pre> {
    use Pre::*;
    select(vec![Empty, Balance, Nonce, Storage, StorageAndBalance, Contract])
}

fn transaction(spec: SpecId) -> impl Strategy<Value = TxPlan> {
    let gas_limit = prop_oneof![6 => 200_000..1_000_000u64, 1 => 21_000..80_000u64];
    let value = prop_oneof![3 => Just(0u16), 2 => 1..500u16];
    let price = prop_oneof![2 => Just(Price::Bare), 3 => (0..9u8).prop_map(Price::Tip)];
    let fault = prop_oneof![14 => Just(None), 1 => fault().prop_map(Some)];
    (sender(), target(spec), value, gas_limit, price, form(spec), fault).prop_map(
        |(sender, target, value, gas_limit, price, form, fault)| {
            // Only a legacy, access-list or fee-market transaction can create.
            let creates = matches!(target, Target::Create(_));
            let form = match form {
                Form::Blobs(_) | Form::Authorizations(_) if creates => Form::FeeMarket,
                form => form,
            };
            TxPlan { sender, target, value, gas_limit, price, form, fault }
        },
    )
}

fn target(spec: SpecId) -> impl Strategy<Value = Target> {
    prop_oneof![
        4 => anybody().prop_map(Target::Pay),
        14 => (runner(), program(spec)).prop_map(|(to, program)| Target::Run(to, program)),
        1 => (0..1_200u16).prop_map(Target::Dive),
        3 => init(spec, vec(leaf(spec), 0..4).boxed()).prop_map(Target::Create),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    use Fault::*;
    select(vec![
        NonceTooHigh,
        NonceTooLow,
        TooPoor,
        GasOverBlock,
        GasUnderIntrinsic,
        FreeOfCharge,
        SenderHasCode,
        ForeignChain,
        TooManyBlobs,
        UnknownForm,
    ])
}

fn form(spec: SpecId) -> BoxedStrategy<Form> {
    let since = |fork, weight| if spec.is_enabled_in(fork) { weight } else { 0 };
    one_that_exists![
        4 => Just(Form::Legacy),
        since(SpecId::BERLIN, 1) => vec(anybody(), 0..3).prop_map(Form::AccessList),
        since(SpecId::LONDON, 4) => Just(Form::FeeMarket),
        since(SpecId::CANCUN, 1) => (1..4u8).prop_map(Form::Blobs),
        since(SpecId::PRAGUE, 3) => vec(authorization(), 1..4).prop_map(Form::Authorizations),
    ]
    .boxed()
}

fn authorization() -> impl Strategy<Value = AuthPlan> {
    let authority = prop_oneof![
        3 => sender(),
        1 => (0..2u8).prop_map(Who::Absent),
        1 => (0..2u8).prop_map(Who::Empty),
        1 => destination(),
    ];
    let delegate = prop_oneof![3 => runner(), 1 => anybody()];
    let chain_id = prop_oneof![4 => 0..=1u8, 1 => Just(5u8)];
    let skew = prop_oneof![5 => Just(0u8), 1 => Just(1u8)];
    (option::weighted(0.95, authority), option::weighted(0.8, delegate), chain_id, skew).prop_map(
        |(authority, delegate, chain_id, skew)| AuthPlan { authority, delegate, chain_id, skew },
    )
}
