//! What the workers leave to the calling thread when they let go of a block: its end.

use crate::{
    context::{Conclusion, Run},
    engine::Conduct,
    observe::timeline::BlockPhase,
    region::direct::DirectRegions,
    sync::{
        Arc,
        atomic::Ordering,
        time::{Duration, Instant},
    },
};

use super::{
    BlockError, BlockOutcome, PartialOutcome, Statistics, TransactionOutcome, diff,
    machine::{Committed, EvmMachine},
    relay,
    sequential::{self, Done, Machine, Tail, epilogue},
    settle::{self, CommittedState},
    shared::SharedRegions,
    workers::Workers,
};

impl Workers {
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

        let pieces = machine.pieces.get_or_init(|| diff::Pieces::share_out(machine));
        let assembly = Arc::new(diff::Assembly::new(pieces.finish(machine), pieces.positions()));
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
            fell_behind: false,
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
        if assembly.is_large() {
            let assembly = assembly.clone();
            self.pool.entrust(move || assembly.help());
        }
        self.let_go(run);
        let diff = assembly.finish();
        // The worker may be at the tables still.
        self.pool.discard(assembly);
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
        let Committed { transactions, sums, regions, .. } = machine.take_committed();
        let parallel = transactions.len() as u64 - u64::from(machine.first.0);
        let handed_over = Instant::now();
        let done = Done { sums, transactions, linked: 0 };
        let policy = self.config.policy;
        let (block, store) = (&*machine.block, &*machine.store);
        let adopt = |state: &mut _| relay::adopt(machine, state);
        let mut regions = machine.shared.as_ref().map(|shared| shared.hand_over(regions));
        let shared = machine.shared_config().cloned().zip(regions.as_mut());
        let shared = shared.map(|(config, regions)| SharedRegions { config, regions });
        let ended = sequential::finish(block, store, shared, adopt, policy, conduct, done);
        let finish = || regions.map(DirectRegions::finish);
        let Tail { done, requests, diff, times } = match ended {
            Ok(tail) => tail,
            Err(error) => return Err(error.with_regions(finish)),
        };
        let regions = finish();
        let totals = run.totals();
        let Done { sums, transactions, .. } = done;
        let direct = transactions.len() as u64 - parallel;
        Ok(BlockOutcome {
            statistics: Statistics {
                parallel: true,
                threads: run.workers(),
                direct,
                gave_up: true,
                fell_behind: machine.behind.load(Ordering::Relaxed),
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
            regions,
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
