//! What a block's transactions promise, and what its header says of them.
//!
//! To look at each transaction of a large block is the first of all cache misses on it, and nobody works beside the one who
//! does: of 37,000 transfers of tokens five looks took 0.7 ms of 80. So it is done once, in one pass, and not at all by an engine
//! that has nothing to choose.

use super::outlook::Mix;
use crate::evm::{Block, Transaction};

/// What a call is taken to need at most: wallets round up generously.
const CAP: u64 = 300_000;
/// Gas of a transfer.
pub(super) const TRANSFER_GAS: u64 = 21_000;
/// Seconds for a unit of gas that a call may need, at the least of real blocks.
const PROMISED_RATE: f64 = 120e-12;

/// What is written on the transactions of a block, all together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promises {
    pub(super) mix: Mix,
    known: Option<u64>,
}

impl Promises {
    pub(crate) fn of(block: &Block) -> Self {
        let (mut mix, mut limits) = (Mix::default(), 0_u64);
        for tx in &block.transactions {
            mix.add(tx);
            limits = limits.saturating_add(tx.env.gas_limit);
        }
        Self { mix, known: block.claims.gas_used.filter(|gas| *gas <= limits) }
    }

    /// What all transactions use, which the header tells before any of them has run, if it says something that can be.
    /// A block that is being built has no header. One that is wrong makes the choice worse, and is found out in the end.
    pub(super) fn known(&self) -> Option<u64> {
        self.known
    }

    /// The gas that the transactions may need together.
    pub(crate) fn gas(&self) -> u64 {
        self.mix.gas.saturating_add((self.mix.plain as u64).saturating_mul(TRANSFER_GAS))
    }

    /// What the transactions take one by one, on average, in seconds.
    pub(crate) fn time(&self) -> f64 {
        self.mix.gas as f64 * PROMISED_RATE / self.mix.transactions().max(1) as f64
    }
}

/// Whether it is nearly certainly a transfer of ether to an account without code.
pub(super) fn is_plain(tx: &Transaction) -> bool {
    tx.env.data.is_empty() && tx.env.kind.is_call()
}

/// The gas that a call may need: a promise, not a cost.
pub(super) fn call_gas(tx: &Transaction) -> u64 {
    tx.env.gas_limit.min(CAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evm::workload::Workload;

    #[test]
    fn calls_promise_their_limit_up_to_a_bound_and_transfers_what_they_take() {
        let (mut block, _) =
            Workload::by_name("nonces").expect("a workload").with_transactions(3).build(1);
        block.transactions[1].env.data = vec![1].into();
        let promised = |block: &Block, limit| {
            let mut block = block.clone();
            block.transactions[1].env.gas_limit = limit;
            Promises::of(&block)
        };
        assert_eq!(promised(&block, 50_000).gas(), 2 * TRANSFER_GAS + 50_000);
        assert_eq!(promised(&block, u64::MAX).gas(), 2 * TRANSFER_GAS + CAP);
        assert!((promised(&block, 50_000).time() - 2e-6).abs() < 1e-12);
        block.claims.gas_used = Some(70_000);
        assert_eq!(promised(&block, 50_000).known(), Some(70_000));
        block.claims.gas_used = Some(1 << 50);
        assert_eq!(promised(&block, 50_000).known(), None, "more than they may use");
    }
}
