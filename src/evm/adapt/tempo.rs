//! Whether workers are as fast as one by one was.
//!
//! What a cache line takes from one core to another decides whether short transactions gain, and on a machine that is
//! shared it changes from one minute to the next: between 60 and 320 ns on the one that this was measured on. There 1,000
//! transactions of 1.8 µs that hand eight contracts round took 0.75 of sequential's time in some minutes and 1.6 in
//! others, in which they take 1.0 to 1.1 since they are held to it; and as many that write a word of one page each, 0.72
//! and 1.8. In others again two cores together did no more than one. No sample shows that. So where the
//! beginning of the block, one by one, tells what the rest would take, the workers are held to it: if they are no faster,
//! they leave.
//!
//! It tells that only of a block whose transactions nearly all call functions of one name
//! ([`is_monotonous`](super::is_monotonous)): otherwise a unit of gas takes five times as long in one transaction as in
//! another. In a long block a short way behind may be a neighbour's turn on the core, so the longer the block, the
//! longer it is watched first. The engine learns nothing from it, since it is the machine's doing.

use crate::sync::time::Instant;

/// Work of less, in seconds, says little ...
const LEAST: f64 = 80e-6;
/// ... and so does less than this share of what there is.
const LEAST_SHARE: f64 = 1.0 / 16.0;
/// Nobody looks any more after so many times as much. A single long transaction may take twice as long for its gas as
/// the short ones, and keeps the commits of all behind it waiting.
const MOST: f64 = 3.0;

/// What the workers are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    /// What a unit of gas took one by one, in seconds.
    per_gas: f64,
    /// Work of less, in seconds, says nothing.
    least: f64,
}

/// Where the workers were when somebody first looked. What went before is not counted, since a worker that is woken
/// comes 50 µs later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// In seconds that it takes one by one.
    work: f64,
    time: Instant,
}

impl Tempo {
    /// One for work that would take so long one by one, in seconds, as a unit of gas does.
    pub(crate) fn new(work: f64, per_gas: f64) -> Self {
        Self { per_gas, least: LEAST.max(work * LEAST_SHARE) }
    }

    /// Whether the workers, who have committed so much gas by now, have been slower than one by one since the `mark`, which
    /// the first look sets.
    pub(super) fn is_lost(&self, mark: &mut Option<Mark>, gas: f64) -> bool {
        let work = gas * self.per_gas;
        match mark {
            Some(mark) => {
                let work = work - mark.work;
                let is_time = (self.least..MOST * self.least).contains(&work);
                is_time && mark.time.elapsed().as_secs_f64() > work
            }
            None => {
                *mark = Some(Mark { work, time: Instant::now() });
                false
            }
        }
    }
}

#[cfg(test)]
impl Mark {
    /// That much work, so long ago.
    pub(super) fn ago(work: f64, time: crate::sync::time::Duration) -> Option<Self> {
        Some(Self { work, time: Instant::now() - time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::time::Duration;

    const LONG_AGO: Duration = Duration::from_secs(1);

    #[test]
    fn workers_that_are_no_faster_leave_and_any_others_stay() {
        let tempo = Tempo::new(300.0, 1e-9);
        let lost = |seconds| {
            let mut mark = Mark::ago(1.0, Duration::from_secs(seconds));
            [20e9, 50e9].map(|gas| tempo.is_lost(&mut mark, 1e9 + gas))
        };
        assert_eq!(lost(0), [false, false]);
        assert_eq!(lost(30), [true, false], "20 and 50 seconds of work");
    }

    #[test]
    fn what_went_before_the_first_look_is_not_counted() {
        let tempo = Tempo::new(1e-3, 1e-9);
        let mut mark = None;
        assert!(!tempo.is_lost(&mut mark, 50e3));
        assert!(mark.is_some_and(|mark| (mark.work - 50e-6).abs() < 1e-12));
        let mut mark = Mark::ago(50e-6, LONG_AGO);
        assert_eq!([129e3, 131e3].map(|gas| tempo.is_lost(&mut mark, gas)), [false, true]);
    }

    #[test]
    fn they_are_judged_in_the_beginning_and_in_a_long_block_later() {
        let lost = |work, gas| Tempo::new(work, 1e-9).is_lost(&mut Mark::ago(0.0, LONG_AGO), gas);
        assert_eq!(
            [79e3, 81e3, 239e3, 241e3].map(|gas| lost(1e-3, gas)),
            [false, true, true, false]
        );
        assert_eq!([4.9e6, 5.1e6].map(|gas| lost(80e-3, gas)), [false, true]);
    }
}
