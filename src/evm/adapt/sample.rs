//! The beginning of a block, executed one by one and timed, to tell what its rest would gain.
//!
//! What a transaction costs is not written on it: gas limits are promises, and a million gas is
//! 60 µs of transfers or 10 ms of arithmetic. So the engine begins any block the cheap way and looks at
//! the clock after the second transaction, the fourth, the eighth and so on. A block that is over by
//! then has lost nothing; one of long transactions is known by its second one. Where a header tells what all use,
//! that stands in for the promises.
//!
//! One call says little where the rest is short, since it may have been the first to find cold caches; and of few that
//! are left nothing is known where most of them call the same contract and hardly any has so far
//! ([`super::strangers`]). There the sample goes on a little.
//!
//! Where nearly every transaction looks at what the one before it changed, workers would wait for each other, so
//! the sample goes on for as long as that does. Of a long way from one look at the clock to the next only the last
//! part is watched.
//!
//! What the rest would gain, [`super::outlook`] reckons.
//!
//! On the way some calls are timed by themselves ([`super::stopwatch`]).

use super::{
    lessons::Lessons,
    opening::{glance_step, glances, is_monotonous},
    outlook::{Mix, Outlook, START, expected},
    promises::{Promises, is_plain},
    stopwatch::Stopwatch,
    strangers::is_about_a_stranger,
};
use crate::{
    evm::{
        Block,
        sequential::{Done, Pace},
    },
    sync::time::{Duration, Instant},
};

/// A sample of less says little.
const LEAST_SAMPLE: Duration = Duration::from_micros(25);
/// A rest of less, in seconds, is not handed over because of a single call.
const SHORT: f64 = 400e-6;
/// Fewer calls of one function say what the others take only if those before them said so, too: the first ones find
/// cold caches, and workers are held to what they took ([`super::tempo`]).
const SEVERAL: usize = 8;
/// By how many times they may differ.
const ALIKE: f64 = 1.5;
/// What is judged of a long way: one part in so many, and at least so many transactions. Watching costs a chain of
/// cheap calls 2 % of its time.
const PARTS: usize = 4;
const LEAST_PART: usize = 32;

/// Watches the beginning of a block.
pub(crate) struct Sample<'a> {
    block: &'a Block,
    workers: usize,
    stopwatch: Option<Stopwatch<'a>>,
    /// Whether the block may be handed over at all.
    open: bool,
    /// Where the latest part of the sample began. The first transaction is no part of any.
    begin: Option<Instant>,
    from: usize,
    next: usize,
    /// Where the next part begins, if that is still to come: nobody looks before.
    resumes: usize,
    /// How many transactions before that were linked to the one before them, and what all of them used.
    linked: u32,
    used: u64,
    promises: Promises,
    /// How many transfers there are from here on, where transactions were last looked at for that.
    transfers: (usize, usize),
    outlook: Option<Outlook>,
    /// What a unit of gas took in the part that was judged last, in seconds.
    per_gas: Option<f64>,
    found_chain: bool,
}

impl<'a> Sample<'a> {
    /// A sample of a block that may be handed over to so many workers, and to none if that is 1.
    pub(crate) fn new(
        block: &'a Block,
        workers: usize,
        lessons: Option<&'a Lessons>,
        promises: Promises,
    ) -> Self {
        Self {
            block,
            workers,
            stopwatch: lessons.map(|lessons| Stopwatch::new(block, lessons)),
            open: workers > 1,
            begin: None,
            from: 1,
            next: 1,
            resumes: 0,
            linked: 0,
            used: 0,
            transfers: (0, promises.mix.plain),
            promises,
            outlook: None,
            per_gas: None,
            found_chain: false,
        }
    }

    /// What the sample said in the end.
    pub(crate) fn outlook(&self) -> Option<Outlook> {
        self.outlook
    }

    /// What a unit of gas took in the end, in seconds.
    pub(crate) fn per_gas(&self) -> Option<f64> {
        self.per_gas
    }

    /// Whether workers would have gained, had the transactions not been linked.
    pub(crate) fn found_chain(&self) -> bool {
        self.found_chain
    }

    /// Looks at what has come of the transactions so far.
    pub(crate) fn look(&mut self, done: &Done) -> Pace {
        let count = done.transactions.len();
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.look(done);
        }
        if !self.open {
            return if self.stopwatch.is_some() { Pace::Pass } else { Pace::Settled };
        }
        if count < self.resumes {
            // The last one before it may be what the next is linked to.
            return if count + 1 < self.resumes { Pace::Pass } else { Pace::Watch };
        }
        if count == self.resumes {
            (self.from, self.linked, self.used) = (count, done.linked, done.sums.gas_used);
            self.begin = Some(Instant::now());
        }
        if count < self.next {
            return Pace::Watch;
        }
        let Some(begin) = self.begin else {
            self.begin = Some(Instant::now());
            self.next = 2;
            self.used = done.sums.gas_used;
            return Pace::Watch;
        };
        match self.judge(count, begin.elapsed(), done.linked, done.sums.gas_used) {
            Pace::Settled => {
                self.open = false;
                Pace::Pass
            }
            Pace::Watch if self.from == count => {
                self.begin = Some(Instant::now());
                self.pause(count);
                Pace::Watch
            }
            pace => pace,
        }
    }

    /// Looks away until the last part of the way to where it judges next, if that is long.
    fn pause(&mut self, count: usize) {
        let way = self.next - count;
        let part = LEAST_PART.max(way / PARTS);
        if part + 1 < way {
            self.resumes = self.next - part;
        }
    }

    /// Judges by the latest transactions before `count`, which took `time`, and by how many of all were linked
    /// to the one before them and what they used.
    fn judge(&mut self, count: usize, time: Duration, linked: u32, used: u64) -> Pace {
        self.next = count + count.div_ceil(2);
        if time < LEAST_SAMPLE {
            return Pace::Watch;
        }
        let transactions = &self.block.transactions;
        let mut seen = Mix::of(transactions[self.from..count].iter());
        let rest = &transactions[count..];
        let mut left = Mix::of(glances(rest));
        if let Some(known) = self.promises.known() {
            // Instead of promises.
            seen.gas = seen.gas_of_calls(used - self.used);
            let (from, plain) = self.transfers;
            let passed = transactions[from..count].iter().filter(|tx| is_plain(tx)).count();
            self.transfers = (count, plain - passed);
            let all = Mix { plain: plain - passed, ..Mix::default() };
            left.gas = all.gas_of_calls(known.saturating_sub(used)) / glance_step(rest) as u64;
        }
        let chain = is_chain(linked - self.linked, count - self.from);
        let gas = used - self.used;
        self.per_gas = (gas > 0).then(|| time.as_secs_f64() / gas as f64);
        (self.from, self.linked, self.used) = (count, linked, used);
        let [each, transfers] = expected(seen, time.as_secs_f64(), left);
        let outlook = Outlook::new(rest.len(), each, transfers, self.workers);
        let former = self.outlook.replace(outlook).map(|former| former.each);
        match outlook.gains() {
            // Each would wait for the one before; the next part may be another thing.
            true if chain => {
                self.found_chain = true;
                Pace::Watch
            }
            true if seen.calls == 1 && rest.len() as f64 * each < SHORT => Pace::Watch,
            true if seen.calls < SEVERAL
                && !former.is_some_and(|former| is_alike(each, former))
                && is_monotonous(self.block) =>
            {
                Pace::Watch
            }
            true if is_about_a_stranger(&transactions[1..count], rest) => Pace::Watch,
            true => Pace::HandOver,
            false if rest.len() as f64 * each < START => Pace::Settled,
            false => Pace::Watch,
        }
    }
}

/// Whether two times say the same.
fn is_alike(one: f64, other: f64) -> bool {
    one < ALIKE * other && other < ALIKE * one
}

/// Whether so many transactions, of which some are linked to the one before them, leave nothing to do beside.
fn is_chain(linked: u32, transactions: usize) -> bool {
    linked as usize * 4 > transactions * 3
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, TxKind};

    use super::*;
    use crate::evm::{Invalid, TransactionOutcome, workload::Workload};

    fn new(block: &Block) -> Sample<'_> {
        Sample::new(block, 2, None, Promises::of(block))
    }

    fn block(name: &str, size: usize) -> Block {
        Workload::by_name(name).expect("a workload").with_transactions(size).build(1).0
    }

    fn judge(sample: &mut Sample<'_>, count: usize, micros: u64) -> Pace {
        sample.judge(count, Duration::from_micros(micros), 0, 0)
    }

    fn judged(name: &str, size: usize, count: usize, micros: u64) -> Pace {
        judge(&mut new(&block(name, size)), count, micros)
    }

    #[test]
    fn long_transactions_are_known_by_the_second_one() {
        let block = calls(600);
        assert_eq!(judge(&mut new(&block), 2, 35), Pace::HandOver);
        assert_eq!(judge(&mut new(&block), 2, 5), Pace::Watch, "one short one says nothing");
    }

    #[test]
    fn those_of_one_function_have_to_agree_while_they_are_few() {
        let block = block("amm", 600);
        let mut sample = new(&block);
        let paces = [(2, 60), (3, 30), (5, 65)].map(|(at, micros)| judge(&mut sample, at, micros));
        assert_eq!(paces, [Pace::Watch, Pace::Watch, Pace::HandOver]);
        assert_eq!(judged("amm", 600, 10, 300), Pace::HandOver, "nine are not few");
    }

    #[test]
    fn cheap_transactions_stay_where_they_are() {
        assert_eq!(judged("nonces", 5_000, 31, 36), Pace::Watch);
        assert_eq!(judged("nonces", 35, 31, 36), Pace::Settled, "nothing is left to gain");
    }

    #[test]
    fn few_long_ones_that_are_left_are_not_worth_waking_anybody() {
        assert_eq!(judged("amm", 20, 19, 600), Pace::Settled);
        assert_eq!(judged("amm", 40, 19, 600), Pace::HandOver);
    }

    /// A block of so many calls, of a function of a contract of their own each.
    fn calls(count: usize) -> Block {
        let mut block = block("amm", count);
        for (at, tx) in block.transactions.iter_mut().enumerate() {
            tx.env.kind = TxKind::Call(Address::with_last_byte(at as u8));
            tx.env.data = vec![at as u8; 4].into();
        }
        block
    }

    #[test]
    fn a_single_call_says_little_of_a_short_rest() {
        let block = calls(15);
        let judged = |count, micros| judge(&mut new(&block), count, micros);
        assert_eq!(judged(2, 30), Pace::Watch, "13 calls of 30 µs");
        assert_eq!(judged(3, 100), Pace::HandOver, "two of 50 µs");
        assert_eq!(judged(2, 100), Pace::HandOver, "13 that long are no short rest");
    }

    #[test]
    fn a_chain_goes_on_one_by_one_until_it_ends() {
        let block = block("amm", 600);
        let mut sample = new(&block);
        let time = Duration::from_micros(400);
        assert_eq!(sample.judge(8, time, 7, 0), Pace::Watch);
        assert_eq!(sample.judge(12, time, 11, 0), Pace::Watch);
        assert_eq!(sample.judge(18, time, 15, 0), Pace::HandOver, "two of six were by themselves");
    }

    #[test]
    fn only_the_last_part_of_a_long_way_is_looked_at() {
        let block = block("nft", 2_000);
        let mut sample = new(&block);
        sample.begin = Some(Instant::now());
        for (count, next, resumes) in [(10, 15, 0), (60, 90, 0), (70, 105, 73), (800, 1_200, 1_100)]
        {
            (sample.from, sample.next, sample.resumes) = (count, next, 0);
            sample.pause(count);
            assert_eq!(sample.resumes, resumes);
        }
        let mut done = Done::default();
        let mut look = |sample: &mut Sample<'_>, count: usize| {
            let skipped =
                || TransactionOutcome::Skipped(Invalid::BlockGas { gas_limit: 0, available: 0 });
            done.transactions.resize_with(count, skipped);
            (done.linked, done.sums.gas_used) = (count as u32, count as u64);
            sample.look(&done)
        };
        assert_eq!(
            [801, 1_098, 1_099].map(|count| look(&mut sample, count)),
            [Pace::Pass, Pace::Pass, Pace::Watch]
        );
        assert_eq!(look(&mut sample, 1_100), Pace::Watch);
        assert_eq!((sample.from, sample.linked, sample.used), (1_100, 1_100, 1_100));
    }

    #[test]
    fn what_is_left_by_the_header_counts_more_than_what_is_promised() {
        let mut block = block("amm", 600);
        let judged = |block: &Block| {
            let mut sample = new(block);
            sample.judge(10, Duration::from_micros(200), 0, 800_000)
        };
        assert_eq!(judged(&block), Pace::HandOver);
        block.claims.gas_used = Some(900_000);
        assert_eq!(
            judged(&block),
            Pace::Settled,
            "the rest uses an eighth of what the first ones used"
        );
        block.claims.gas_used = Some(60_000_000);
        assert_eq!(judged(&block), Pace::HandOver);
    }

    #[test]
    fn transfers_are_counted_once_however_often_the_sample_judges() {
        let mut block = block("mixed", 400);
        block.claims.gas_used = Some(20_000_000);
        let mut sample = new(&block);
        for count in [4, 8, 9, 60, 400] {
            sample.judge(count, Duration::from_micros(200), 0, 0);
            let left = Mix::of(block.transactions[count..].iter()).plain;
            assert_eq!(sample.transfers, (count, left));
        }
    }

    #[test]
    fn no_more_workers_are_woken_than_there_is_work_for() {
        assert_eq!(Outlook::new(100, 3e-6, 0.0, 32).workers, 4);
        assert_eq!(Outlook::new(100_000, 3e-6, 0.0, 32).workers, 32);
    }
}
