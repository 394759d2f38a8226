//! What executes a block, by whichever path.

use crate::{
    context::Run,
    engine::{Conduct, EngineError, Fate, Path, Timer, WorkerPool, shared::SharedBlock},
    observe::{Usage, timeline::Recorder},
    region::change::RegionSums,
    sync::{
        Arc,
        thread::available_parallelism,
        time::{Duration, Instant},
    },
};

use super::{
    Block, BlockError, BlockOutcome, PartialOutcome, Sequential, StateDiff, StateStore, StoreError,
    TransactionOutcome,
    adapt::{Credit, Lessons, WORTH_SUSPENDING},
    engine::EngineBuilder,
    machine::{Batch, EvmMachine, overdue, storage},
    reading::Patient,
    sequential::{Head, Machine, prologue},
    settle::{self, CommittedState},
    shared::{check_sidecars, in_force},
};

/// The workers, and how they are to be used.
pub(super) struct Workers {
    /// Gives up reads that are not answered.
    timer: Arc<Timer>,
    pub(super) pool: WorkerPool<EvmMachine>,
    pub(super) config: EngineBuilder,
    /// How many workers run at the same time.
    pub(super) cores: usize,
    /// What former blocks taught.
    pub(super) lessons: Lessons,
}

/// How the workers take a block on.
#[derive(Default)]
pub(super) struct Plan {
    /// What was executed before.
    pub(super) head: Option<Box<Head>>,
    /// How many of them; `None`: all.
    pub(super) workers: Option<usize>,
    /// When to stop speculating, if that is left to the engine.
    pub(super) credit: Option<Credit>,
    /// What a transaction takes one by one, on average, in seconds, if that is known.
    pub(super) each: Option<f64>,
    /// How many transactions may be started and uncommitted to begin with, if not as many as ever.
    pub(super) window: Option<u32>,
}

/// What a worker takes together where transactions are known to be short, in seconds. Of 37,000 ERC-20 transfers in
/// turns, 30 µs took 0.95–0.98 of the time that 10 took, and 60 µs gained nothing more; of real blocks none differs. Transactions that use regions go one at a time:
/// where each writes its own word of one page, eight at a time took 1.12 of the time, since whoever reads a page merges
/// what is not committed of it.
const BATCH: f64 = 30e-6;
/// The same over a slow store: what is taken together starts before its reads are there, and waits.
const BATCH_SLOW: f64 = 10e-6;
/// No more transactions than this.
const MOST_BATCHED: f64 = 8.0;

/// How many are taken together that fill the time so many times, if more than one.
fn batch(short: f64) -> Option<u32> {
    (short >= 2.0).then_some(short.min(MOST_BATCHED) as u32)
}

impl Workers {
    /// Starts them.
    pub(super) fn start(config: EngineBuilder, timer: Arc<Timer>) -> Result<Self, EngineError> {
        let threads = if config.path == Path::Direct { 1 } else { config.threads };
        let pool = WorkerPool::new(threads)?.waking_apart(config.wake_apart);
        Ok(Self {
            timer,
            pool,
            config,
            cores: available_parallelism(),
            lessons: Lessons::default(),
        })
    }

    pub(super) fn execute(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let number = block.env.number.saturating_to::<u64>();
        let _span = tracing::debug_span!("block", number, transactions = block.transactions.len())
            .entered();
        let outcome = match self.config.path {
            Path::Direct => self.execute_direct(block, &**store, conduct),
            Path::Parallel => self.execute_parallel(block, store, conduct, Plan::default()),
            Path::Auto => self.execute_adaptively(block, store, conduct),
        };
        match &outcome {
            Ok(outcome) => tracing::debug!(
                parallel = outcome.statistics.parallel,
                direct = outcome.statistics.direct,
                gas_used = outcome.gas_used,
                incarnations = outcome.statistics.incarnations,
                suspensions = outcome.statistics.suspensions,
                wasted_gas = outcome.statistics.wasted_gas,
                "executed"
            ),
            Err(error) => tracing::debug!(%error, "no outcome"),
        }
        outcome
    }

    /// What executes blocks on the calling thread.
    pub(super) fn sequential(&self) -> Sequential {
        Sequential::with_shared_memory(self.config.memory.clone()).with_shortcuts()
    }

    pub(super) fn execute_direct(
        &self,
        block: &Block,
        store: &dyn StateStore,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let sequential = self.sequential();
        // A store that lately answered at once is asked on this thread: to hand a read over, so that it
        // can be given up, would cost more than the read.
        let fast = store.latency().is_none_or(|l| !l.is_zero() && l < WORTH_SUSPENDING);
        if fast {
            return sequential.execute_under(block, store, self.config.policy, conduct);
        }
        let (timeout, control) = (self.config.reading.timeout, conduct.control.clone());
        let patient = Patient { store, timeout, control };
        let ended = sequential.execute_under(block, &patient, self.config.policy, conduct);
        match (ended, conduct.stopped()) {
            // A read before or after the transactions was left when the block was stopped.
            (Err(BlockError::Store { error: StoreError::Dropped { .. }, .. }), Some(reason)) => {
                Err(BlockError::stopped(reason, None))
            }
            (ended, _) => ended,
        }
    }

    pub(super) fn execute_parallel(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        conduct: &Conduct<TransactionOutcome>,
        mut plan: Plan,
    ) -> Result<BlockOutcome, BlockError> {
        let begin = Instant::now();
        let workers = plan.workers.unwrap_or(self.pool.workers());
        // More than there are cores would only keep the caller from its own.
        self.pool.call(workers.min(self.cores));
        let (shared, sums) = match &mut plan.head {
            Some(head) => self.resume_shared(block, head),
            None => (self.begin_shared(block)?, RegionSums::default()),
        };
        let reading = &self.config.reading;
        let mut machine =
            EvmMachine::new(block.clone(), store.clone(), self.config.policy, shared, reading);
        machine.feed = conduct.feed.clone();
        machine.credit = plan.credit;
        // Those of shared memory that nobody has looked at are taken to use it.
        let use_regions = match (&machine.shared, &plan.head) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(_), Some(_)) => sums.usage != Usage::default(),
        };
        let each = plan.each.filter(|_| !use_regions);
        let together = if machine.storage.is_slow() { BATCH_SLOW } else { BATCH };
        machine.batch = match self.config.batch {
            Some(batch) => Batch::pinned(batch),
            None => Batch::of(each.and_then(|each| batch(together / each.max(1e-9)))),
        };
        let head = plan.head.take().map(|head| {
            machine.begin_after(head.done, sums);
            (head.diff, head.times)
        });
        let run = self.begin_run(machine, conduct, workers, begin);
        if let Some(window) = plan.window {
            run.scheduler.restrain(window);
        }
        let Some(recording) = &conduct.recording else {
            return self.execute_run(run, head, conduct, begin);
        };
        let ended = self.execute_run(run.clone(), head, conduct, begin);
        let timeline =
            run.recorder().map(|recorder| recorder.timeline(|place| run.machine.name_place(place)));
        recording.put(timeline.unwrap_or_default());
        ended
    }

    /// Executes a block that is where stops find it.
    fn execute_run(
        &self,
        run: Arc<Run<EvmMachine>>,
        head: Option<(StateDiff, [Duration; 2])>,
        conduct: &Conduct<TransactionOutcome>,
        begin: Instant,
    ) -> Result<BlockOutcome, BlockError> {
        let block = &run.machine.block;
        let reading = &self.config.reading;
        let timeout = reading.timeout.filter(|_| run.machine.storage.is_slow());
        let _watch = match timeout {
            Some(after) => overdue::watch(&run, &self.timer, after)
                .map_err(|error| Fate::NoThread(error.to_string()))?,
            None => None,
        };
        storage::prefetch_block(&run);
        let state = CommittedState::new(&run);
        // Its reads fail when the block is stopped. What others have committed is half applied then.
        let is_new = head.is_none();
        let stopped = |error| match run.stop_reason() {
            Some(reason) => {
                let empty = (conduct.keep_committed && is_new).then(PartialOutcome::default);
                BlockError::stopped(reason, empty)
            }
            None => error,
        };
        let (before, times) = match head {
            Some(head) => head,
            None => {
                let mut machine = Machine::new(block, &state);
                prologue(&mut machine, block).map_err(stopped)?;
                (machine.into_state().diff(), Default::default())
            }
        };
        settle::apply(&state, &before, 0)
            .map_err(|error| stopped(BlockError::Store { index: 0, error }))?;
        if run.machine.storage.is_slow() && !block.transactions.is_empty() {
            // The commit step pays it and cannot wait. If this read fails, the commit says so.
            if let Err(error) = state.load_account(block.env.beneficiary) {
                let _ = run.machine.storage.beneficiary.set(error);
            }
        }
        let mut ended = self.finish_parallel(run, conduct, [begin, Instant::now()]);
        if let Ok(outcome) = &mut ended {
            let [prologue, transactions, ..] = &mut outcome.statistics.phases;
            *prologue += times[0];
            *transactions += times[1];
        }
        ended
    }

    /// A block on its way, where stops and the consumer of its outcomes find it.
    pub(super) fn begin_run(
        &self,
        machine: EvmMachine,
        conduct: &Conduct<TransactionOutcome>,
        workers: usize,
        begin: Instant,
    ) -> Arc<Run<EvmMachine>> {
        let transactions = machine.block.transactions.len();
        let recorder =
            conduct.recording.as_ref().map(|_| Recorder::new(begin, workers, transactions));
        let window = self.config.window_over(&*machine.store);
        let run = Run::new(machine, workers, window);
        let run = Arc::new(run.with_control(conduct.control.clone()).with_recorder(recorder));
        conduct.attach(&run, |limit| run.scheduler.limit_commits(limit));
        run
    }

    /// The block's shared memory, if it has any.
    pub(super) fn begin_shared(&self, block: &Block) -> Result<Option<SharedBlock>, BlockError> {
        let memory = &self.config.memory;
        if in_force(Some(memory.chain()), block).is_none() {
            return Ok(None);
        }
        let number = block.env.number.saturating_to();
        let shared = memory.begin_parallel(number, block.sidecars.as_slice().into());
        // A host that takes no part minds nothing that is attached.
        if shared.is_some() {
            check_sidecars(block, memory.chain())?;
        }
        Ok(shared)
    }

    /// The shared memory of a block that has begun, if it had any then, and what its transactions did so far, in
    /// numbers.
    fn resume_shared(&self, block: &Block, head: &mut Head) -> (Option<SharedBlock>, RegionSums) {
        let Some(interim) = head.regions.take() else { return Default::default() };
        let (shared, sums) =
            self.config.memory.resume_parallel(interim, block.sidecars.as_slice().into());
        (Some(shared), sums)
    }
}
