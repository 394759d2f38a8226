//! What the machine gives: as many copies of the baseline side by side as there are threads.
//!
//! Cores of a machine that is shared, or that has been asleep, are worth less than their number, and how
//! much less changes from one minute to the next. So beside each pair of runs every thread executes
//! the whole block by itself, one transaction after another, with nothing in common but the input. An
//! engine that splits one block among these threads has no more than this to go by:
//!
//! ```text
//!   machine = copies × time of one alone ÷ time until the last of them has ended
//! ```
//!
//! The threads wait asleep between runs, as an engine's workers do, and the calling thread makes one of
//! the copies, as it is one of the workers.

use chorus::{
    engine::PoolError,
    evm::{EngineError, workload::scenario::Contention},
    sync::{
        channel::{Receiver, Sender, unbounded},
        thread::{Builder, JoinHandle, available_parallelism},
        time::{Duration, Instant},
    },
};

use super::{clock::sleep, measure::one_by_one};

/// The threads that make copies.
pub(super) struct Copies {
    work: Contention,
    others: Vec<(Sender<()>, JoinHandle<()>)>,
    ended: Receiver<()>,
}

impl Copies {
    /// As many as `threads`, or as the machine has cores if that is less; none if that is one, which would
    /// be the baseline.
    ///
    /// # Errors
    ///
    /// If the system starts no thread.
    pub(super) fn start(work: &Contention, threads: usize) -> Result<Option<Self>, EngineError> {
        let count = threads.min(available_parallelism());
        let (end, ended) = unbounded();
        let start = |number: usize| {
            let (work, end) = (work.clone(), end.clone());
            let (go, gone) = unbounded();
            let body = move || {
                while gone.recv().is_ok() {
                    let answer = one_by_one(&work);
                    let _ = end.send(());
                    drop(answer);
                    // What comes next is not to be disturbed.
                    let _ = end.send(());
                }
            };
            let name = format!("chorus-copy-{number}");
            match Builder::new().name(name).spawn(body) {
                Ok(thread) => Ok((go, thread)),
                Err(reason) => Err(PoolError::Spawn { worker: number, workers: count, reason }),
            }
        };
        let others: Vec<_> = (1..count).map(start).collect::<Result<_, PoolError>>()?;
        Ok((count > 1).then(|| Self { work: work.clone(), others, ended }))
    }

    /// How many copies of the block were executed at once, after a pause, and in what time.
    pub(super) fn run(&self, pause: Duration) -> (usize, Duration) {
        sleep(pause);
        let begin = Instant::now();
        for (go, _) in &self.others {
            // A copy that panicked is missing among the ended ones, too.
            let _ = go.send(());
        }
        let own = one_by_one(&self.work);
        let ended = self.others.iter().filter(|_| self.ended.recv().is_ok()).count();
        let time = begin.elapsed();
        drop(own);
        for _ in &self.others {
            let _ = self.ended.recv();
        }
        (1 + ended, time)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        for (go, thread) in self.others.drain(..) {
            drop(go);
            let _ = thread.join();
        }
    }
}
