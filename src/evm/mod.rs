//! Ethereum transactions: the only module that names `revm`.

mod block;
mod chain;
mod choice;
mod diff_hash;
mod engine;
pub mod input;
mod journal;
pub mod limit;
mod machine;
mod outcome;
pub mod roots;
pub mod rules;
pub mod sequential;
mod settle;
mod store;
pub mod workload;

pub use block::{
    BlobSchedule, Block, BlockHashes, HeaderClaims, Ommer, SystemRules, Transaction, Withdrawal,
};
pub use chain::{
    BlobParameters, ChainError, ChainSpec, ForkSchedule, HeaderPosition, Merge, Rules,
};
pub use engine::{Engine, EngineBuilder};
pub use journal::{CollisionJournal, StorageProbe};
pub use outcome::{
    AccountChange, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, StateDiff,
    Statistics, TransactionOutcome,
};
pub use sequential::Sequential;
pub use store::{StateStore, StoreError};

pub use crate::engine::{EngineError, Path};
pub use revm::{
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
