//! Are the generated blocks worth running? They must be mostly valid, reach the instructions that
//! matter, and fail in every way that a transaction can. Stock revm gives a second opinion on the
//! reference at the same time.
#![cfg(feature = "evm")]

#[path = "common/executor.rs"]
mod executor;
#[path = "common/generate/mod.rs"]
mod generate;
#[path = "common/stock.rs"]
mod stock;

use std::collections::BTreeMap;

use chorus::evm::{Invalid, InvalidPolicy, SpecId};
use executor::{Executor, sequential};
use generate::{Case, Plan, Pre, SPECS};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use revm::context::result::ExecutionResult;
use stock::{Instructions, verdict};

/// Blocks per fork.
const CASES: usize = 40;

/// What came of the transactions of many blocks.
#[derive(Default)]
struct Tally {
    transactions: usize,
    succeeded: usize,
    reverted: usize,
    halted: BTreeMap<String, usize>,
    skipped: BTreeMap<String, usize>,
    destroyed: usize,
    wiped_and_back: usize,
    /// Transactions that end otherwise if storage alone does not make a creation collide.
    against_stock: usize,
    instructions: BTreeMap<u8, u64>,
}

/// The same blocks in each run.
fn cases(spec: SpecId) -> impl Iterator<Item = Case> {
    let mut runner = TestRunner::deterministic();
    let strategy = generate::block(spec);
    (0..CASES).map(move |_| strategy.new_tree(&mut runner).expect("blocks are drawn").current())
}

/// The first word of a reason's debug form: its variant.
fn variant(reason: &impl std::fmt::Debug) -> String {
    let text = format!("{reason:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
}

fn tally(spec: SpecId) -> Tally {
    let mut tally = Tally::default();
    for case in cases(spec) {
        let outcome = sequential()
            .execute(&case.block, &case.store, InvalidPolicy::Skip)
            .unwrap_or_else(|error| panic!("{spec:?}: {error}\n{case:#?}"));
        for transaction in &outcome.transactions {
            tally.transactions += 1;
            match verdict(transaction) {
                Ok(ExecutionResult::Success { .. }) => tally.succeeded += 1,
                Ok(ExecutionResult::Revert { .. }) => tally.reverted += 1,
                Ok(ExecutionResult::Halt { reason, .. }) => {
                    *tally.halted.entry(variant(&reason)).or_default() += 1;
                }
                Err(Invalid::Transaction(reason)) => {
                    *tally.skipped.entry(variant(&reason)).or_default() += 1;
                }
                Err(reason) => *tally.skipped.entry(variant(&reason)).or_default() += 1,
            }
        }
        for (_, change) in &outcome.diff.accounts {
            tally.destroyed += usize::from(change.deleted);
            tally.wiped_and_back += usize::from(change.wiped && !change.deleted);
        }
        let mut instructions = Instructions([0; 256]);
        let stock = stock::run(&case.block, &case.store, &mut instructions);
        let verdicts = outcome.transactions.iter().map(verdict);
        tally.against_stock += stock.into_iter().zip(verdicts).filter(|(a, b)| a != b).count();
        for (code, count) in (0..=u8::MAX).zip(instructions.0).filter(|(_, count)| *count > 0) {
            *tally.instructions.entry(code).or_default() += count;
        }
    }
    tally
}

#[test]
fn generated_blocks_are_mostly_valid_and_reach_what_matters() {
    use revm::bytecode::opcode::*;
    const EVERYWHERE: &[u8] = &[
        BALANCE,
        EXTCODESIZE,
        EXTCODECOPY,
        BLOCKHASH,
        COINBASE,
        SLOAD,
        SSTORE,
        LOG1,
        CREATE,
        CALL,
        CALLCODE,
        SELFDESTRUCT,
        GAS,
        KECCAK256,
        INVALID,
    ];
    let later: &[(SpecId, &[u8])] = &[
        (SpecId::HOMESTEAD, &[DELEGATECALL]),
        (SpecId::BYZANTIUM, &[STATICCALL, REVERT]),
        (SpecId::PETERSBURG, &[CREATE2, EXTCODEHASH]),
        (SpecId::ISTANBUL, &[SELFBALANCE]),
        (SpecId::CANCUN, &[TLOAD, TSTORE, BLOBHASH]),
    ];
    let (mut collided, mut against_stock) = (0, 0);
    for spec in SPECS {
        let tally = tally(spec);
        let of_all = |n: usize| n * 100 / tally.transactions;
        let skipped = tally.skipped.values().sum::<usize>();
        println!(
            "{spec:?}: {} transactions: {} % succeed, {} % revert, {} % skipped; \
             {} accounts deleted, {} wiped and created again\n    halted {:?}\n    skipped {:?}",
            tally.transactions,
            of_all(tally.succeeded),
            of_all(tally.reverted),
            of_all(skipped),
            tally.destroyed,
            tally.wiped_and_back,
            tally.halted,
            tally.skipped,
        );
        assert!(of_all(skipped) < 40, "{spec:?}: most transactions are valid");
        assert!(of_all(tally.succeeded) > 30, "{spec:?}: many succeed");
        assert!(tally.skipped.len() >= 8, "{spec:?}: transactions are invalid in many ways");
        let due = later.iter().filter(|(fork, _)| spec.is_enabled_in(*fork));
        for code in due.flat_map(|(_, codes)| *codes).chain(EVERYWHERE) {
            let count = tally.instructions.get(code).copied().unwrap_or_default();
            let name = OpCode::new(*code).map_or("unknown", |opcode| opcode.as_str());
            assert!(count >= 5, "{spec:?}: {name} ran {count} times");
        }
        assert!(tally.destroyed > 0, "{spec:?}: accounts are deleted");
        collided += tally.halted.get("CreateCollision").copied().unwrap_or_default();
        against_stock += tally.against_stock;
    }
    println!("{collided} creation transactions collide; EIP-7610 decides {against_stock} results");
    assert!(collided > 0 && against_stock > 0);
}

/// Stock revm ignores EIP-7610, so the accounts that have nothing but storage are left out here.
#[test]
fn the_reference_agrees_with_stock_revm() {
    for spec in SPECS {
        for case in cases(spec) {
            let mut plan: Plan = case.plan;
            plan.occupied.retain(|(_, pre)| !matches!(pre, Pre::Storage | Pre::StorageAndBalance));
            let case = Case::from(plan);
            let outcome = sequential()
                .execute(&case.block, &case.store, InvalidPolicy::Skip)
                .unwrap_or_else(|error| panic!("{spec:?}: {error}\n{case:#?}"));
            let stock = stock::run(&case.block, &case.store, &mut Instructions([0; 256]));
            for (i, (expected, outcome)) in stock.iter().zip(&outcome.transactions).enumerate() {
                assert_eq!(*expected, verdict(outcome), "{spec:?}, transaction {i}\n{case:#?}");
            }
        }
    }
}
