//! Paired runs of the baseline and of the engine on so many threads.

use std::sync::Arc;

use chorus::{
    evm::{
        BlockError, BlockOutcome, Engine, EngineError, Sequential, StateStore, Statistics,
        workload::scenario::Contention,
    },
    sync::time::{Duration, Instant},
};

use super::{
    clock::{processor_time, settle, sleep},
    copies::Copies,
};
use crate::{
    arguments::Path,
    check::{Answer, difference},
};

/// One engine per number of threads, and what the machine is measured by.
pub(super) struct Engines(Vec<(usize, Engine, Option<Copies>)>);

impl Engines {
    /// Starts their workers. Idle ones use no processor time.
    pub(super) fn start(
        work: &Contention,
        threads: &[usize],
        path: Path,
    ) -> Result<Self, EngineError> {
        let start = |threads: &usize| {
            Ok((*threads, engine(work, *threads, path)?, Copies::start(work, *threads)?))
        };
        threads.iter().map(start).collect::<Result<_, _>>().map(Self)
    }
}

/// An engine for the work.
pub(super) fn engine(work: &Contention, threads: usize, path: Path) -> Result<Engine, EngineError> {
    Engine::builder()
        .threads(threads)
        .path(path.into())
        .policy(work.policy)
        .shared_memory(work.memory.clone())
        .build()
}

/// How often and when runs are timed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    pub(super) repeat: u32,
    /// Whether there are as many after that in which the engine remembers the former ones.
    pub(super) warm: bool,
    /// How long everybody sleeps before each timed run.
    pub(super) pause: Duration,
}

impl Rounds {
    /// How many pairs of runs that makes.
    pub(super) fn pairs(&self) -> u32 {
        self.repeat * (1 + u32::from(self.warm))
    }
}

/// One run: its time, and the processor time of all threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) time: Duration,
    pub(super) processor: Option<Duration>,
}

/// One run of each, back to back.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) sequential: Spent,
    pub(super) parallel: Spent,
    /// How many copies of the baseline were made at once, and in what time.
    pub(super) copies: Option<(usize, Duration)>,
    pub(super) statistics: Statistics,
}

impl Pair {
    pub(super) fn ratio(&self) -> f64 {
        self.sequential.time.as_secs_f64() / self.parallel.time.as_secs_f64().max(1e-9)
    }

    /// How many times faster the machine was on copies side by side than on one after another.
    pub(super) fn machine(&self) -> Option<f64> {
        let (copies, time) = self.copies?;
        Some(self.sequential.time.as_secs_f64() * copies as f64 / time.as_secs_f64().max(1e-9))
    }
}

/// What came of an engine's runs.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) threads: usize,
    pub(super) pairs: Vec<Pair>,
    /// The same with an engine that remembers the former runs; none unless asked for.
    pub(super) warm: Vec<Pair>,
    /// Where the first run that differed from the sequential one did so.
    pub(super) difference: Option<String>,
}

/// Everything that came of a block.
pub(super) struct Bench {
    /// The sequential outcome.
    pub(super) outcome: BlockOutcome,
    /// One for each number of threads.
    pub(super) measured: Vec<Measured>,
}

impl Bench {
    /// For each engine: runs the block once untimed, then in each round with a run of the baseline beside
    /// it, before or after it in turns.
    ///
    /// One engine after the other, because each has memory of its own: what the allocator keeps for one
    /// goes back to the system while others run, and the baseline, whose memory is always in use, would
    /// be compared with engines that start with none.
    ///
    /// # Errors
    ///
    /// If the block has no outcome.
    pub(super) fn run(
        work: &Contention,
        engines: Engines,
        rounds: Rounds,
        mut tick: impl FnMut(),
    ) -> Result<Self, BlockError> {
        let expected: Answer = Ok(one_by_one(work)?);
        let mut measured = Vec::new();
        for (threads, engine, copies) in engines.0 {
            engine.forget();
            let difference = difference(&expected, &execute(work, &engine));
            let mut of_engine =
                Measured { threads, pairs: Vec::new(), warm: Vec::new(), difference };
            for round in 0..rounds.pairs() {
                tick();
                if of_engine.difference.is_none() {
                    let turn = Turn {
                        baseline_first: round % 2 == 0,
                        forgets: round < rounds.repeat,
                        pause: rounds.pause,
                    };
                    of_engine.round(work, (&engine, copies.as_ref()), &expected, turn);
                }
            }
            measured.push(of_engine);
        }
        Ok(Self { outcome: expected?, measured })
    }
}

/// How one of the rounds goes.
#[derive(Clone, Copy)]
struct Turn {
    baseline_first: bool,
    forgets: bool,
    pause: Duration,
}

impl Measured {
    /// One run of the engine and one of the baseline, and then of copies of it.
    fn round(
        &mut self,
        work: &Contention,
        (engine, copies): (&Engine, Option<&Copies>),
        expected: &Answer,
        Turn { baseline_first, forgets, pause }: Turn,
    ) {
        // What a run returns is compared and freed before the next one begins, which
        // would have to find new memory otherwise.
        let baseline = || {
            let (answer, spent) = spend(pause, || one_by_one(work));
            (difference(expected, &answer), spent)
        };
        let subject = || {
            if forgets {
                engine.forget();
            }
            let (answer, spent) = spend(pause, || execute(work, engine));
            let difference = difference(expected, &answer);
            (difference, answer.map(|outcome| outcome.statistics).unwrap_or_default(), spent)
        };
        let ((unequal, sequential), (difference, statistics, parallel)) = if baseline_first {
            let first = baseline();
            (first, subject())
        } else {
            let first = subject();
            (baseline(), first)
        };
        // The reference is checked as well: it must be deterministic to be one.
        self.difference =
            difference.or_else(|| unequal.map(|_| "two sequential runs differ".to_owned()));
        let copies = copies.filter(|_| forgets).map(|copies| copies.run(pause));
        let pair = Pair { sequential, parallel, copies, statistics };
        if forgets { self.pairs.push(pair) } else { self.warm.push(pair) }
    }
}

/// The baseline.
pub(super) fn one_by_one(work: &Contention) -> Answer {
    let mut machine = Sequential::with_shared_memory(work.memory.clone());
    machine.execute(&work.block, &*work.store, work.policy)
}

/// The engine.
pub(super) fn execute(work: &Contention, engine: &Engine) -> Answer {
    let store: Arc<dyn StateStore> = work.store.clone();
    engine.execute(&work.block, &store)
}

/// Runs something after a pause, and leaves what it returns to be freed by the caller.
pub(super) fn spend(pause: Duration, run: impl FnOnce() -> Answer) -> (Answer, Spent) {
    settle(Duration::ZERO);
    sleep(pause);
    let before = processor_time();
    let begin = Instant::now();
    let answer = run();
    let time = begin.elapsed();
    let settling = settle(time);
    let used = |(before, after): (Duration, Duration)| after.saturating_sub(before + settling);
    let processor = before.zip(processor_time()).map(used);
    (answer, Spent { time, processor })
}
