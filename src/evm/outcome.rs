//! What a block leaves behind.

use std::time::Duration;

use alloy_consensus::{Eip658Value, Receipt, ReceiptEnvelope};
use alloy_primitives::{Address, B256, Bloom, Bytes, U256};
use revm::{
    bytecode::Bytecode,
    context::result::{ExecutionResult, InvalidTransaction},
};

use super::{StoreError, shared::Diagnostic};
use crate::{
    context::StopReason,
    engine::Fate,
    region::{change::RegionChanges, sidecar::SidecarError},
    store::ReadTotals,
};

/// What to do with a transaction that may not be in the block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvalidPolicy {
    /// The block ends with [`BlockError::Invalid`].
    #[default]
    Fail,
    /// The transaction is left out with a recorded reason; later ones see no trace of it.
    Skip,
}

/// Why a transaction may not be in the block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// revm's own check failed.
    #[error("{0}")]
    Transaction(InvalidTransaction),
    /// More gas asked for than the block has left.
    #[error("gas limit {gas_limit} exceeds the {available} gas left in the block")]
    BlockGas {
        /// The transaction's gas limit.
        gas_limit: u64,
        /// The block's gas limit less the gas used so far.
        available: u64,
    },
    /// More blob gas asked for than the block has left.
    #[error("blob gas {blob_gas} exceeds the {available} blob gas left in the block")]
    BlobGas {
        /// The transaction's blob gas.
        blob_gas: u64,
        /// The block's blob gas limit less the blob gas used so far.
        available: u64,
    },
}

/// Why a block has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A transaction is invalid, under [`InvalidPolicy::Fail`].
    #[error("transaction {index} is invalid: {reason}")]
    Invalid {
        /// Position in the block.
        index: usize,
        /// Why.
        reason: Invalid,
    },
    /// The header fields cannot be executed.
    #[error("block environment: {0}")]
    Environment(String),
    /// The state store failed a read that the block's result depends on.
    #[error("transaction {index}: {error}")]
    Store {
        /// Position in the block; the number of transactions stands for the epilogue.
        index: usize,
        /// What failed.
        error: StoreError,
    },
    /// Shared memory failed.
    #[error("transaction {index}, shared memory: {reason}")]
    SharedMemory {
        /// Position in the block.
        index: usize,
        /// What failed.
        reason: String,
    },
    /// More is attached than the chain allows.
    #[error("{}: {source}", attached_to(*index))]
    Sidecar {
        /// Position of the transaction; `None` for the block itself.
        index: Option<usize>,
        /// What is wrong with it.
        source: SidecarError,
    },
    /// A system call of the prologue or epilogue failed.
    #[error("system call to {address}: {reason}")]
    System {
        /// The system contract.
        address: Address,
        /// Why.
        reason: String,
    },
    /// A transaction's machine panicked.
    #[error("transaction {index} panicked: {message}")]
    Panic {
        /// Position in the block.
        index: usize,
        /// The panic's message.
        message: String,
    },
    /// A worker thread died in the block.
    #[error("worker {worker} died")]
    Worker {
        /// Which worker.
        worker: usize,
    },
    /// The block was cancelled.
    #[error("the block was cancelled")]
    Cancelled {
        /// What it had committed, if that was asked for and it had begun.
        committed: Option<Box<PartialOutcome>>,
    },
    /// The block was not done in time.
    #[error("the block was not done within {allowed:?}")]
    DeadlineExceeded {
        /// How long it was given.
        allowed: Duration,
        /// What it had committed, if that was asked for and it had begun.
        committed: Option<Box<PartialOutcome>>,
    },
    /// Something panicked outside of any transaction: what was to be called on commit, or the store
    /// where the block itself read from it.
    #[error("a panic outside of any transaction: {message}")]
    Host {
        /// What it said.
        message: String,
    },
    /// The system gave no thread for the block's queue or deadline.
    #[error("{reason}")]
    NoThread {
        /// What the system said.
        reason: String,
    },
}

impl BlockError {
    /// The error of a stopped block.
    pub(crate) fn stopped(reason: StopReason, committed: Option<PartialOutcome>) -> Self {
        let committed = committed.map(Box::new);
        match reason {
            StopReason::Cancelled => Self::Cancelled { committed },
            StopReason::DeadlineExceeded { allowed } => {
                Self::DeadlineExceeded { allowed, committed }
            }
        }
    }

    /// What a stopped block had committed, if that was asked for.
    #[must_use]
    pub fn committed(&self) -> Option<&PartialOutcome> {
        match self {
            Self::Cancelled { committed } | Self::DeadlineExceeded { committed, .. } => {
                committed.as_deref()
            }
            _ => None,
        }
    }

    /// The same error, with what was changed of the regions if it tells of what was committed.
    pub(super) fn with_regions(mut self, regions: impl FnOnce() -> Option<RegionChanges>) -> Self {
        if let Self::Cancelled { committed } | Self::DeadlineExceeded { committed, .. } = &mut self
            && let Some(partial) = committed
        {
            partial.regions = regions();
        }
        self
    }
}

impl From<Fate> for BlockError {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Stopped(reason) => Self::stopped(reason, None),
            Fate::NoThread(reason) => Self::NoThread { reason },
            Fate::Panic(message) => Self::Host { message },
        }
    }
}

fn attached_to(index: Option<usize>) -> String {
    index.map_or_else(|| "block".to_owned(), |index| format!("transaction {index}"))
}

/// One transaction's part of the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// It ran.
    Executed(Executed),
    /// It was left out ([`InvalidPolicy::Skip`]).
    Skipped(Invalid),
}

/// A transaction that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// revm's result: success, revert or halt, with gas, logs and output.
    pub result: ExecutionResult,
    /// EIP-2718 type.
    pub tx_type: u8,
    /// Gas used by this transaction and all executed ones before it.
    pub cumulative_gas: u64,
    /// Operations on shared memory that failed, reverted or not; at most
    /// [`MOST_DIAGNOSTICS`](super::shared::MOST_DIAGNOSTICS). No part of the receipt.
    pub diagnostics: Vec<Diagnostic>,
}

impl Executed {
    /// The receipt. Its bloom is computed here, so that execution does not pay for it. Before
    /// Byzantium its status stands where receipts held a state root.
    pub fn receipt(&self) -> ReceiptEnvelope {
        let receipt = Receipt {
            status: Eip658Value::Eip658(self.result.is_success()),
            cumulative_gas_used: self.cumulative_gas,
            logs: self.result.logs().to_vec(),
        }
        .with_bloom();
        match self.tx_type {
            1 => ReceiptEnvelope::Eip2930(receipt),
            2 => ReceiptEnvelope::Eip1559(receipt),
            3 => ReceiptEnvelope::Eip4844(receipt),
            4 => ReceiptEnvelope::Eip7702(receipt),
            _ => ReceiptEnvelope::Legacy(receipt),
        }
    }
}

/// How one account differs from the state before the block. A field is `Some` if its value
/// differs (or, after a wipe, if it is not the empty account's).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account existed before the block and was destroyed within it, so its old storage is
    /// gone, whatever happened afterwards.
    pub wiped: bool,
    /// The account existed before the block and does not exist after it.
    pub deleted: bool,
    /// The account did not exist before the block and does after it.
    pub created: bool,
    /// New balance in wei.
    pub balance: Option<U256>,
    /// New nonce.
    pub nonce: Option<u64>,
    /// New code and its hash.
    pub code: Option<(B256, Bytecode)>,
    /// Changed slots, sorted by slot: slot and value after the block. After a wipe: every
    /// non-zero slot.
    pub storage: Vec<(U256, U256)>,
}

/// Every account that differs after the block, sorted by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// The changed accounts, sorted by address, none of them unchanged.
    pub accounts: Vec<(Address, AccountChange)>,
}

/// How the block was executed. Not part of the result: it differs from run to run.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Whether the parallel path ran, at least for a part of the block.
    pub parallel: bool,
    /// Workers that took part.
    pub threads: usize,
    /// Transactions that were executed one by one on the calling thread: all of them, or the first
    /// ones by which the engine judged the block, and the last ones of a block that turned out to
    /// gain nothing.
    pub direct: u64,
    /// Whether the engine ended speculation before the end of the block, because it did not pay.
    pub gave_up: bool,
    /// Whether that was because its workers were slower than one by one was, as on cores that others need.
    pub fell_behind: bool,
    /// Incarnations started; equals the number of transactions when nothing was repeated.
    pub incarnations: u64,
    /// Times a context was suspended.
    pub suspensions: u64,
    /// Most contexts that one worker held suspended at a time.
    pub most_suspended: u64,
    /// Gas executed by incarnations whose result was thrown away.
    pub wasted_gas: u64,
    /// Reads of the store that had to be waited for or were started ahead.
    pub reads: ReadTotals,
    /// Runs of waiting transactions that were made only to find out what they will read.
    pub scouts: u64,
    /// Time in the prologue, the transactions, the epilogue, and building the outcome.
    pub phases: [Duration; 4],
}

/// The result of a block.
#[derive(Clone, Debug, Default)]
pub struct BlockOutcome {
    /// One per transaction, in block order.
    pub transactions: Vec<TransactionOutcome>,
    /// Gas used by all executed transactions.
    pub gas_used: u64,
    /// Blob gas used by all executed transactions.
    pub blob_gas_used: u64,
    /// EIP-7685 requests in the order of their types, each with its type byte in front.
    pub requests: Vec<Bytes>,
    /// What changed.
    pub diff: StateDiff,
    /// What the block changed of shared regions, with their root, if it had shared memory. Make it
    /// the state of the next block by
    /// [`SharedMemory::commit`](crate::engine::SharedMemory::commit).
    pub regions: Option<RegionChanges>,
    /// How it went.
    pub statistics: Statistics,
}

/// What a block that was stopped had committed by then: exactly what the prologue and its first
/// transactions, as many as are listed, come to. There was no epilogue, and it is no outcome of the
/// block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialOutcome {
    /// The committed transactions, in block order.
    pub transactions: Vec<TransactionOutcome>,
    /// Gas used by those that were executed.
    pub gas_used: u64,
    /// Blob gas used by those that were executed.
    pub blob_gas_used: u64,
    /// What changed.
    pub diff: StateDiff,
    /// What changed of shared regions, if the block had shared memory.
    pub regions: Option<RegionChanges>,
}

impl BlockOutcome {
    /// The transactions that ran, in block order.
    pub fn executed(&self) -> impl Iterator<Item = &Executed> {
        self.transactions.iter().filter_map(|outcome| match outcome {
            TransactionOutcome::Executed(executed) => Some(executed),
            TransactionOutcome::Skipped(_) => None,
        })
    }

    /// The receipts of the executed transactions, in block order.
    pub fn receipts(&self) -> Vec<ReceiptEnvelope> {
        self.executed().map(Executed::receipt).collect()
    }

    /// The bloom of all logs.
    pub fn logs_bloom(&self) -> Bloom {
        self.executed().flat_map(|executed| executed.result.logs()).fold(
            Bloom::ZERO,
            |mut bloom, log| {
                bloom.accrue_log(log);
                bloom
            },
        )
    }

    /// Root of the receipts trie (EIP-2718 encoding). Meaningful from Byzantium on.
    pub fn receipts_root(&self) -> B256 {
        alloy_consensus::proofs::calculate_receipt_root(&self.receipts())
    }
}
