//! Whether workers are as fast as one by one was.
//!
//! What a cache line takes from one core to another decides whether short transactions gain, and on a machine that is
//! shared it changes from one minute to the next: between 60 and 320 ns on the one that this was measured on. There 1,000
//! transactions of 1.8 µs that hand eight contracts round took 0.75 of sequential's time in some minutes and 1.6 in
//! others, in which they take 1.0 to 1.07 since they are held to it; and as many that write a word of one page each, 0.72
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
    begin: Instant,
}

/// Where the workers were when somebody first looked, in seconds since they began: the work, and the time. What went
/// before is not counted, since a worker that is woken comes 50 µs later.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    work: f64,
    time: f64,
}

impl Tempo {
    /// One that begins now, with work that would take so long one by one, in seconds, as a unit of gas does.
    pub(crate) fn new(work: f64, per_gas: f64) -> Self {
        Self::since(Instant::now(), work, per_gas)
    }

    /// The same, begun then.
    pub(super) fn since(begin: Instant, work: f64, per_gas: f64) -> Self {
        Self { per_gas, least: LEAST.max(work * LEAST_SHARE), begin }
    }

    /// Whether the workers, who have committed so much gas by now, have been slower than one by one since the `mark`, which
    /// the first look sets.
    pub(super) fn is_lost(&self, mark: &mut Option<Mark>, gas: f64) -> bool {
        self.is_lost_at(|| self.begin.elapsed().as_secs_f64(), mark, gas)
    }

    fn is_lost_at(&self, time: impl Fn() -> f64, mark: &mut Option<Mark>, gas: f64) -> bool {
        let work = gas * self.per_gas;
        match mark {
            Some(mark) => {
                let work = work - mark.work;
                let is_time = (self.least..MOST * self.least).contains(&work);
                is_time && time() - mark.time > work
            }
            None => {
                *mark = Some(Mark { work, time: time() });
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::time::Duration;

    #[test]
    fn workers_that_are_no_faster_leave_and_any_others_stay() {
        let tempo = Tempo::new(1e-3, 1e-9);
        let lost =
            |time| tempo.is_lost_at(|| time, &mut Some(Mark { work: 50e-6, time: 1.0 }), 150e3);
        assert_eq!([99e-6, 101e-6].map(|time| lost(1.0 + time)), [false, true]);
    }

    #[test]
    fn what_went_before_the_first_look_is_not_counted() {
        let second = Duration::from_secs(1);
        let tempo = Tempo::since(Instant::now() - second, 1e-3, 1e-9);
        let mut mark = None;
        assert!(!tempo.is_lost(&mut mark, 50e3));
        let Some(Mark { work, time }) = mark else { panic!("the first look") };
        assert!((work - 50e-6).abs() < 1e-12 && time >= 1.0);
        // Another second has to go by for what is behind a mark that late.
        mark = Some(Mark { work, time: time + 1.0 });
        assert!(!tempo.is_lost(&mut mark, 150e3));
        mark = Some(Mark { work, time: 0.0 });
        assert!(tempo.is_lost(&mut mark, 150e3));
    }

    #[test]
    fn they_are_judged_in_the_beginning_and_in_a_long_block_later() {
        let begin = Instant::now() - Duration::from_secs(1);
        let lost = |work, gas| {
            let mut mark = Some(Mark { work: 0.0, time: 0.0 });
            Tempo::since(begin, work, 1e-9).is_lost(&mut mark, gas)
        };
        assert_eq!(
            [79e3, 81e3, 239e3, 241e3].map(|gas| lost(1e-3, gas)),
            [false, true, true, false]
        );
        assert_eq!([4.9e6, 5.1e6].map(|gas| lost(80e-3, gas)), [false, true]);
    }
}
