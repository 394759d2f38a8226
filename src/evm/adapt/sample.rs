//! The beginning of a block, executed one by one and timed, to tell what its rest would gain.
//!
//! What a transaction costs is not written on it: gas limits are promises, and a million gas is
//! 60 µs of transfers or 10 ms of arithmetic. So the engine begins any block the cheap way and looks at
//! the clock after the second transaction, the fourth, the eighth and so on. A block that is over by
//! then has lost nothing; one of long transactions is known by its second one.
//!
//! With `d` the time that the rest would take one by one, `n` its transactions and `w` workers, the
//! workers are taken to need
//!
//! ```text
//!   START + (d · (1 + TAX) + n · TOLL) ÷ w
//! ```
//!
//! which is fitted to what is measured: a versioned state costs a share of each access (tax) and of
//! each transaction (toll).

use super::opening::{call_gas, is_plain};
use crate::{
    evm::{
        Block,
        sequential::{Done, Pace},
    },
    sync::time::{Duration, Instant},
};

/// Until a second worker is at work, and what a block's tables cost.
const START: f64 = 40e-6;
/// What versions add to a second of work.
const TAX: f64 = 0.35;
/// What they add to each transaction, in seconds.
const TOLL: f64 = 1.5e-6;
/// The workers' time has to be less than this share of the other: a guess may be a little wrong.
const MARGIN: f64 = 0.92;
/// Work that is worth another worker, in seconds.
const SHARE: f64 = 100e-6;
/// What a plain transfer takes, in seconds.
const TRANSFER: f64 = 1.2e-6;
/// A sample of less says little, unless it holds several transactions.
const LEAST_SAMPLE: Duration = Duration::from_micros(20);
const LEAST_TRANSACTIONS: usize = 8;
/// How many of the transactions that are left are looked at.
const GLANCES: usize = 64;

/// What is known of the rest of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    /// Transactions left.
    pub(crate) transactions: usize,
    /// What each of them takes one by one, on average, in seconds.
    pub(crate) each: f64,
    /// How many workers are worth waking.
    pub(crate) workers: usize,
}

impl Outlook {
    /// So many transactions that take so long.
    fn new(transactions: usize, each: f64, most_workers: usize) -> Self {
        let shares = (transactions as f64 * each / SHARE) as usize;
        Self { transactions, each, workers: shares.saturating_add(1).min(most_workers) }
    }

    /// Whether workers are taken to need less time than one by one.
    fn gains(&self) -> bool {
        let alone = self.transactions as f64 * self.each;
        let together = alone * (1.0 + TAX) + self.transactions as f64 * TOLL;
        self.workers > 1 && START + together / (self.workers as f64) < MARGIN * alone
    }
}

/// The transactions of a block by what is written on them.
#[derive(Clone, Copy, Debug, Default)]
struct Mix {
    plain: usize,
    calls: usize,
    gas: u64,
}

impl Mix {
    fn of<'a>(transactions: impl Iterator<Item = &'a crate::evm::Transaction>) -> Self {
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

/// Watches the beginning of a block.
pub(crate) struct Sample<'a> {
    block: &'a Block,
    workers: usize,
    /// When the first transaction was done. It pays for cold caches and is no sample.
    begin: Option<Instant>,
    next: usize,
    outlook: Option<Outlook>,
}

impl<'a> Sample<'a> {
    pub(crate) fn new(block: &'a Block, workers: usize) -> Self {
        Self { block, workers, begin: None, next: 1, outlook: None }
    }

    /// What the sample said in the end.
    pub(crate) fn outlook(&self) -> Option<Outlook> {
        self.outlook
    }

    /// Looks at what has come of the transactions so far.
    pub(crate) fn look(&mut self, done: &Done) -> Pace {
        let count = done.transactions.len();
        if count < self.next {
            return Pace::Watch;
        }
        let Some(begin) = self.begin else {
            self.begin = Some(Instant::now());
            self.next = 2;
            return Pace::Watch;
        };
        self.judge(count, begin.elapsed())
    }

    /// Judges by the transactions from the second to the one before `count`, which took `time`.
    fn judge(&mut self, count: usize, time: Duration) -> Pace {
        self.next = count + count.div_ceil(2);
        let transactions = &self.block.transactions;
        if time < LEAST_SAMPLE && count <= LEAST_TRANSACTIONS {
            return Pace::Watch;
        }
        let seen = Mix::of(transactions[1..count].iter());
        let rest = &transactions[count..];
        let step = rest.len().div_ceil(GLANCES);
        let left = Mix::of(rest.iter().step_by(step));
        let each = expected(seen, time.as_secs_f64(), left);
        let outlook = Outlook::new(rest.len(), each, self.workers);
        self.outlook = Some(outlook);
        match outlook.gains() {
            true => Pace::HandOver,
            false if rest.len() as f64 * each < START => Pace::Settled,
            false => Pace::Watch,
        }
    }
}

/// The average time of the transactions in `left`, going by those in `seen`, which took `time`.
fn expected(seen: Mix, time: f64, left: Mix) -> f64 {
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
    use crate::evm::workload::Workload;

    fn judged(name: &str, size: usize, count: usize, micros: u64) -> Pace {
        let (block, _) =
            Workload::by_name(name).expect("a workload").with_transactions(size).build(1);
        Sample::new(&block, 2).judge(count, Duration::from_micros(micros))
    }

    #[test]
    fn long_transactions_are_known_by_the_second_one() {
        assert_eq!(judged("amm", 600, 2, 35), Pace::HandOver);
        assert_eq!(judged("amm", 600, 2, 5), Pace::Watch, "one short one says nothing");
    }

    #[test]
    fn cheap_transactions_stay_where_they_are() {
        assert_eq!(judged("nonces", 5_000, 16, 18), Pace::Watch);
        assert_eq!(judged("nonces", 20, 16, 18), Pace::Settled, "nothing is left to gain");
    }

    #[test]
    fn few_long_ones_that_are_left_are_not_worth_waking_anybody() {
        assert_eq!(judged("amm", 20, 19, 600), Pace::Settled);
        assert_eq!(judged("amm", 40, 19, 600), Pace::HandOver);
    }

    #[test]
    fn no_more_workers_are_woken_than_there_is_work_for() {
        assert_eq!(Outlook::new(100, 3e-6, 32).workers, 4);
        assert_eq!(Outlook::new(100_000, 3e-6, 32).workers, 32);
    }
}
