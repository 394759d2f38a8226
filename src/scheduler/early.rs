//! Which transactions to start before their turn: those that would be run alone at the end.
//!
//! Transactions start in block order, which keeps speculation close to the commit cursor. But one that is
//! longer than all that the other workers have left keeps them waiting:
//!
//! ```text
//!  in order    worker 0  a c e   ├──────── g ────────┤          worker 0  ├──────── g ────────┤
//!              worker 1  b d f h                     idle       worker 1  a b c d e f h
//! ```
//!
//! So a transaction is started as soon as its weight is as much as each other worker would have to do
//! meanwhile: not earlier, because it would then run on older state for nothing. On blocks of many short
//! transactions this concerns none or the last few.
//!
//! A weight is a promise, such as a gas limit, of which the many keep little: real blocks use 0.1 to 0.8 of
//! their limits, the median 0.4, while a transaction that is long indeed uses most of its own. So what the
//! others have left counts a third; one that starts too early loses less than one that starts too late. A
//! wrong guess costs time only: the transaction is a context like any other, within the window, and validated
//! when its turn has come.
//!
//! Real blocks, two workers, ratio to sequential in order; with weights taken at their word; with the others'
//! counting a half, a third, a fifth: 18426253, one transaction of which is half of its work, 1.14; 1.49; 1.60,
//! 1.57, 1.69; 19929064, likewise, 1.04; 1.38; 1.42, 1.74, 1.62. Others moved by no more than the noise.
//!
//! `loom-tests/scheduler_ready.rs` explores the handing out.

use crate::{
    state::TxIndex,
    sync::{
        atomic::{AtomicU32, Ordering},
        weakened,
    },
};

/// Of what the others promise, one part in so many is expected of them.
const PROMISED: u128 = 3;

/// A transaction to be started early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    /// When every transaction below this one was handed out.
    when: u32,
    tx: u32,
}

/// The transactions of a block that start early, in that order.
#[derive(Debug, Default)]
pub struct EarlyStarts {
    starts: Box<[Start]>,
    next: AtomicU32,
}

impl EarlyStarts {
    /// Those of a block of as many transactions as there are weights, of which those below `first` are done.
    pub fn plan(weights: &[u64], first: u32, workers: usize) -> Self {
        let workers = workers as u128;
        if workers < 2 || weights.len() < 3 {
            return Self::default();
        }
        // What is left when all below a transaction are done.
        let mut left = vec![0_u128; weights.len() + 1];
        for (at, weight) in weights.iter().enumerate().rev() {
            left[at] = left[at + 1] + u128::from(*weight);
        }
        let mut starts = Vec::new();
        for (at, weight) in weights.iter().enumerate().skip(first as usize + 2) {
            // Its own part of this is what it promises itself.
            let enough = u128::from(*weight) * (1 + PROMISED * (workers - 1));
            // Fewer than two to overtake are not worth it.
            if left[at - 2] > enough {
                continue;
            }
            let when = left.partition_point(|left| *left > enough);
            // Among its like it is not the one that would be left over.
            let overtaken = left[when] - left[at];
            if overtaken * PROMISED <= u128::from(*weight) * (at - when) as u128 {
                starts.push(Start { when: when as u32, tx: at as u32 });
            }
        }
        starts.sort_unstable();
        Self { starts: starts.into(), next: AtomicU32::new(0) }
    }

    /// Takes the next one, if its time has come: all below `fresh` are handed out, and none at or above
    /// `end` may be.
    #[inline]
    pub fn pop(&self, fresh: u32, end: u32) -> Option<TxIndex> {
        if self.starts.is_empty() { None } else { self.pop_due(fresh, end) }
    }

    fn pop_due(&self, fresh: u32, end: u32) -> Option<TxIndex> {
        // Relaxed: the index is all that is handed over.
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let start = self.starts.get(next as usize)?;
            if start.when > fresh || start.tx >= end {
                return None;
            }
            if weakened("early.next-rmw") {
                self.next.store(next + 1, Ordering::Relaxed);
                return Some(TxIndex(start.tx));
            }
            match self.next.compare_exchange_weak(
                next,
                next + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) if start.tx < fresh => next += 1,
                Ok(_) => return Some(TxIndex(start.tx)),
                Err(now) => next = now,
            }
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    fn starts(weights: &[u64], workers: usize) -> Vec<(u32, u32)> {
        let early = EarlyStarts::plan(weights, 0, workers);
        early.starts.iter().map(|start| (start.when, start.tx)).collect()
    }

    #[test]
    fn a_long_transaction_starts_when_the_rest_is_probably_as_long() {
        // 4 of its own and thrice 4 of the others'.
        assert_eq!(starts(&[[1; 15].as_slice(), &[4]].concat(), 2), [(3, 15)]);
        assert_eq!(starts(&[1, 1, 1, 1, 1, 9, 1], 2), [(0, 5)]);
        // The same for each of two others.
        assert_eq!(starts(&[[1; 30].as_slice(), &[4]].concat(), 3), [(6, 30)]);
    }

    #[test]
    fn transactions_alike_start_in_order() {
        assert_eq!(starts(&[5; 50], 2), []);
        assert_eq!(starts(&[u64::MAX; 50], 2), []);
        assert_eq!(starts(&[1, 9, 1], 2), []);
        assert_eq!(starts(&[[2; 40].as_slice(), &[3; 10]].concat(), 2), []);
    }

    #[test]
    fn one_worker_starts_in_order() {
        assert_eq!(starts(&[1, 1, 1, 1, 9], 1), []);
    }

    #[test]
    fn each_is_handed_out_once_when_its_time_has_come() {
        let early = EarlyStarts::plan(&[[1; 15].as_slice(), &[4]].concat(), 0, 2);
        assert_eq!(early.pop(2, 16), None);
        assert_eq!(early.pop(3, 15), None, "beyond the window");
        assert_eq!(early.pop(4, 16), Some(TxIndex(15)));
        assert_eq!(early.pop(4, 16), None);
    }

    #[test]
    fn one_whose_turn_has_come_is_left_to_it() {
        let early = EarlyStarts::plan(&[1, 1, 1, 1, 1, 4], 0, 2);
        assert_eq!(early.pop(6, 6), None);
    }
}
