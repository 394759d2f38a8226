//! How the workers execute a block whose path nobody has pinned.

use std::cell::LazyCell;

use crate::{
    context::Review,
    engine::Conduct,
    sync::{Arc, time::Instant},
};

use super::{
    Block, BlockError, BlockOutcome, StateStore, TransactionOutcome,
    adapt::{
        Credit, Lessons, Opening, Outlook, Promises, Sample, Tempo, WORTH_SUSPENDING,
        is_monotonous, opening, time_of_transfers,
    },
    sequential::{Begun, Done, Pace, Watch},
    workers::{Plan, Workers},
};

/// Former blocks have to have gained so much for another to begin on the workers.
const LEAST_GAIN: f64 = 1.05;
/// What a block counts that began on the workers and ended without them, if not less, or that was a chain.
const GAVE_UP: f64 = 0.9;
/// Gas thrown away by gas used, from which on little is started at a time.
const MUCH_WASTE: f64 = 0.25;

impl Workers {
    /// Executes a block by the path that suits it.
    pub(super) fn execute_adaptively(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let workers = self.pool.workers().min(self.cores);
        let latency = store.latency();
        let promises = LazyCell::new(|| Promises::of(block));
        let opening = opening(block, workers, latency, &promises);
        match opening {
            Opening::Direct => self.execute_direct(block, &**store, conduct),
            Opening::Sample | Opening::Promising => {
                let promising = opening == Opening::Promising;
                self.execute_by_lessons(block, store, conduct, workers, (promising, *promises))
            }
            Opening::Parallel if latency.is_some_and(|latency| latency >= WORTH_SUSPENDING) => {
                // Waiting for the store is what all of them are for.
                self.execute_parallel(block, store, conduct, Plan::default())
            }
            Opening::Parallel => self.execute_unsampled(block, store, conduct, workers, *promises),
        }
    }

    /// What the engine learns from and goes by, unless it is told not to.
    fn lessons(&self) -> Option<&Lessons> {
        self.config.learning.then_some(&self.lessons)
    }

    /// Executes a block of which no sample can be taken: on the workers, unless others like it did not gain.
    fn execute_unsampled(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        conduct: &Conduct<TransactionOutcome>,
        workers: usize,
        promises: Promises,
    ) -> Result<BlockOutcome, BlockError> {
        let gain = self.lessons().and_then(|lessons| lessons.expect(block).gain);
        if let (Some(lessons), Some(true)) = (self.lessons(), gain.map(|gain| gain < LEAST_GAIN)) {
            lessons.pardon(block);
            return self.execute_direct(block, &**store, conduct);
        }
        // It goes on with nothing but the next transaction under way, rather than wait for each read of the rest.
        let credit = Credit::new(block.transactions.len(), None, Review::Window(1));
        let credit = credit.in_block_of(block.transactions.len(), promises.gas());
        let plan = Plan { workers: Some(workers), credit: Some(credit), ..Plan::default() };
        let outcome = self.execute_parallel(block, store, conduct, plan)?;
        if let (Some(lessons), true) = (self.lessons(), outcome.statistics.gave_up) {
            lessons.learn_gain(block, GAVE_UP, waste(&outcome));
        }
        Ok(outcome)
    }

    /// Executes a block by the path that former ones like it gained on, and one that nothing is known
    /// of on the workers if it is promising, and else one by one until it is known what the rest would gain.
    /// Learns from it.
    fn execute_by_lessons(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        conduct: &Conduct<TransactionOutcome>,
        workers: usize,
        (promising, promises): (bool, Promises),
    ) -> Result<BlockOutcome, BlockError> {
        let lessons = self.lessons();
        let expected = lessons.map(|lessons| lessons.expect(block));
        let count = block.transactions.len();
        let cost = expected.and_then(|expected| expected.cost);
        let outlook = cost.map(|cost| {
            Outlook::new(count, cost.each, time_of_transfers(block).min(cost.each), workers)
        });
        let gains = match (expected.and_then(|expected| expected.gain), outlook) {
            (Some(gain), _) if gain < LEAST_GAIN => Some(false),
            (Some(_), Some(outlook)) => Some(outlook.workers > 1),
            (None, Some(outlook)) => Some(outlook.gains()),
            (_, None) if promising && !lessons.is_some_and(Lessons::is_curious) => Some(true),
            (_, None) => None,
        };
        let mut plan = Plan::default();
        let mut per_gas = cost.map(|cost| cost.rate);
        if let Some(true) = gains {
            // For the number of workers, which does not depend on what is serial.
            let promised = || Outlook::new(count, promises.time(), 0.0, workers);
            let workers = outlook.unwrap_or_else(promised).workers;
            plan.workers = Some(workers);
            plan.each = outlook.map(|outlook| outlook.each);
            if expected.is_some_and(|expected| expected.waste > MUCH_WASTE) {
                plan.window = Some(Credit::few(workers));
            }
        } else {
            let most = if gains == Some(false) { 1 } else { workers };
            let mut sample = Sample::new(block, most, lessons, promises);
            let mut look = |done: &Done| {
                let pace = sample.look(done);
                if pace == Pace::HandOver {
                    let outlook = sample.outlook();
                    self.pool.call(outlook.map_or(workers, |outlook| outlook.workers));
                }
                pace
            };
            match self.begin(block, &**store, conduct, &mut look)? {
                Begun::Ended(outcome) => {
                    match lessons {
                        Some(lessons) if gains == Some(false) => lessons.pardon(block),
                        Some(lessons) if sample.found_chain() => {
                            lessons.learn_gain(block, GAVE_UP, 0.0);
                        }
                        _ => {}
                    }
                    return Ok(*outcome);
                }
                Begun::Paused(head) => plan.head = Some(head),
            }
            per_gas = sample.per_gas();
            plan.each = sample.outlook().map(|outlook| outlook.each);
            plan.workers = sample.outlook().map(|outlook| outlook.workers);
        }
        let done = plan.head.as_ref().map(|head| &head.done);
        let before = done.map_or((0, 0), |done| (done.transactions.len(), done.sums.gas_used));
        let credit = Credit::new(count - before.0, plan.each, Review::HandOver);
        let credit = credit.in_block_of(block.transactions.len(), promises.gas());
        let work = plan.each.map(|each| (count - before.0) as f64 * each);
        let tempo = work.zip(per_gas).filter(|_| is_monotonous(block));
        plan.credit = Some(credit.held_to(tempo.map(|(work, gas)| Tempo::new(work, gas))));
        let begin = Instant::now();
        let outcome = self.execute_parallel(block, store, conduct, plan)?;
        let time = begin.elapsed().as_secs_f64().max(1e-9);
        // What its workers were worth says nothing of its contracts.
        if let Some(lessons) = lessons.filter(|_| !outcome.statistics.fell_behind) {
            let rate = lessons.expect(block).cost.map(|cost| cost.rate);
            let gain = rate.map(|rate| (outcome.gas_used - before.1) as f64 * rate / time);
            let gain = match outcome.statistics.gave_up {
                true => Some(gain.map_or(GAVE_UP, |gain| gain.min(GAVE_UP))),
                false => gain,
            };
            if let Some(gain) = gain {
                lessons.learn_gain(block, gain, waste(&outcome));
            }
        }
        Ok(outcome)
    }

    /// Executes a block one by one until `look` says to hand the rest over.
    fn begin(
        &self,
        block: &Block,
        store: &dyn StateStore,
        conduct: &Conduct<TransactionOutcome>,
        look: Watch<'_>,
    ) -> Result<Begun, BlockError> {
        self.sequential().begin(block, store, self.config.policy, conduct, Some(look))
    }

    /// See [`Engine::execute_in_parts`](super::Engine::execute_in_parts).
    pub(super) fn execute_in_parts(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        conduct: &Conduct<TransactionOutcome>,
        head: usize,
        end: u32,
    ) -> Result<BlockOutcome, BlockError> {
        let mut plan = Plan { credit: Some(Credit::until(end)), ..Plan::default() };
        if head > 0 {
            let enough = |done: &Done| done.transactions.len() >= head;
            let mut look = |done: &Done| if enough(done) { Pace::HandOver } else { Pace::Watch };
            match self.begin(block, &**store, conduct, &mut look)? {
                Begun::Ended(outcome) => return Ok(*outcome),
                Begun::Paused(head) => plan.head = Some(head),
            }
        }
        self.execute_parallel(block, store, conduct, plan)
    }
}

/// Gas thrown away by gas used.
fn waste(outcome: &BlockOutcome) -> f64 {
    outcome.statistics.wasted_gas as f64 / outcome.gas_used.max(1) as f64
}
