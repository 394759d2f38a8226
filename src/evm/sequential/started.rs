//! A block that has begun: its transactions one after another, and its end.

use std::{
    hint::black_box,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    Failure, Machine, Shortcuts, epilogue,
    progress::{Done, Head, Pace, Watch},
    prologue,
};
use crate::{
    context::StopReason,
    engine::{Alone, Conduct, message},
    evm::{
        Block, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, PartialOutcome,
        StateStore, Statistics, TransactionOutcome, shared::SharedRegions,
    },
    sync::time::{Duration, Instant},
};

/// A block whose prologue has run.
pub(super) struct Started<'a> {
    block: &'a Block,
    machine: Machine<'a, dyn StateStore + 'a>,
    done: Done,
    /// Time in the prologue, and in the transactions.
    times: [Duration; 2],
}

impl<'a> Started<'a> {
    /// Starts a block.
    pub(super) fn new(
        block: &'a Block,
        store: &'a dyn StateStore,
        shared: Option<SharedRegions<'a>>,
        shortcuts: Option<Shortcuts>,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<Self, BlockError> {
        let begin = Instant::now();
        let mut machine = Machine::with_control(block, store, shared, conduct.control.clone());
        if let Some(shortcuts) = shortcuts {
            machine.take_shortcuts(shortcuts);
        }
        machine.expect(block.transactions.len());
        let mut done = Done::default();
        done.transactions.reserve_exact(block.transactions.len());
        let mut started = Self { block, machine, done, times: [Duration::ZERO; 2] };
        prologue(&mut started.machine, block)?;
        started.times[0] = begin.elapsed();
        Ok(started)
    }

    /// Runs what is left of the transactions until `watch` says stop, which it tells.
    pub(super) fn transact(
        &mut self,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
        watch: Option<Watch<'_>>,
    ) -> Result<bool, BlockError> {
        let begin = Instant::now();
        let (machine, done) = (&mut self.machine, &mut self.done);
        let paused = transact_until(machine, self.block, policy, conduct, done, watch)?;
        self.times[1] += begin.elapsed();
        Ok(paused)
    }

    /// Leaves the rest to others. The regions are the caller's.
    pub(super) fn pause(self) -> Head {
        let Self { machine, done, times, .. } = self;
        Head { done, diff: machine.into_state().diff(), regions: None, times }
    }

    /// Ends the block.
    pub(super) fn end(mut self) -> Result<BlockOutcome, BlockError> {
        let begin = Instant::now();
        self.machine.watch_no_more();
        let requests = epilogue(&mut self.machine, self.block, &self.done.transactions)?;
        let epilogue_end = Instant::now();

        let diff = self.machine.into_state().diff();
        let Done { sums, transactions, .. } = self.done;
        let [prologue, transacted] = self.times;
        Ok(BlockOutcome {
            statistics: Statistics {
                parallel: false,
                threads: 1,
                incarnations: transactions.len() as u64,
                direct: transactions.len() as u64,
                phases: [prologue, transacted, epilogue_end - begin, epilogue_end.elapsed()],
                ..Default::default()
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

/// Runs what is left of the transactions until `watch` says stop, which it tells. After an error nothing is to be had
/// of the machine.
pub(super) fn transact_until<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    done: &mut Done,
    watch: Option<Watch<'_>>,
) -> Result<bool, BlockError> {
    let ran =
        catch_unwind(AssertUnwindSafe(|| transact(machine, block, policy, conduct, done, watch)));
    match ran {
        Ok(Ok(paused)) => Ok(paused),
        Ok(Err(End::Error(error))) => Err(error),
        Ok(Err(End::Stopped(reason))) => {
            let committed = conduct.keep_committed.then(|| PartialOutcome {
                transactions: std::mem::take(&mut done.transactions),
                gas_used: done.sums.gas_used,
                blob_gas_used: done.sums.blob_gas_used,
                diff: machine.state().diff(),
                regions: None,
            });
            Err(BlockError::stopped(reason, committed))
        }
        Err(panic) => {
            let index = done.transactions.len();
            Err(BlockError::Panic { index, message: message(&*panic) })
        }
    }
}

/// Begins where a cache line does, and so does the frame of whoever has one.
///
/// revm hands what it has loaded from one place of the stack to another by words that are not aligned. Which of them lie
/// across two cache lines depends on where the stack stood before, so on who calls: calls within calls took the engine
/// 0.98 to 1.06 of the reference's time, which runs the same machine code, by what the compiler had inlined above, from
/// one build to the next. From here down both stand on the same ground (0.97 to 1.0).
#[repr(align(64))]
struct Line(u8);

/// Why the transactions ended early.
enum End {
    Error(BlockError),
    Stopped(StopReason),
}

/// Runs what is left of the block's transactions. `true`: some of them are left to others.
#[inline(never)]
fn transact<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    done: &mut Done,
    mut watch: Option<Watch<'_>>,
) -> Result<bool, End> {
    let mut line = Line(0);
    black_box(&mut line.0);
    let heeds = conduct.control.is_some() || conduct.feed.is_some();
    let alone = heeds.then(Alone::new);
    if let Some(alone) = &alone {
        conduct.attach(alone, |limit| alone.limit_commits(limit));
    }
    let first = done.transactions.len();
    machine.state().links.watch(watch.is_some());
    for (index, transaction) in block.transactions.iter().enumerate().skip(first) {
        if let Some(seen) = &mut watch
            && index > first
        {
            done.linked = machine.state().links.count();
            match seen(done) {
                Pace::Watch => machine.state().links.watch(true),
                Pace::Pass => machine.state().links.watch(false),
                Pace::Settled => {
                    watch = None;
                    machine.state().links.watch(false);
                }
                Pace::HandOver => return Ok(true),
            }
        }
        if let Some(alone) = &alone {
            alone.wait_to_commit(index).map_err(End::Stopped)?;
        }
        let tx = &transaction.env;
        machine.begin(index);
        machine.state().attach(&transaction.sidecars);
        let result = match done.sums.admit(block, tx) {
            Ok(()) => match machine.execute(tx) {
                Ok(result) => Ok(result),
                Err(failure) => {
                    if let Some(reason) = alone.as_ref().and_then(|alone| alone.stopped()) {
                        return Err(End::Stopped(reason));
                    }
                    match failure {
                        Failure::Invalid(reason) => Err(Invalid::Transaction(reason)),
                        failure => return Err(End::Error(failure.at(index))),
                    }
                }
            },
            Err(reason) => Err(reason),
        };
        let outcome = match (result, policy) {
            (Ok(result), _) => {
                done.sums.add(tx, &result);
                TransactionOutcome::Executed(Executed {
                    result,
                    tx_type: tx.tx_type,
                    cumulative_gas: done.sums.gas_used,
                    diagnostics: machine.take_diagnostics(),
                })
            }
            (Err(reason), InvalidPolicy::Skip) => TransactionOutcome::Skipped(reason),
            (Err(reason), InvalidPolicy::Fail) => {
                return Err(End::Error(BlockError::Invalid { index, reason }));
            }
        };
        if let Some(feed) = &conduct.feed {
            feed.push(&outcome);
        }
        done.transactions.push(outcome);
    }
    Ok(false)
}
