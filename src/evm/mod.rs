//! Ethereum transactions: the only module that names `revm`.

mod block;
mod outcome;
mod store;

pub use block::{
    BlobSchedule, Block, BlockHashes, HeaderClaims, Ommer, SystemRules, Transaction, Withdrawal,
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
