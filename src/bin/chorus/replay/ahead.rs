//! The next block, fetched while one runs.

use std::ops::RangeInclusive;

use chorus::{
    evm::{Block, ChainSpec, StateStore},
    store::{
        Query,
        rpc::{RpcHeader, RpcNode},
    },
    sync::{
        Arc,
        channel::{Receiver, bounded},
        thread,
    },
};

use super::ReplayError;
use crate::node::{state_after, state_before};

/// A block and the state it starts from.
pub(super) struct Work {
    pub(super) block: Arc<Block>,
    pub(super) store: Arc<dyn StateStore>,
}

impl Work {
    pub(super) fn number(&self) -> u64 {
        self.block.env.number.saturating_to()
    }
}

/// Blocks in order, the next one on its way with what it will surely read.
pub(super) struct Ahead {
    ready: Receiver<Result<Work, ReplayError>>,
}

impl Ahead {
    pub(super) fn new(node: RpcNode, chain: ChainSpec, numbers: RangeInclusive<u64>) -> Self {
        // One is ready, one is being made ready, one runs.
        let (sender, ready) = bounded(1);
        thread::spawn(move || {
            for number in numbers {
                let work = load(&node, &chain, number);
                let failed = work.is_err();
                // Nobody listens any more after an error of the block that runs.
                if sender.send(work).is_err() || failed {
                    return;
                }
            }
        });
        Self { ready }
    }

    /// The next block; `None` after the last. After an error there are no more.
    pub(super) fn next(&mut self) -> Option<Result<Work, ReplayError>> {
        self.ready.recv().ok()
    }
}

fn load(node: &RpcNode, chain: &ChainSpec, number: u64) -> Result<Work, ReplayError> {
    let text = node.block_json_blocking(number)?;
    let name = format!("block {number} of {}", node.name());
    let block = Block::from_rpc_json(&name, &text, chain)?;
    let parent = number.checked_sub(1).and_then(|parent| {
        let hash = *block.block_hashes.get(&parent)?;
        Some(RpcHeader { number: parent, hash })
    });
    let store = match parent {
        Some(parent) => state_after(node, parent, block.spec),
        None => state_before(node, number, block.spec)?,
    };
    store.prefetch(&known_reads(&block));
    Ok(Work { block: Arc::new(block), store: Arc::new(store) })
}

fn known_reads(block: &Block) -> Vec<Query> {
    let mut reads = block.known_reads();
    for transaction in &block.transactions {
        transaction.known_reads(&mut reads);
    }
    reads
}
