//! Ethereum transactions: the only module that names `revm`.

mod block;
mod chain;
pub mod input;
mod outcome;
mod store;

pub use block::{
    BlobSchedule, Block, BlockHashes, HeaderClaims, Ommer, SystemRules, Transaction, Withdrawal,
};
pub use chain::{
    BlobParameters, ChainError, ChainSpec, ForkSchedule, HeaderPosition, Merge, Rules,
};
pub use outcome::{
    AccountChange, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, StateDiff,
    Statistics, TransactionOutcome,
};
pub use store::{StateStore, StoreError};

pub use revm::{
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
