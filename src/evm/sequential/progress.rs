//! How far one by one went: what those tell each other who share a block.

use alloy_primitives::Bytes;

use crate::{
    evm::{BlockOutcome, StateDiff, TransactionOutcome, rules::BlockSums},
    region::interim::Interim,
    sync::time::Duration,
};

/// What has come of the transactions so far.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) sums: BlockSums,
    pub(crate) transactions: Vec<TransactionOutcome>,
    /// How many of them looked at what the one before them changed, as far as somebody watched.
    pub(crate) linked: u32,
}

/// Whether to go on one by one, asked after each transaction of a block that may be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Go on, and ask again.
    Watch,
    /// The same, and count no links meanwhile.
    Pass,
    /// Go on to the end.
    Settled,
    /// Hand the rest over.
    HandOver,
}

/// How far one by one went.
pub(crate) enum Begun {
    /// To the end of the block.
    Ended(Box<BlockOutcome>),
    /// To where it was asked to stop.
    Paused(Box<Head>),
}

/// The beginning of a block: everything up to the transactions that are left.
pub(crate) struct Head {
    /// Its transactions.
    pub(crate) done: Done,
    /// What it changed of the state before the block.
    pub(crate) diff: StateDiff,
    /// The regions as it left them, if they are in force.
    pub(crate) regions: Option<Interim>,
    /// Time in the prologue, and in its transactions.
    pub(crate) times: [Duration; 2],
}

/// The rest of a block, epilogue included.
pub(crate) struct Tail {
    /// All transactions, those before it included.
    pub(crate) done: Done,
    /// The block's requests.
    pub(crate) requests: Vec<Bytes>,
    /// What the block changed.
    pub(crate) diff: StateDiff,
    /// Time in its transactions, and in the epilogue.
    pub(crate) times: [Duration; 2],
}

/// Sees what has come of the transactions so far.
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&Done) -> Pace;
