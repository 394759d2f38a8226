//! What speculation earns and wastes.
//!
//! Transactions that run beside lower ones may do so in vain. How many will is not written on a block,
//! and a block may be built so that all of them do. So speculation works on credit:
//!
//! ```text
//!   earned    gas committed, and an allowance: a 16th of the block, 16 transactions at the most
//!   spent     2 × gas executed and thrown away, beyond a 48th of what the block may use, and what so many
//!             transactions as the allowance may use
//!           + what a transaction takes on average, for each time that one waited for another
//!             (more if transactions are short, because a wait takes time of its own)
//! ```
//!
//! | spent | what follows |
//! |---|---|
//! | less than half of what is earned | speculation goes as far as the block's window |
//! | more than half, for gas in vain | four transactions per worker at a time |
//! | more than all | the workers leave, and the calling thread executes the rest one by one |
//!
//! Likewise when they turn out to be slower than one by one was ([`Tempo`]).
//!
//! It is reviewed at commits, and whenever gas was thrown away: the worker whose turn it is may be off its
//! core while the others waste. When all is spent, what is thrown away starts again at its turn only. So gas
//! that was executed in vain is at most half of the gas committed, plus half of the allowances, plus what was
//! under way, a window at the most.
//!
//! The second allowance is one of gas: in a block of transfers with few calls among them, one call in vain is
//! worth dozens of average transactions, and is nothing to the block. A chain of dependent transactions, each
//! of which waits for the one before, is known within a few dozen transactions.
//!
//! With gas in vain counted three times, block 10760440 went on one by one at 0.91–0.95 of sequential's speed;
//! counted twice, its workers reach 1.2–1.4: what one wastes behind a long transaction, it would have idled.
//!
//! The account is kept over the whole block: a part of it that gains pays for one that does not.

use super::tempo::{Mark, Tempo};
use crate::context::{Review, Totals};

/// How many transactions' gas may be spent beyond what is earned, at the most, and of the block.
const ALLOWANCE: f64 = 16.0;
const ALLOWED_SHARE: f64 = 1.0 / 16.0;
/// Gas that may be thrown away for nothing, of what the block may use.
const FREE_SHARE: f64 = 1.0 / 48.0;
/// What gas thrown away counts.
const WASTE: f64 = 2.0;
/// Time that a wait takes besides the transaction that is waited for, in seconds.
const WAIT: f64 = 4e-6;
/// Reviewed whenever so many more transactions are committed, or a 32nd of the block if that is less.
const EVERY: u32 = 16;
const PARTS: u32 = 32;
/// Started and uncommitted at a time for each worker when much is wasted.
const FEW: u32 = 4;

/// The account of a block's speculation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credit {
    /// What a wait costs, in average transactions.
    wait: f64,
    /// How many transactions' gas may be spent beyond what is earned.
    allowance: f64,
    /// Gas that may be spent in vain for nothing.
    free: f64,
    every: u32,
    /// How many transactions were committed before anything ran in parallel, and their gas.
    before: (u32, u64),
    /// What the workers are held to besides, if that is known.
    tempo: Option<Tempo>,
    /// What follows when it is spent.
    then: Review,
    /// Where it is taken for spent, whatever it is. For tests.
    end: Option<u32>,
}

impl Credit {
    /// For so many transactions that take `each` seconds one by one, if that is known.
    pub(crate) fn new(transactions: usize, each: Option<f64>, then: Review) -> Self {
        let each = each.unwrap_or(10e-6).max(0.5e-6);
        Self {
            wait: 1.0 + WAIT / each,
            allowance: (transactions as f64 * ALLOWED_SHARE).min(ALLOWANCE),
            free: 0.0,
            every: (transactions as u32 / PARTS).clamp(1, EVERY),
            before: (0, 0),
            tempo: None,
            then,
            end: None,
        }
    }

    /// The same in a block that may use so much gas.
    pub(crate) fn in_block_of(self, transactions: usize, gas: u64) -> Self {
        let each = gas as f64 / transactions.max(1) as f64;
        Self { free: gas as f64 * FREE_SHARE + self.allowance * each, ..self }
    }

    /// The same for workers who leave, too, if they are slower than this.
    pub(crate) fn held_to(self, tempo: Option<Tempo>) -> Self {
        Self { tempo, ..self }
    }

    /// The account of speculation that begins after `committed` transactions, which used `gas`.
    pub(crate) fn from(self, committed: u32, gas: u64) -> Self {
        Self { before: (committed, gas), ..self }
    }

    /// At most so many transactions started and uncommitted where much is wasted.
    pub(crate) fn few(workers: usize) -> u32 {
        FEW * workers as u32
    }

    /// One that is spent when `end` transactions are committed.
    pub(crate) fn until(end: u32) -> Self {
        Self { end: Some(end), every: 1, ..Self::new(1, None, Review::HandOver) }
    }

    /// Whether it is time for a review.
    #[inline]
    pub(crate) fn is_due(&self, committed: u32) -> bool {
        committed.is_multiple_of(self.every)
    }

    /// What is to become of speculation by so many workers when `committed` transactions of the block
    /// have been committed, which used `gas`.
    pub(crate) fn review(
        &self,
        committed: u32,
        gas: u64,
        totals: &Totals,
        workers: usize,
    ) -> Review {
        if let Some(end) = self.end {
            return if committed < end { Review::GoOn } else { self.then };
        }
        let (gas, mean) = self.earned(committed, gas);
        let waits = totals.suspensions as f64 * self.wait * mean;
        self.weigh(gas + self.allowance * mean, totals.wasted, waits, workers)
    }

    /// The same for somebody who has just thrown gas away, `wasted` in all. Waits are not looked at here: they
    /// cost little as long as nothing commits.
    pub(crate) fn review_waste(
        &self,
        committed: u32,
        gas: u64,
        wasted: u64,
        workers: usize,
    ) -> Review {
        if self.end.is_some() {
            return Review::GoOn;
        }
        let (gas, mean) = self.earned(committed, gas);
        self.weigh(gas + self.allowance * mean, wasted, 0.0, workers)
    }

    /// Whether the workers, who have committed `committed` transactions of the block, which used `gas`, are slower than
    /// what they are held to.
    pub(crate) fn is_behind(&self, mark: &mut Option<Mark>, committed: u32, gas: u64) -> bool {
        self.tempo.is_some_and(|tempo| tempo.is_lost(mark, self.earned(committed, gas).0))
    }

    /// What becomes of speculation when its credit is spent.
    pub(crate) fn end(&self) -> Review {
        self.then
    }

    /// Gas committed since speculation began, and what a transaction used of it on average.
    fn earned(&self, committed: u32, gas: u64) -> (f64, f64) {
        let gas = gas.saturating_sub(self.before.1) as f64;
        let committed = f64::from(committed.saturating_sub(self.before.0).max(1));
        // Gas that was used by nobody: transactions that were left out.
        (gas, (gas / committed).max(1.0))
    }

    fn weigh(&self, earned: f64, wasted: u64, waits: f64, workers: usize) -> Review {
        let waste = (WASTE * wasted as f64 - self.free).max(0.0);
        if waste + waits > earned {
            self.then
        } else if waste > earned / 2.0 {
            Review::Window(Self::few(workers))
        } else {
            Review::Window(u32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::time::Duration;

    fn review(each: f64, committed: u32, suspensions: u64, wasted: u64) -> Review {
        let totals = Totals { suspensions, wasted, ..Totals::default() };
        let credit = Credit::new(100_000, Some(each), Review::HandOver);
        credit.review(committed, u64::from(committed) * 50_000, &totals, 2)
    }

    const GOES_ON: Review = Review::Window(u32::MAX);

    #[test]
    fn a_chain_of_short_transactions_is_known_early_and_one_of_long_ones_later() {
        assert_eq!(review(4e-6, 16, 16, 0), GOES_ON);
        assert_eq!(review(4e-6, 32, 32, 0), Review::HandOver);
        assert_eq!(review(20e-6, 32, 32, 0), GOES_ON);
        assert_eq!(review(20e-6, 96, 96, 0), Review::HandOver);
    }

    #[test]
    fn a_third_of_transactions_may_wait_for_ever() {
        assert_eq!(review(10e-6, 100_000, 33_000, 0), GOES_ON);
    }

    #[test]
    fn at_most_half_of_the_gas_is_wasted_beyond_the_allowance() {
        let gas = 100_000 * 50_000_u64;
        assert_eq!(review(10e-6, 100_000, 0, gas / 6), GOES_ON);
        assert_eq!(review(10e-6, 100_000, 0, gas / 2), Review::Window(8));
        assert_eq!(review(10e-6, 100_000, 0, gas / 2 + 9 * 50_000), Review::HandOver);
    }

    #[test]
    fn a_short_block_is_reviewed_often_and_allowed_little() {
        let credit = Credit::new(8, Some(100e-6), Review::HandOver).from(2, 1_000_000);
        assert!(credit.is_due(3));
        let wasted = |wasted| Totals { wasted, ..Totals::default() };
        assert_eq!(credit.review(4, 3_000_000, &wasted(800_000), 2), Review::Window(8));
        assert_eq!(credit.review(4, 3_000_000, &wasted(2_000_000), 2), Review::HandOver);
    }

    #[test]
    fn one_call_in_vain_does_not_end_speculation_in_a_block_of_transfers() {
        let wasted = |wasted| Totals { wasted, ..Totals::default() };
        let credit = Credit::new(1_000, Some(3e-6), Review::HandOver);
        assert_eq!(credit.review(16, 16 * 21_000, &wasted(400_000), 2), Review::HandOver);
        let credit = credit.in_block_of(1_000, 15_000_000);
        assert_eq!(credit.review(16, 16 * 21_000, &wasted(400_000), 2), GOES_ON);
    }

    #[test]
    fn whoever_wastes_while_nothing_commits_is_reined_in() {
        let credit = Credit::new(1_000, None, Review::HandOver).in_block_of(1_000, 100_000_000);
        // Nothing is earned yet, but half of 16 transactions' promise and of a 48th of the block's is free.
        assert_eq!(credit.review_waste(0, 0, 1_841_000, 4), GOES_ON);
        assert_eq!(credit.review_waste(0, 0, 1_842_000, 4), Review::HandOver);
        assert_eq!(credit.review_waste(16, 800_000, 2_500_000, 4), Review::Window(16));
        let waits = Totals { suspensions: 1_000, ..Totals::default() };
        assert_eq!(credit.review(16, 800_000, &waits, 4), Review::HandOver);
        assert_eq!(credit.review_waste(16, 800_000, 0, 4), GOES_ON, "waits are not its business");
    }

    #[test]
    fn workers_that_are_slower_than_one_by_one_leave() {
        let credit = Credit::new(1_000, Some(2e-6), Review::HandOver);
        let slow = credit.held_to(Some(Tempo::new(1e-3, 1e-9))).from(8, 100_000);
        assert!(!slow.is_behind(&mut None, 16, 250_000), "the first look");
        let mut mark = Mark::ago(0.0, Duration::from_secs(1));
        assert!(slow.is_behind(&mut mark, 32, 250_000));
        assert!(!slow.is_behind(&mut mark, 32, 150_000), "they have done little yet");
        assert!(!slow.is_behind(&mut mark, 64, 400_000), "they are judged in the beginning only");
        assert!(!credit.is_behind(&mut mark, 32, 250_000), "nobody holds them to anything");
    }

    #[test]
    fn transactions_without_gas_divide_by_nothing() {
        let credit = Credit::new(100, None, Review::Window(1));
        assert_eq!(credit.review(16, 0, &Totals::default(), 2), GOES_ON);
    }
}
