//! Random programs of region operations, checkpoints, commits and reverts: a session and a model that
//! copies everything agree on every result, error, unit of gas and byte, and on what is left in the
//! world.
//!
//! | file | concept |
//! |---|---|
//! | `model` | the specification once more, in plain bytes |
//! | `compare` | runs a program on both |
//!
//! `CHORUS_CASES` sets the number of programs.
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod compare;
mod model;
#[path = "../common/region_program.rs"]
mod region_program;
#[path = "../common/region_run.rs"]
mod region_run;
#[path = "../common/region_world.rs"]
mod region_world;

use proptest::prelude::*;

use self::region_program::programs;

fn cases() -> ProptestConfig {
    let cases = std::env::var("CHORUS_CASES").ok().and_then(|cases| cases.parse().ok());
    // `prop_map`ped raw numbers shrink well, but a program takes a while.
    ProptestConfig {
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases.unwrap_or(300))
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_journaled_session_equals_a_model_that_copies_everything(program in programs(4, 60)) {
        compare::run(&program)?;
    }
}
