//! Paired runs over a store that is slow on purpose.

use std::sync::Arc;

use chorus::{
    evm::{
        BlockError, BlockOutcome, Engine, InvalidPolicy, Sequential, StateStore, Statistics,
        limit::Profile,
    },
    store::{Achieved, Latency, LatencyStore},
    sync::time::{Duration, Instant},
};

use crate::{check::difference, executor::Work};

/// A sequential run that would wait longer than this altogether is not run: its time is taken to be
/// that at zero latency and that of its waits.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the engine runs for each sequential run over a slow store, which takes ten to a hundred times as long. A
/// single run of the engine is a tenth off in a busy minute.
const RUNS: u32 = 5;

/// One block at one latency.
#[derive(Clone)]
pub(super) struct Measured {
    /// What a cold read was to take.
    pub(super) latency: Duration,
    /// What it took in the parallel runs.
    pub(super) achieved: Achieved,
    /// Median time one by one.
    pub(super) sequential: Duration,
    /// Whether that was measured.
    pub(super) ran: bool,
    /// Median time of the engine.
    pub(super) parallel: Duration,
    /// Median of the pairs' ratios.
    pub(super) ratio: f64,
    /// Median of the engine's times as multiples of its own, each measured just before, over a store that does not wait.
    pub(super) of_zero: f64,
    /// How the last parallel run went.
    pub(super) statistics: Statistics,
    /// All runs came to the same.
    pub(super) equal: bool,
}

impl Measured {
    /// Runs the block `repeat` times one by one, and after each of these runs [`RUNS`] times on the engine. The sequential
    /// one waits for seconds, in which caches and predictors forget what they knew of the engine, and the allocator gives
    /// its memory back to the system. So the engine runs both ways first, which is not timed; then in turns without waits
    /// and with them. If it is the time without waits that is measured, both engines run in turns.
    pub(super) fn new(
        engine: &Engine,
        work: &Work,
        profile: &Profile,
        latency: Duration,
        repeat: u32,
    ) -> Result<Self, BlockError> {
        let waits = latency * profile.cold_reads();
        let ran = waits <= PATIENCE;
        let slow = Arc::new(LatencyStore::new(work.prestate.clone(), Latency::Fixed(latency)));
        let store: Arc<dyn StateStore> = slow.clone();
        let memory: Arc<dyn StateStore> = work.prestate.clone();
        let mut sequential = Vec::new();
        let mut parallel = Vec::new();
        let mut ratios = Vec::new();
        let mut multiples = Vec::new();
        let mut equal = true;
        let mut statistics = Statistics::default();
        let runs = if latency.is_zero() { 1 } else { RUNS };
        for _ in 0..repeat {
            let (one_by_one, time) = match ran {
                true => one_by_one(work, &slow)?,
                false => {
                    let (outcome, time) = one_by_one(work, &memory)?;
                    (outcome, time + waits)
                }
            };
            let one_by_one = Ok(one_by_one);
            slow.forget();
            forgetful(engine, work, &store)?;
            forgetful(engine, work, &memory)?;
            for _ in 0..runs {
                while slow.outstanding() > 0 {
                    // What was read ahead and not waited for is none of the next run's.
                    slow.drive();
                }
                let at_zero = match latency.is_zero() {
                    true => None,
                    false => Some(forgetful(engine, work, &memory)?.1),
                };
                slow.forget();
                let (outcome, own) = forgetful(engine, work, &store)?;
                statistics = outcome.statistics.clone();
                equal &= difference(&one_by_one, &Ok(outcome)).is_none();
                ratios.push(time.as_secs_f64() / own.as_secs_f64().max(1e-9));
                let at_zero = at_zero.unwrap_or(own).as_secs_f64().max(1e-9);
                multiples.push(own.as_secs_f64() / at_zero);
                parallel.push(own);
            }
            sequential.push(time);
        }
        ratios.sort_by(f64::total_cmp);
        multiples.sort_by(f64::total_cmp);
        Ok(Self {
            latency,
            achieved: slow.achieved(),
            sequential: median(sequential),
            ran,
            parallel: median(parallel),
            ratio: ratios[ratios.len() / 2],
            of_zero: multiples[multiples.len() / 2],
            statistics,
            equal,
        })
    }
}

/// Executes the block in parallel, with nothing learned before.
fn forgetful(
    engine: &Engine,
    work: &Work,
    store: &Arc<dyn StateStore>,
) -> Result<(BlockOutcome, Duration), BlockError> {
    engine.forget();
    let begin = Instant::now();
    let outcome = engine.execute(&work.block, store)?;
    Ok((outcome, begin.elapsed()))
}

/// Executes the block one transaction after another, over cold state.
fn one_by_one<S: Cold + ?Sized>(
    work: &Work,
    store: &S,
) -> Result<(BlockOutcome, Duration), BlockError> {
    store.cool();
    let begin = Instant::now();
    let outcome = Sequential::new().execute(&work.block, store.state(), InvalidPolicy::Fail)?;
    Ok((outcome, begin.elapsed()))
}

/// A store that a run can begin with cold.
trait Cold {
    fn cool(&self);
    fn state(&self) -> &dyn StateStore;
}

impl Cold for Arc<LatencyStore> {
    fn cool(&self) {
        self.forget();
    }
    fn state(&self) -> &dyn StateStore {
        &**self
    }
}

impl Cold for Arc<dyn StateStore> {
    fn cool(&self) {}
    fn state(&self) -> &dyn StateStore {
        &**self
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
