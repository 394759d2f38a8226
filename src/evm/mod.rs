//! Ethereum transactions: the only module that names `revm`.
//!
//! A block goes in with the state it starts from; receipts, results and the changes of the state
//! come out, exactly those of executing the transactions one by one on `revm` ([`Sequential`]).
//!
//! ```
//! use chorus::evm::{Engine, InvalidPolicy, Sequential, StateStore, workload::Workload};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (block, store) = Workload::DEFAULT.with_transactions(200).build(1);
//! let (block, store): (_, Arc<dyn StateStore>) = (Arc::new(block), Arc::new(store));
//!
//! let engine = Engine::builder().threads(2).build()?;
//! let outcome = engine.execute(&block, &store)?;
//!
//! let expected = Sequential::new().execute(&block, &*store, InvalidPolicy::Fail)?;
//! assert_eq!(outcome.receipts_root(), expected.receipts_root());
//! assert_eq!(outcome.diff, expected.diff);
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//!  files, JSON ── input, chain ──► Block ──┐            ┌── direct ──► sequential ──┐
//!  generator ──── workload ──────► Block ──┼─► Engine ──┤  adapt          ▲ relay ▼ ├─► BlockOutcome
//!                                          │            └── machine, settle, diff ──┘
//!  state before the block ──► StateStore ──┘                (on crate::engine's workers)
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `block` | what goes in: environment, transactions, and what surrounds them |
//! | `store` | what goes in: the state before the block, behind a trait |
//! | `outcome` | what comes out, and every error |
//! | `engine` | the façade |
//! | `workers` | what executes a block, by whichever path |
//! | `finish` | the same, once the workers have let go of it |
//! | `adapt` | which path, how many workers, and when to stop speculating: the judgement |
//! | `adaptive` | the same: what follows from it |
//! | `reward` | what the beneficiary gets of a transaction |
//! | `relay` | a block that changes from one path to the other |
//! | `machine` | transactions on coroutines over the multi-version state |
//! | `reading` | how blocks read from a slow store, and what the direct path waits for |
//! | `settle` | the state as it is committed, for prologue and epilogue |
//! | `diff` | from versions to the block's state changes, and their hash |
//! | `keccak` | hashes of short inputs, remembered and guessed |
//! | `inner_loop` | the frequent opcodes in a loop that keeps its state in registers, and the loop that runs frames |
//! | `poll` | jumps and calls that notice that the block was stopped |
//! | [`sequential`] | one by one: the reference, the baseline, the direct path |
//! | [`shared`] | shared memory: opcodes and precompile |
//! | [`rules`] | checks across transactions, the same for both |
//! | `journal` | revm's journal with the creation collisions of EIP-7610, the same for both |
//! | [`input`] | block directories and JSON-RPC answers |
//! | `chain` | which rules are in force in which block |
//! | [`workload`] | generated blocks |
//! | [`limit`] | how fast a block could run at all |
//! | [`footprint`] | what transactions read and write and when, for simulations |
//! | [`roots`] | state root and requests hash |
//!
//! Addresses, words, logs and receipts are the types of `alloy-primitives` 1 and `alloy-consensus`
//! 2; environments, results and bytecode are those of `revm` 43.

mod adapt;
mod adaptive;
mod block;
mod chain;
mod diff;
mod engine;
mod finish;
pub mod footprint;
mod inner_loop;
pub mod input;
mod journal;
mod keccak;
mod known_reads;
pub mod limit;
mod machine;
mod outcome;
mod poll;
mod reading;
mod relay;
mod reward;
pub mod roots;
pub mod rules;
pub mod sequential;
mod settle;
pub mod shared;
mod transfer;
mod workers;
pub mod workload;

pub use crate::store::{StateStore, StoreError};
pub use block::{
    BlobSchedule, Block, BlockHashes, HeaderClaims, Ommer, SystemRules, Transaction, Withdrawal,
};
pub use chain::{
    BlobParameters, ChainError, ChainSpec, ForkSchedule, HeaderPosition, Merge, Rules,
};
pub use engine::{Engine, EngineBuilder, ExecuteOptions, Execution};
pub use journal::{CollisionJournal, StorageProbe};
pub use outcome::{
    AccountChange, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, PartialOutcome,
    StateDiff, Statistics, TransactionOutcome,
};
pub use reading::Scouting;
pub use sequential::Sequential;

pub use crate::engine::{CancelToken, EngineError, Outcomes, Path};
pub use revm::{
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
