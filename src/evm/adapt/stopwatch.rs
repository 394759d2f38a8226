//! Some calls of the beginning of a block, timed by themselves, for [`super::Lessons`].

use super::lessons::{Call, Lessons, Timed};
use crate::{
    evm::{Block, TransactionOutcome, sequential::Done},
    sync::time::Instant,
};

/// So many of a block's first calls are timed, and then one of each [`SELDOM`].
const TIMED_FIRST: usize = 16;
const SELDOM: usize = 8;
/// Times that are kept.
const MOST_TIMES: usize = 512;

/// Times calls, and teaches what they took in the end.
pub(super) struct Stopwatch<'a> {
    block: &'a Block,
    lessons: &'a Lessons,
    times: Vec<Timed>,
    /// The call that is running, and since when.
    timed: Option<(Call, Instant)>,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn new(block: &'a Block, lessons: &'a Lessons) -> Self {
        Self { block, lessons, times: Vec::new(), timed: None }
    }

    /// Takes the time of the transaction that has just ended, if it is timed, and decides on the next.
    #[inline]
    pub(super) fn look(&mut self, done: &Done) {
        if let Some((call, begin)) = self.timed.take() {
            let seconds = begin.elapsed().as_secs_f32();
            // One that was left out is no sample of anything.
            if let Some(TransactionOutcome::Executed(executed)) = done.transactions.last() {
                let gas = executed.result.tx_gas_used() as f32;
                self.times.push(Timed { call, seconds, gas });
            }
        }
        let next = done.transactions.len();
        let chosen = next <= TIMED_FIRST || next.is_multiple_of(SELDOM);
        if chosen && self.times.len() < MOST_TIMES {
            let call = self.block.transactions.get(next).and_then(|tx| self.lessons.call_of(tx));
            self.timed = call.map(|call| (call, Instant::now()));
        }
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        self.lessons.learn_times(&self.times);
    }
}
