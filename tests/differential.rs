//! Generated blocks of all forks, run by different executors that must agree in everything.
#![cfg(feature = "evm")]

#[path = "common/executor.rs"]
mod executor;
#[path = "common/generate/mod.rs"]
mod generate;

use std::cell::RefCell;

use chorus::evm::{BlockError, InvalidPolicy, SpecId};
use executor::{Executor, Parallel, difference, sequential};
use generate::{Case, Form, Plan, Price, Target, TxPlan, Who};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{FileFailurePersistence, TestRunner},
};

/// Blocks per fork.
const CASES: u32 = 48;

/// The executors that must agree with the reference.
fn candidates() -> Vec<Box<dyn Executor>> {
    let whole = [(1, 4), (2, 256), (4, 16), (8, 256)];
    let parts = [(0, 1), (1, 2), (2, 4), (3, 9)];
    let whole = whole.map(|(threads, window)| Parallel::new(threads, window));
    let parts = parts.map(|(head, end)| Parallel::in_parts(2, 16, head, end));
    whole.into_iter().chain(parts).map(|candidate| Box::new(candidate) as _).collect()
}

/// Runs the block on every candidate, under both policies.
fn check(case: &Case, candidates: &mut [Box<dyn Executor>]) -> Result<(), TestCaseError> {
    for policy in [InvalidPolicy::Skip, InvalidPolicy::Fail] {
        let expected = sequential().execute(&case.block, &case.store, policy);
        for candidate in candidates.iter_mut() {
            let actual = candidate.execute(&case.block, &case.store, policy);
            if let Some(difference) = difference(&expected, &actual) {
                let name = candidate.name();
                let message = format!("{name}, invalid transactions {policy:?}: {difference}");
                return Err(TestCaseError::fail(message));
            }
        }
    }
    Ok(())
}

/// The number of blocks is [`CASES`], or what `PROPTEST_CASES` says. What fails is shrunk, printed
/// as a plan, and remembered beside this file for the next run.
fn agree(spec: SpecId) {
    let mut config = ProptestConfig {
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 20_000,
        max_shrink_time: 40_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let candidates = RefCell::new(candidates());
    TestRunner::new(config)
        .run(&generate::block(spec), |case| check(&case, &mut candidates.borrow_mut()))
        .unwrap_or_else(|failure| panic!("{spec:?}: {failure}"));
}

/// One test per fork, so that they run side by side and fail apart.
macro_rules! executors_agree_on {
    ($($name:ident: $spec:ident,)+) => {
        mod executors_agree_on_generated_blocks_of {
            use super::{SpecId, agree};
            $(
                #[test]
                fn $name() {
                    agree(SpecId::$spec);
                }
            )+
        }

        #[test]
        fn every_fork_has_its_test() {
            assert_eq!(generate::SPECS[..], [$(SpecId::$spec),+]);
        }
    };
}

executors_agree_on! {
    frontier: FRONTIER,
    homestead: HOMESTEAD,
    tangerine: TANGERINE,
    spurious_dragon: SPURIOUS_DRAGON,
    byzantium: BYZANTIUM,
    petersburg: PETERSBURG,
    istanbul: ISTANBUL,
    berlin: BERLIN,
    london: LONDON,
    merge: MERGE,
    shanghai: SHANGHAI,
    cancun: CANCUN,
    prague: PRAGUE,
    osaka: OSAKA,
}

/// A transaction that is left out in the end had created an empty account (Homestead), which a later
/// one then saw and touched. revm takes such a touch back, and the later one was once committed
/// without having noted that the account must exist for that.
#[test]
fn an_empty_account_of_a_skipped_transaction_is_created_by_the_next_that_touches_it() {
    let pay = |sender, to, gas_limit| TxPlan {
        sender: Who::Eoa(sender),
        target: Target::Pay(to),
        value: 0,
        gas_limit,
        price: Price::Bare,
        form: Form::Legacy,
        fault: None,
    };
    // Idle transactions in between, so that several workers take part.
    let idle = |sender| std::iter::repeat_n(pay(sender, Who::Eoa(4), 200_000), 4);
    let too_cheap = pay(0, Who::Eoa(4), 20_000);
    let nonce_too_high = pay(0, Who::Absent(0), 500_000);
    let transactions = idle(4)
        .chain([too_cheap])
        .chain(idle(4))
        .chain([nonce_too_high])
        .chain(idle(3))
        .chain([pay(2, Who::Absent(0), 500_000)])
        .collect();
    let case = Case::from(Plan {
        spec: SpecId::HOMESTEAD,
        beneficiary: Who::Absent(7),
        base_fee: 0,
        room: 110,
        occupied: Vec::new(),
        transactions,
        withdrawals: Vec::new(),
        ommers: Vec::new(),
        system: false,
    });
    let mut candidates = candidates();
    for _ in 0..200 {
        check(&case, &mut candidates).unwrap();
    }
}

/// The comparison itself: an outcome that lacks one account, or one transaction, is found out.
#[test]
fn a_difference_is_found() {
    let mut runner = TestRunner::deterministic();
    let case = generate::block(SpecId::OSAKA).new_tree(&mut runner).unwrap().current();
    let outcome = sequential().execute(&case.block, &case.store, InvalidPolicy::Skip);
    assert_eq!(difference(&outcome, &outcome), None);
    let (mut fewer_accounts, mut fewer_transactions) = (outcome.clone(), outcome.clone());
    fewer_accounts.as_mut().unwrap().diff.accounts.pop();
    fewer_transactions.as_mut().unwrap().transactions.pop();
    for wrong in
        [fewer_accounts, fewer_transactions, Err(BlockError::Cancelled { committed: None })]
    {
        assert!(difference(&outcome, &wrong).is_some());
    }
}
