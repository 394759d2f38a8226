//! What the rest of a block would take, one by one and on the workers.
//!
//! With `d` the time that the rest would take one by one, `n` its transactions and `w` workers, the
//! workers are taken to need
//!
//! ```text
//!   START + (d · (1 + TAX) + n · TOLL + p · TRANSFER_TOLL + doubt) ÷ w
//!   doubt = the lesser of d · DOUBT_TAX + n · DOUBT_TOLL and MOST_DOUBT
//! ```
//!
//! where `p` are the transfers of ether among them, which the commit step does on its own. Tax and toll say within a
//! tenth what blocks take that are executed on the workers from their first transaction on: a versioned state
//! costs a share of each access (tax) and of each transaction (toll). `d` goes by the latest part of the
//! sample, since the first transactions find cold caches.
//!
//! Without doubt this chose worse: a block whose long call is part of the sample has nothing left to run beside it
//! (12520364: 1.19 instead of 1.39). But what a wrong choice can cost does not grow with the block: workers
//! that are called in vain are sent home again after a few dozen transactions. When doubt did grow, blocks of calls
//! of 1 to 3 µs went one by one (contracts that destroy themselves and come back 0.99 instead of 1.27, a mix with
//! invalid transactions 1.21 instead of 1.53, reads of the beneficiary's balance 1.01 instead of 1.08; two workers).

use super::{
    lessons::TRANSFER,
    opening::{TRANSFER_GAS, call_gas, is_plain},
};
use crate::evm::Transaction;

/// Until a second worker is at work, and what a block's tables cost.
pub(super) const START: f64 = 50e-6;
/// What versions add to a second of work.
const TAX: f64 = 0.2;
/// What they add to each transaction, in seconds.
const TOLL: f64 = 0.5e-6;
/// What a transfer of ether adds besides.
const TRANSFER_TOLL: f64 = 1e-6;
/// What is added to tax and toll for doubt ...
const DOUBT_TAX: f64 = 0.15;
const DOUBT_TOLL: f64 = 1e-6;
/// ... and at the most, in seconds.
const MOST_DOUBT: f64 = 300e-6;
/// The workers' time has to be less than this share of the other: a guess may be a little wrong.
const MARGIN: f64 = 0.9;
/// Work that is worth another worker, in seconds.
const SHARE: f64 = 100e-6;

/// What is known of the rest of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    /// Transactions left.
    pub(crate) transactions: usize,
    /// What each of them takes one by one, on average, in seconds.
    pub(crate) each: f64,
    /// Which share of them are transfers of ether.
    plain: f64,
    /// How many workers are worth waking.
    pub(crate) workers: usize,
}

impl Outlook {
    /// So many transactions that take so long, of which that share are transfers of ether.
    pub(crate) fn new(transactions: usize, each: f64, plain: f64, most_workers: usize) -> Self {
        let shares = (transactions as f64 * each / SHARE) as usize;
        let workers = shares.saturating_add(1).min(transactions).min(most_workers);
        Self { transactions, each, plain, workers }
    }

    /// Whether workers are taken to need less time than one by one.
    pub(crate) fn gains(&self) -> bool {
        let alone = self.transactions as f64 * self.each;
        let versions = |tax: f64, toll: f64| alone * tax + self.transactions as f64 * toll;
        let doubt = versions(DOUBT_TAX, DOUBT_TOLL).min(MOST_DOUBT);
        let transfers = self.transactions as f64 * self.plain * TRANSFER_TOLL;
        let together = alone + versions(TAX, TOLL) + transfers + doubt;
        self.workers > 1 && START + together / (self.workers as f64) < MARGIN * alone
    }
}

/// The transactions of a block by what is written on them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mix {
    pub(super) plain: usize,
    pub(super) calls: usize,
    /// Of the calls: what they may use, or use.
    pub(super) gas: u64,
}

impl Mix {
    /// Which share of them are transfers of ether.
    pub(super) fn plain_share(&self) -> f64 {
        self.plain as f64 / (self.plain + self.calls).max(1) as f64
    }

    /// What the calls used if all together used so much.
    pub(super) fn gas_of_calls(&self, used: u64) -> u64 {
        used.saturating_sub(self.plain as u64 * TRANSFER_GAS)
    }

    pub(super) fn of<'a>(transactions: impl Iterator<Item = &'a Transaction>) -> Self {
        let mut mix = Self::default();
        for tx in transactions {
            if is_plain(tx) {
                mix.plain += 1;
            } else {
                mix.calls += 1;
                mix.gas += call_gas(tx);
            }
        }
        mix
    }
}

/// The average time of the transactions in `left`, going by those in `seen`, which took `time`.
pub(super) fn expected(seen: Mix, time: f64, left: Mix) -> f64 {
    let count = (left.plain + left.calls).max(1) as f64;
    // Transfers cost what they cost, so the rest is due to the calls; of which it is known only how
    // much gas each may take.
    let transfers = (seen.plain as f64 * TRANSFER).min(time);
    let rate = match seen.gas {
        0 => 0.0,
        gas => (time - transfers) / gas as f64,
    };
    let transfer = match seen.calls {
        0 => time / seen.plain.max(1) as f64,
        _ => TRANSFER,
    };
    (left.plain as f64 * transfer + left.gas as f64 * rate) / count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two workers gain on so many transactions of 2 µs.
    fn gains(transactions: usize, plain: f64) -> bool {
        Outlook::new(transactions, 2e-6, plain, 2).gains()
    }

    #[test]
    fn short_calls_are_worth_a_worker_if_there_are_many() {
        assert!(gains(3_000, 0.0));
        assert!(!gains(300, 0.0), "a wrong choice costs as much in a short block as in a long one");
    }

    #[test]
    fn transfers_are_done_by_the_commit_step_however_many() {
        assert!(!gains(3_000, 1.0) && !gains(100_000, 1.0));
        assert!(gains(3_000, 0.3), "the calls among them are not");
    }
}
