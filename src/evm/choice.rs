//! Direct or parallel: what a look at a block's transactions says before any of them runs.
//!
//! Waking a worker, passing transactions between cores and validating them costs some 100 µs a block
//! and about a microsecond a transaction. Calls earn that back, plain transfers (1.2 µs each on
//! one core) do not yet. What calls will cost is not known beforehand; the sum of their gas limits,
//! each capped because wallets round up generously, is a fair guess. Real blocks of 40 transactions
//! and more, two workers, ratio to sequential on the parallel path:
//!
//! | sum of capped gas limits of calls | ratio |
//! |---|---|
//! | below 3 M | 0.4–0.9 |
//! | 3–5 M | 0.6–1.2 |
//! | above 9 M | 1.0–1.7 |
//!
//! The choice depends on the block and the number of workers alone, and never changes a result.

use super::{Block, Transaction};
use crate::sync::time::Duration;

/// What a call is taken to need at most.
const CAP: u64 = 300_000;
/// A read that takes longer than a block's overhead is worth suspending for.
pub(crate) const WORTH_SUSPENDING: Duration = Duration::from_micros(5);
/// Blocks whose calls may need less gas than this go direct.
const LEAST_CALL_GAS: u64 = 5_000_000;

/// Whether the block may gain from `workers` workers.
///
/// Where the store makes transactions wait, every block gains, on one worker too. Where it hands its
/// reads to other threads though they take no time (a database whose pages are in memory), that costs
/// more than the block: a read of 1.3 µs takes 8 µs by another thread, and a block of 1,385 reads
/// 12 ms in parallel and 4.5 ms one by one. Its blocking reads do without.
pub(crate) fn may_gain(block: &Block, workers: usize, latency: Duration) -> bool {
    if latency >= WORTH_SUSPENDING {
        return !block.transactions.is_empty();
    }
    if !latency.is_zero() {
        return false;
    }
    let calls = block.transactions.iter().filter(|tx| !is_plain(tx));
    let gas: u64 = calls.map(|tx| tx.env.gas_limit.min(CAP)).sum();
    workers >= 2 && gas >= LEAST_CALL_GAS
}

fn is_plain(tx: &Transaction) -> bool {
    tx.env.data.is_empty() && tx.env.kind.is_call()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evm::workload::Workload;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_slow_store_makes_any_block_of_several_parallel() {
        let transfers = Workload::by_name("nonces").expect("a workload").with_transactions(2);
        assert!(may_gain(&transfers.build(1).0, 1, Duration::from_micros(100)));
    }

    #[test]
    fn swaps_go_parallel_and_payouts_direct() {
        let swaps = Workload::by_name("amm").expect("a workload").with_transactions(200);
        let (block, _) = swaps.build(1);
        assert!(may_gain(&block, 2, NOW) && !may_gain(&block, 1, NOW));
        let transfers = Workload::by_name("nonces").expect("a workload").with_transactions(200);
        assert!(!may_gain(&transfers.build(1).0, 8, NOW));
    }
}
