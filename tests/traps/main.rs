//! The traps of the EVM, each with a test of its name: small blocks by hand, in which speculation is
//! likely to go wrong, run in parallel again and again.
//!
//! | file | traps |
//! |---|---|
//! | `beneficiary` | the beneficiary in every role, and the touch of a zero fee |
//! | `deltas` | credits that others observe, debits that fail |
//! | `destruct` | wipes, what comes after them, EIP-6780, the touch that survives a revert |
//! | `nonces` | chains of one sender, authorizations, delegated accounts |
//! | `factories` | the nonces of contracts that create others |
//! | `limits` | what only the sums over a block decide |
//! | `creation` | collisions, and what is made and used within a block |
//! | `crowds` | transactions that load many accounts which do not exist |
//! | `surroundings` | block hashes, transient storage, blobs, withdrawals, system calls |
//! | `trap` | builds the blocks and runs them |
//! | `code` | bytecode by hand |
//!
//! Each test says what must come out; that a parallel run equals the sequential one comes on top.
#![cfg(feature = "evm")]
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod beneficiary;
mod code;
mod creation;
mod crowds;
mod deltas;
mod destruct;
#[path = "../common/executor.rs"]
mod executor;
mod factories;
mod limits;
mod nonces;
mod surroundings;
mod trap;
