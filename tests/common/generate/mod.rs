//! Random blocks for the differential tests, of every fork from Frontier to Osaka.
//!
//! ```text
//!   strategy ──► Plan ──build──► Case { plan, block, store }
//!                 │
//!                 ├─ who:   a small cast of accounts, so that transactions meet
//!                 ├─ op:    programs of the `Script` contract, encoded as calldata
//!                 └─ code:  what contracts are created with
//! ```
//!
//! The cast holds what the EVM is hard about: a beneficiary that may be anybody, delegated
//! accounts, empty accounts, precompiles, and the addresses that contracts are going to be created
//! at, some of them taken already. Shrinking acts on the plan, and a failing case prints it.

// Each test binary uses what it needs of this module.
#![allow(dead_code)]

mod assembler;
#[macro_use]
mod weights;
mod build;
mod envelope;
mod op;
mod plan;
mod programs;
mod strategy;
mod who;

pub(crate) use build::Case;
pub(crate) use op::{CallKind, Init, Op, Wei};
pub(crate) use plan::{AuthPlan, Fault, Form, Plan, Pre, Price, Target, TxPlan};
pub(crate) use strategy::{SPECS, block};
pub(crate) use who::Who;
