//! What the rest of a block would take, one by one and on the workers.
//!
//! With `d` the time that the rest would take one by one, `n` its transactions and `w` workers, the
//! workers are taken to need
//!
//! ```text
//!   START + the greater of (d · (1 + TAX) + n · TOLL + doubt) ÷ w and p
//!   doubt = the lesser of d · DOUBT_TAX + n · DOUBT_TOLL and MOST_DOUBT
//! ```
//!
//! where `p` is the time of the transfers of ether among them, which the commit step does one after another. Tax and
//! toll say within a tenth what blocks take that are executed on the workers from their first transaction on: a
//! versioned state costs a share of each access (tax) and of each transaction (toll). `d` goes by the latest
//! part of the sample, since the first transactions find cold caches.
//!
//! Without doubt this chose worse: a block whose long call is part of the sample has nothing left to run beside it
//! (12520364: 1.19 instead of 1.39). But what a wrong choice can cost does not grow with the block: workers
//! that are called in vain are sent home again after a few dozen transactions. When doubt did grow, blocks of calls
//! of 1 to 3 µs went one by one (contracts that destroy themselves and come back 0.99 instead of 1.27, a mix with
//! invalid transactions 1.21 instead of 1.53, reads of the beneficiary's balance 1.01 instead of 1.08; two workers).
//!
//! Nor does it help to ask more of calls of one function, once a second part of the sample has shown what they take with
//! warm caches: less than 0.83 of the time instead of 0.9 keeps those that hand eight contracts round from the
//! workers (1.01 in minutes in which a cache line takes 300 ns, where they are at 0.93 otherwise), but also reads of a region
//! (1.16 instead of 1.45) and invalid transactions (1.32 instead of 1.6); 0.85 keeps none.

use super::{
    lessons::TRANSFER,
    promises::{TRANSFER_GAS, call_gas, is_plain},
};
use crate::evm::Transaction;

/// Until a second worker is at work, and what a block's tables cost.
pub(super) const START: f64 = 50e-6;
/// What versions add to a second of work.
const TAX: f64 = 0.2;
/// What they add to each transaction, in seconds.
const TOLL: f64 = 0.5e-6;
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
    /// Of that, what is done one after another in any case, in seconds.
    serial: f64,
    /// How many workers are worth waking.
    pub(crate) workers: usize,
}

impl Outlook {
    /// So many transactions that take so long each, `serial` of which is done one after another in any case.
    pub(crate) fn new(transactions: usize, each: f64, serial: f64, most_workers: usize) -> Self {
        let shares = (transactions as f64 * each / SHARE) as usize;
        let workers = shares.saturating_add(1).min(transactions).min(most_workers);
        Self { transactions, each, serial, workers }
    }

    /// Whether workers are taken to need less time than one by one.
    pub(crate) fn gains(&self) -> bool {
        let alone = self.transactions as f64 * self.each;
        let versions = |tax: f64, toll: f64| alone * tax + self.transactions as f64 * toll;
        let doubt = versions(DOUBT_TAX, DOUBT_TOLL).min(MOST_DOUBT);
        let together = (alone + versions(TAX, TOLL) + doubt) / self.workers as f64;
        let serial = self.transactions as f64 * self.serial;
        self.workers > 1 && START + together.max(serial) < MARGIN * alone
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
    /// What the calls used if all together used so much.
    pub(super) fn gas_of_calls(&self, used: u64) -> u64 {
        used.saturating_sub(self.plain as u64 * TRANSFER_GAS)
    }

    pub(super) fn of<'a>(transactions: impl Iterator<Item = &'a Transaction>) -> Self {
        let mut mix = Self::default();
        transactions.for_each(|tx| mix.add(tx));
        mix
    }

    pub(super) fn add(&mut self, tx: &Transaction) {
        if is_plain(tx) {
            self.plain += 1;
        } else {
            self.calls += 1;
            self.gas += call_gas(tx);
        }
    }

    pub(super) fn transactions(&self) -> usize {
        self.plain + self.calls
    }
}

/// The average time of the transactions in `left`, going by those in `seen`, which took `time`; and what of it is due to
/// transfers.
pub(super) fn expected(seen: Mix, time: f64, left: Mix) -> [f64; 2] {
    let count = left.transactions().max(1) as f64;
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
    let transfers = left.plain as f64 * transfer;
    [(transfers + left.gas as f64 * rate) / count, transfers / count]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether workers gain on so many transactions of 2 µs each, of which that share are transfers.
    fn gains(transactions: usize, plain: f64, workers: usize) -> bool {
        Outlook::new(transactions, 2e-6, plain * 2e-6, workers).gains()
    }

    #[test]
    fn short_calls_are_worth_a_worker_if_there_are_many() {
        assert!(gains(3_000, 0.0, 2));
        assert!(
            !gains(300, 0.0, 2),
            "a wrong choice costs as much in a short block as in a long one"
        );
    }

    #[test]
    fn transfers_are_done_one_after_another_however_many_there_are_and_whoever_helps() {
        for workers in [2, 3, 8, 32] {
            assert!(!gains(3_000, 1.0, workers) && !gains(100_000, 1.0, workers), "{workers}");
            assert!(gains(3_000, 0.3, workers), "the calls among them are not");
        }
    }

    #[test]
    fn time_is_due_to_calls_by_their_gas_and_to_transfers_as_they_are() {
        let calls = Mix { plain: 0, calls: 2, gas: 200 };
        let transfers = Mix { plain: 4, calls: 0, gas: 0 };
        assert_eq!(expected(calls, 2.0, transfers), [TRANSFER; 2]);
        assert_eq!(expected(transfers, 2.0, transfers), [0.5; 2]);
        assert_eq!(expected(calls, 2.0, Mix { plain: 0, calls: 1, gas: 300 }), [3.0, 0.0]);
    }
}
