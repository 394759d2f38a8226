//! The precompile of shared memory.
//!
//! | file | claims |
//! |---|---|
//! | `precompile_agrees` | it does what the opcodes do: results, errors, state, gas |
//! | `precompile_calls` | malformed calls, value, gas of failures, static calls, out of gas |
//! | `precompile_identity` | whom a call acts for, and whose its mappings are |
//! | `precompile_account` | the account at its address |
#![cfg(feature = "evm")]
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../common/shared/mod.rs"]
mod shared;

mod precompile_account;
mod precompile_agrees;
mod precompile_calls;
mod precompile_identity;
