//! What executes a block, by whichever path.

use crate::{
    context::{Conclusion, Run},
    engine::{Conduct, EngineError, Fate, Path, Timer, WorkerPool, shared::SharedBlock},
    observe::timeline::{BlockPhase, Recorder},
    sync::{
        Arc,
        thread::available_parallelism,
        time::{Duration, Instant},
    },
};

use super::{
    Block, BlockError, BlockOutcome, PartialOutcome, Sequential, StateDiff, StateStore, Statistics,
    StoreError, TransactionOutcome,
    adapt::{Credit, Lessons, WORTH_SUSPENDING},
    diff,
    engine::EngineBuilder,
    machine::{Committed, EvmMachine, overdue, storage},
    reading::Patient,
    relay,
    sequential::{self, Done, Head, Machine, Tail, epilogue, prologue},
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
    pub(super) head: Option<Head>,
    /// How many of them; `None`: all.
    pub(super) workers: Option<usize>,
    /// When to stop speculating, if that is left to the engine.
    pub(super) credit: Option<Credit>,
    /// What a transaction takes one by one, on average, in seconds, if that is known.
    pub(super) each: Option<f64>,
    /// How many transactions may be started and uncommitted to begin with, if not as many as ever.
    pub(super) window: Option<u32>,
}

/// What a worker takes together, in seconds, and no more transactions than this.
const BATCH: f64 = 10e-6;
const MOST_BATCHED: f64 = 8.0;

impl Workers {
    /// Starts them.
    pub(super) fn start(config: EngineBuilder, timer: Arc<Timer>) -> Result<Self, EngineError> {
        let threads = if config.path == Path::Direct { 1 } else { config.threads };
        let pool = WorkerPool::new(threads)?;
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

    pub(super) fn execute_direct(
        &self,
        block: &Block,
        store: &dyn StateStore,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let mut sequential = Sequential::with_shared_memory(self.config.memory.clone()).past_revm();
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
        let shared = self.begin_shared(block)?;
        let reading = &self.config.reading;
        let mut machine =
            EvmMachine::new(block.clone(), store.clone(), self.config.policy, shared, reading);
        machine.feed = conduct.feed.clone();
        machine.credit = plan.credit;
        // Where they are known to be short, several are taken together.
        let short = plan.each.map(|each| (BATCH / each.max(1e-9)).min(MOST_BATCHED));
        machine.batch =
            self.config.batch.or(short.filter(|some| *some >= 2.0).map(|some| some as u32));
        let head = plan.head.take().map(|head| {
            machine.begin_after(head.done);
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
        // Its reads fail when the block is stopped.
        let stopped = |error| match run.stop_reason() {
            Some(reason) => {
                let empty = conduct.keep_committed.then(PartialOutcome::default);
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
        check_sidecars(block, memory.chain())?;
        let number = block.env.number.saturating_to();
        Ok(memory.begin_parallel(number, block.sidecars.as_slice().into()))
    }

    /// Executes a block of which everything before the transactions has been done, between the two
    /// times given.
    pub(super) fn finish_parallel(
        &self,
        run: Arc<Run<EvmMachine>>,
        conduct: &Conduct<TransactionOutcome>,
        [begin, prologue_end]: [Instant; 2],
    ) -> Result<BlockOutcome, BlockError> {
        let note = |phase, from, to| {
            if let Some(recorder) = run.recorder() {
                recorder.note_phase(phase, from, to);
            }
        };
        note(BlockPhase::Prologue, begin, prologue_end);
        self.pool.execute(&run);
        match run.conclude() {
            Conclusion::Complete => {}
            Conclusion::Failed(error) => return Err(error),
            Conclusion::HandedOver { .. } => {
                return self.finish_direct(&run, conduct, [begin, prologue_end]);
            }
            Conclusion::Stopped { reason, committed } => {
                let keep = conduct.keep_committed && committed.is_some();
                let partial = keep.then(|| partial(&run.machine, run.machine.take_committed()));
                return Err(BlockError::stopped(reason, partial));
            }
        }
        let transactions_end = Instant::now();
        note(BlockPhase::Transactions, prologue_end, transactions_end);

        let machine = &run.machine;
        let block = &machine.block;
        let committed = machine.take_committed();
        let count = block.transactions.len();
        let view = CommittedState::new(&run);
        let mut after = Machine::new(block, &view);
        let requests =
            match (epilogue(&mut after, block, &committed.transactions), run.stop_reason()) {
                (Ok(requests), _) => requests,
                (Err(error), None) => return Err(error),
                // Its reads fail when the block is stopped.
                (Err(_), Some(reason)) => {
                    let partial = conduct.keep_committed.then(|| partial(machine, committed));
                    return Err(BlockError::stopped(reason, partial));
                }
            };
        settle::apply(&view, &after.into_state().diff(), count as u32 + 1).map_err(|error| {
            match run.stop_reason() {
                // The epilogue is half applied, so what was committed before it cannot be told.
                Some(reason) => BlockError::stopped(reason, None),
                None => BlockError::Store { index: count, error },
            }
        })?;
        let epilogue_end = Instant::now();
        note(BlockPhase::Epilogue, transactions_end, epilogue_end);

        let pieces = machine.pieces.get_or_init(|| diff::share_out(machine));
        let pieces = pieces.finish(|at| diff::piece(machine, at));
        let places = machine.accounts.places();
        let regions =
            machine.shared.as_ref().map(|shared| shared.regions.finish(committed.regions));
        let mut totals = run.totals();
        if let Some(prelude) = &machine.prelude {
            totals.suspensions = prelude.waits();
            totals.incarnations -= 1;
        }
        let mut statistics = Statistics {
            parallel: true,
            threads: run.workers(),
            direct: u64::from(machine.first.0),
            gave_up: run.scheduler.is_restrained(),
            incarnations: totals.incarnations + u64::from(machine.first.0),
            suspensions: totals.suspensions,
            most_suspended: totals.most_suspended,
            wasted_gas: totals.wasted,
            reads: machine.storage.totals(),
            scouts: machine.storage.scouts(),
            phases: [
                prologue_end - begin,
                transactions_end - prologue_end,
                epilogue_end - transactions_end,
                Duration::ZERO,
            ],
        };
        let recorded = run.recorder().is_some().then(|| run.clone());
        self.let_go(run);
        let diff = diff::assemble(pieces, places);
        let diff_end = Instant::now();
        if let Some(recorder) = recorded.as_ref().and_then(|run| run.recorder()) {
            recorder.note_phase(BlockPhase::Diff, epilogue_end, diff_end);
        }
        statistics.phases[3] = diff_end - epilogue_end;
        Ok(BlockOutcome {
            statistics,
            transactions: committed.transactions,
            gas_used: committed.sums.gas_used,
            blob_gas_used: committed.sums.blob_gas_used,
            requests,
            diff,
            regions,
        })
    }

    /// Leaves what is large of a block to a worker to be freed. One that has not left the block yet
    /// frees all of it.
    fn let_go(&self, run: Arc<Run<EvmMachine>>) {
        if let Some(run) = Arc::into_inner(run) {
            let (machine, rest) = run.into_parts();
            self.pool.discard((machine.into_tables(), rest));
        }
    }

    /// Executes the rest of a block that the workers have let go of, between the two times given.
    fn finish_direct(
        &self,
        run: &Arc<Run<EvmMachine>>,
        conduct: &Conduct<TransactionOutcome>,
        [begin, prologue_end]: [Instant; 2],
    ) -> Result<BlockOutcome, BlockError> {
        let machine = &run.machine;
        let Committed { transactions, sums, .. } = machine.take_committed();
        let parallel = transactions.len() as u64 - u64::from(machine.first.0);
        let handed_over = Instant::now();
        let done = Done { sums, transactions, linked: 0 };
        let policy = self.config.policy;
        let (block, store) = (&*machine.block, &*machine.store);
        let adopt = |state: &mut _| relay::adopt(machine, state);
        let Tail { done, requests, diff, times } =
            sequential::finish(block, store, adopt, policy, conduct, done)?;
        let totals = run.totals();
        let Done { sums, transactions, .. } = done;
        let direct = transactions.len() as u64 - parallel;
        Ok(BlockOutcome {
            statistics: Statistics {
                parallel: true,
                threads: run.workers(),
                direct,
                gave_up: true,
                incarnations: totals.incarnations + direct,
                suspensions: totals.suspensions,
                most_suspended: totals.most_suspended,
                wasted_gas: totals.wasted,
                phases: [
                    prologue_end - begin,
                    handed_over - prologue_end + times[0],
                    times[1],
                    Duration::ZERO,
                ],
                ..Statistics::default()
            },
            transactions,
            gas_used: sums.gas_used,
            blob_gas_used: sums.blob_gas_used,
            requests,
            diff,
            regions: None,
        })
    }
}

/// What is committed, and before the epilogue.
fn partial(machine: &EvmMachine, committed: Committed) -> PartialOutcome {
    let shared = machine.shared.as_ref();
    PartialOutcome {
        transactions: committed.transactions,
        gas_used: committed.sums.gas_used,
        blob_gas_used: committed.sums.blob_gas_used,
        diff: diff::alone(machine),
        regions: shared.map(|shared| shared.regions.finish(committed.regions)),
    }
}
