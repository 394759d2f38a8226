//! The opcodes of shared memory, each with its stack, its gas and its ways to fail.
//!
//! | file | claims |
//! |---|---|
//! | `opcode_gas` | what each costs: cold, warm, growing, with memory expansion; every gas it is short of |
//! | `opcode_results` | what each leaves |
//! | `opcode_failures` | what each halts with, and that nothing is left then |
//! | `opcode_frames` | whose rights, whose mappings, what a revert takes back |
//! | `opcode_exec` | a region's bytes as code |
//! | `opcode_lost` | a page that is lost ends the block |
//! | `opcode_parallel` | transactions that meet in a region |
//! | `opcode_off` | off means off |
#![cfg(feature = "evm")]
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "../common/shared/mod.rs"]
mod shared;

mod opcode_exec;
mod opcode_failures;
mod opcode_frames;
mod opcode_gas;
mod opcode_lost;
mod opcode_off;
mod opcode_parallel;
mod opcode_results;
