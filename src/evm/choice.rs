//! Direct or parallel: what a look at a block's transactions says before any of them runs.
//!
//! Waking a worker, passing transactions between cores and validating them costs some 100 µs a block
//! and a fraction of a microsecond a transaction. Two kinds of blocks do not earn that back (two
//! workers, ratio to sequential on real blocks):
//!
//! | block | parallel | direct |
//! |---|---|---|
//! | less than about 0.3 ms of work | 0.4–0.8 | 1.0 |
//! | payouts: plain transfers from a handful of senders, 1.2 µs each, all on the same accounts | 0.7–0.9 | 1.0 |
//!
//! The choice depends on the block and the number of workers alone, and never changes a result.

use alloy_primitives::{Address, map::HashSet};

use super::{Block, Transaction};

/// Work of a call, in plain transfers. The median of the real blocks at hand lies near 20; a low
/// guess errs to the side of the direct path, which costs less when it is wrong.
const CALL: usize = 12;
/// Blocks with less work than this many transfers go direct.
const LEAST_WORK: usize = 300;

/// Whether the block may gain from `workers` workers.
pub(crate) fn may_gain(block: &Block, workers: usize) -> bool {
    let count = block.transactions.len();
    if workers < 2 || count < 4 {
        return false;
    }
    let plain = block.transactions.iter().filter(|tx| is_plain(tx)).count();
    let work = plain + (count - plain) * CALL;
    if work < LEAST_WORK {
        return false;
    }
    if plain * 10 < count * 9 {
        return true;
    }
    let senders: HashSet<Address> = block.transactions.iter().map(|tx| tx.env.caller).collect();
    senders.len() * 4 >= count
}

fn is_plain(tx: &Transaction) -> bool {
    tx.env.data.is_empty() && tx.env.kind.is_call()
}
