//! What an engine has learned from its blocks, by the contracts they called.
//!
//! | learned | from | used for |
//! |---|---|---|
//! | time and gas of a call, one by one | calls that were timed, some of each block that goes that way | path, workers, batch |
//! | what workers gained | the time of a block on the workers, and what its gas takes one by one | path |
//! | how much was wasted | gas thrown away, by gas used | window |
//!
//! The last two are a block's, and are put down to every contract that it called. A path that was given
//! up is tried again after some dozens of blocks. The table has a fixed size: a contract that falls on
//! the place of another takes it.
//!
//! None of it changes a result; a lesson that is out of date costs time.

use std::hash::BuildHasher;

use super::promises::is_plain;
use crate::{
    evm::{Block, Transaction},
    sync::{
        Mutex, RandomState,
        atomic::{AtomicU32, Ordering},
    },
};

/// Contracts that are known at a time, at the most.
const PLACES: usize = 4_096;
/// Transactions of a block that are looked at.
const GLANCES: usize = 256;
/// Of the calls looked at, so many have to be known, else nothing is.
const KNOWN: f64 = 0.7;
/// What a plain transfer takes, in seconds.
pub(super) const TRANSFER: f64 = 1.2e-6;
/// Gas of one.
const TRANSFER_GAS: f64 = 21_000.0;
/// One of so many blocks begins with a sample for the sake of what it teaches.
const CURIOUS: u32 = 8;
/// By how much a block that goes one by one brings a path that was given up closer to its next trial.
const PARDON: f32 = 0.004;

/// What is known of calls to one function of one contract.
#[derive(Clone, Copy, Debug, Default)]
struct Lesson {
    /// Which one; 0 where there is none.
    tag: u64,
    /// Seconds that a call takes one by one, and its gas; 0 if not known.
    each: f32,
    gas: f32,
    /// How many times faster blocks with it ran on workers; 0 if not known.
    gain: f32,
    /// Gas thrown away by gas used, in such blocks.
    waste: f32,
}

/// What is to be expected of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expectation {
    /// What its transactions take one by one, if enough of them are known.
    pub(crate) cost: Option<Cost>,
    /// How many times faster workers will be, if blocks like it ran on them.
    pub(crate) gain: Option<f64>,
    /// Gas thrown away by gas used.
    pub(crate) waste: f64,
}

/// What transactions take one by one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// Seconds for one, on average.
    pub(crate) each: f64,
    /// Seconds for a unit of gas.
    pub(crate) rate: f64,
}

/// A call that was timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) call: Call,
    pub(crate) seconds: f32,
    pub(crate) gas: f32,
}

/// A call, by its recipient and the function that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call(u64);

/// What an engine has learned.
#[derive(Debug, Default)]
pub(crate) struct Lessons {
    places: Mutex<Vec<Lesson>>,
    hasher: RandomState,
    /// How many promising blocks came of whose calls not enough is known.
    unknown: AtomicU32,
}

impl Lessons {
    /// Forgets everything.
    pub(crate) fn forget(&self) {
        // The room is kept: to have it anew costs a block tens of microseconds.
        self.places.lock().clear();
        self.unknown.store(0, Ordering::Relaxed);
    }

    /// Whether to look at the next block that is promising but unknown for what its calls take, which
    /// nothing but a sample tells: at one of each [`CURIOUS`].
    pub(crate) fn is_curious(&self) -> bool {
        // Relaxed: a counter.
        self.unknown.fetch_add(1, Ordering::Relaxed) % CURIOUS == CURIOUS - 1
    }

    /// Which call the transaction is; `None` for a plain transfer.
    pub(crate) fn call_of(&self, tx: &Transaction) -> Option<Call> {
        let function = &tx.env.data[..tx.env.data.len().min(4)];
        // Zero stands for no lesson.
        let tag = || self.hasher.hash_one((tx.env.kind.to(), function)).max(1);
        (!is_plain(tx)).then(tag).map(Call)
    }

    /// The calls that a block is known by: of some of its transactions, with the number of plain transfers
    /// among those.
    fn calls_of(&self, block: &Block) -> (Vec<Call>, usize) {
        let transactions = &block.transactions;
        let step = transactions.len().div_ceil(GLANCES).max(1);
        let looked_at = transactions.iter().step_by(step);
        let calls: Vec<Call> = looked_at.filter_map(|tx| self.call_of(tx)).collect();
        let plain = transactions.len().div_ceil(step) - calls.len();
        (calls, plain)
    }

    /// What is to be expected of the block.
    pub(crate) fn expect(&self, block: &Block) -> Expectation {
        let nothing = Expectation { cost: None, gain: None, waste: 0.0 };
        if self.places.lock().is_empty() {
            return nothing;
        }
        let (calls, plain) = self.calls_of(block);
        if calls.is_empty() {
            return nothing;
        }
        let (count, plain) = (calls.len() as f64, plain as f64);
        let places = self.places.lock();
        let lessons = || calls.iter().filter_map(|call| find(&places, *call));
        let sum = |part: fn(&Lesson) -> f32| lessons().map(|lesson| f64::from(part(lesson))).sum();
        let known = lessons().filter(|lesson| lesson.each > 0.0).count() as f64;
        let tried = lessons().filter(|lesson| lesson.gain > 0.0).count() as f64;
        let [each, gas]: [f64; 2] = [sum(|lesson| lesson.each), sum(|lesson| lesson.gas)];
        let cost = (known >= KNOWN * count).then(|| {
            // Calls that are not known are taken to be like those that are.
            let time = each / known * count + TRANSFER * plain;
            let gas = gas / known * count + TRANSFER_GAS * plain;
            Cost { each: time / (count + plain), rate: time / gas.max(1.0) }
        });
        let tried_enough = tried >= KNOWN * count;
        let gain: f64 = sum(|lesson| lesson.gain);
        let waste: f64 = sum(|lesson| lesson.waste);
        Expectation {
            cost,
            gain: tried_enough.then(|| gain / tried),
            waste: if tried_enough { waste / tried } else { 0.0 },
        }
    }

    /// Learns from calls that were timed, one by one.
    pub(crate) fn learn_times(&self, times: &[Timed]) {
        if times.is_empty() {
            return;
        }
        let mut places = self.places.lock();
        for Timed { call, seconds, gas } in times {
            let lesson = place(&mut places, *call);
            if lesson.each == 0.0 {
                (lesson.each, lesson.gas) = (*seconds, *gas);
            } else {
                // One that was interrupted says nothing.
                lesson.each += (seconds.min(4.0 * lesson.each) - lesson.each) / 8.0;
                lesson.gas += (gas - lesson.gas) / 8.0;
            }
        }
    }

    /// Learns from a block that ran on workers: how many times faster than one by one, and what it wasted.
    pub(crate) fn learn_gain(&self, block: &Block, gain: f64, waste: f64) {
        let (calls, _) = self.calls_of(block);
        let mut places = self.places.lock();
        let mut done = hashbrown::HashSet::new();
        for call in calls.into_iter().filter(|call| done.insert(call.0)) {
            let lesson = place(&mut places, call);
            let first = lesson.gain == 0.0;
            let mix =
                |old: f32, new: f64| if first { new as f32 } else { (old + new as f32) / 2.0 };
            lesson.waste = mix(lesson.waste, waste);
            lesson.gain = mix(lesson.gain, gain.clamp(0.01, 1e3));
        }
    }

    /// A block went one by one because of what was learned: what has not paid may pay one day.
    pub(crate) fn pardon(&self, block: &Block) {
        let (calls, _) = self.calls_of(block);
        let mut places = self.places.lock();
        let mut done = hashbrown::HashSet::new();
        for call in calls.into_iter().filter(|call| done.insert(call.0)) {
            let lesson = place(&mut places, call);
            if lesson.gain > 0.0 {
                lesson.gain += PARDON;
            }
        }
    }
}

fn index(call: Call) -> usize {
    (call.0 >> 32) as usize % PLACES
}

fn find(places: &[Lesson], call: Call) -> Option<&Lesson> {
    places.get(index(call)).filter(|lesson| lesson.tag == call.0)
}

/// The call's place, which it takes from whoever had it.
fn place(places: &mut Vec<Lesson>, call: Call) -> &mut Lesson {
    if places.is_empty() {
        places.resize(PLACES, Lesson::default());
    }
    let lesson = &mut places[index(call)];
    if lesson.tag != call.0 {
        *lesson = Lesson { tag: call.0, ..Lesson::default() };
    }
    lesson
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{evm::workload::Scenario, sync::Arc};

    fn block(name: &str) -> Arc<Block> {
        let scenario = Scenario::by_name(name).expect("a scenario");
        scenario.build(100, 1, &scenario.settings([]).expect("the usual ones")).block
    }

    /// Lessons from a block whose calls took so many microseconds.
    fn taught(block: &Block, micros: f32) -> Lessons {
        let lessons = Lessons::default();
        let calls = block.transactions.iter().filter_map(|tx| lessons.call_of(tx));
        let timed = |call| Timed { call, seconds: micros * 1e-6, gas: 50_000.0 };
        lessons.learn_times(&calls.map(timed).collect::<Vec<_>>());
        lessons
    }

    #[test]
    fn what_a_call_takes_is_known_until_it_is_forgotten() {
        let swaps = block("amm-one");
        let lessons = taught(&swaps, 30.0);
        let expected = lessons.expect(&swaps);
        let cost = expected.cost.expect("all are known");
        assert!((cost.each - 30e-6).abs() < 1e-6 && (cost.rate - 6e-10).abs() < 1e-11, "{cost:?}");
        assert_eq!((expected.gain, expected.waste), (None, 0.0));
        lessons.forget();
        assert_eq!(lessons.expect(&swaps).cost, None);
    }

    #[test]
    fn of_other_contracts_nothing_is_known() {
        let expected = taught(&block("amm-one"), 30.0).expect(&block("nft"));
        assert_eq!((expected.cost, expected.gain), (None, None));
    }

    #[test]
    fn a_path_that_did_not_pay_is_tried_again_after_some_dozens_of_blocks() {
        let swaps = block("amm-one");
        let lessons = taught(&swaps, 30.0);
        lessons.learn_gain(&swaps, 0.9, 0.4);
        let gain = || lessons.expect(&swaps).gain.expect("tried");
        assert!((gain() - 0.9).abs() < 1e-3);
        let blocks = (0..)
            .take_while(|_| {
                lessons.pardon(&swaps);
                gain() < 1.05
            })
            .count();
        assert!((24..100).contains(&blocks), "{blocks}");
    }

    #[test]
    fn one_of_eight_unknown_blocks_is_looked_at() {
        let lessons = Lessons::default();
        let looked_at = || (0..16).filter(|_| lessons.is_curious()).collect::<Vec<_>>();
        assert_eq!(looked_at(), [7, 15]);
        lessons.is_curious();
        lessons.forget();
        assert_eq!(looked_at(), [7, 15]);
    }

    #[test]
    fn the_table_does_not_grow() {
        let lessons = Lessons::default();
        for number in 1..100_000_u64 {
            let call = Call(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            lessons.learn_times(&[Timed { call, seconds: 1e-6, gas: 1.0 }]);
        }
        assert_eq!(lessons.places.lock().len(), PLACES);
    }
}
