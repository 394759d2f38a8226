//! The block, from beginning to end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::Address;

use super::{
    Failure, Machine, SequentialState, Shortcuts,
    by_ref::ByRef,
    epilogue,
    progress::{Begun, Done, Head, Pace, Tail, Watch},
    prologue,
};
use crate::{
    context::{Control, StopReason},
    engine::{Alone, Conduct, SharedMemory, message},
    evm::{
        Block, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, PartialOutcome,
        StateStore, Statistics, TransactionOutcome,
        shared::{SharedRegions, check_sidecars, in_force},
    },
    sync::{Arc, time::Instant},
};

/// Executes blocks one transaction after another.
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    memory: Option<Arc<SharedMemory>>,
    /// Takes the [`Shortcuts`].
    takes_shortcuts: bool,
}

impl Sequential {
    /// A sequential executor.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sequential executor of a chain with shared memory. Executing a block leaves the regions as
    /// they are: the outcome says what changes.
    #[must_use]
    pub fn with_shared_memory(memory: Arc<SharedMemory>) -> Self {
        Self { memory: Some(memory), takes_shortcuts: false }
    }

    /// Takes the [`Shortcuts`]. It is a reference no more.
    pub(crate) fn with_shortcuts(self) -> Self {
        Self { takes_shortcuts: true, ..self }
    }

    /// Executes a block over the state it starts from.
    ///
    /// # Errors
    ///
    /// Any [`BlockError`]; an invalid transaction only under [`InvalidPolicy::Fail`].
    pub fn execute<S: StateStore + ?Sized>(
        &mut self,
        block: &Block,
        store: &S,
        policy: InvalidPolicy,
    ) -> Result<BlockOutcome, BlockError> {
        self.execute_under(block, &ByRef(store), policy, &Conduct::default())
    }

    /// The same, until somebody stops it.
    pub(crate) fn execute_under(
        &mut self,
        block: &Block,
        store: &dyn StateStore,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let number = block.env.number.saturating_to();
        let memory = self.memory.as_ref();
        let memory = memory.filter(|memory| in_force(Some(memory.chain()), block).is_some());
        let Some((regions, memory)) = memory.and_then(|m| Some((m.begin_direct(number)?, m)))
        else {
            return run(block, store, policy, None, self.shortcuts(block, None), conduct);
        };
        check_sidecars(block, memory.chain())?;
        let config = memory.chain().clone();
        let shortcuts = self.shortcuts(block, Some(Address::new(config.precompile.0)));
        let mut regions = regions;
        regions.attach_to_block(block.sidecars.as_slice().into());
        let shared = SharedRegions { config, regions: &mut regions };
        let mut ended = run(block, store, policy, Some(shared), shortcuts, conduct);
        match &mut ended {
            Ok(outcome) => outcome.regions = Some(regions.finish()),
            Err(error) => {
                if let Some(partial) = error.committed_mut() {
                    partial.regions = Some(regions.finish());
                }
            }
        }
        ended
    }

    /// Runs the first `count` transactions of a block with shared memory to see how many of them look at what
    /// the one before them changed. Nothing comes of it. `None` if that cannot be told.
    pub(crate) fn rehearse(
        &self,
        block: &Block,
        store: &dyn StateStore,
        count: usize,
        control: Option<Arc<Control>>,
    ) -> Option<u32> {
        let memory = self.memory.as_ref()?;
        let config = in_force(Some(memory.chain()), block)?;
        let mut regions = memory.begin_direct(block.env.number.saturating_to())?.rehearsing();
        regions.attach_to_block(block.sidecars.as_slice().into());
        let shared = Some(SharedRegions { config, regions: &mut regions });
        let mut linked = None;
        let mut look = |done: &Done| {
            if done.transactions.len() < count {
                return Pace::Watch;
            }
            linked = Some(done.linked);
            Pace::HandOver
        };
        let mut conduct = Conduct::default();
        conduct.control = control;
        let policy = InvalidPolicy::Skip;
        let mut machine = Machine::with_control(block, store, shared, conduct.control.clone());
        machine.expect(count);
        prologue(&mut machine, block).ok()?;
        let mut done = Done::default();
        transact_until(machine, block, policy, &conduct, &mut done, Some(&mut look)).ok()?;
        linked
    }

    /// Executes a block over the state and the regions it starts from. The regions are left as they
    /// are when the block ends.
    ///
    /// # Errors
    ///
    /// Those of [`Sequential::execute`].
    pub fn execute_shared<'a, S: StateStore + ?Sized>(
        &mut self,
        block: &'a Block,
        store: &'a S,
        policy: InvalidPolicy,
        shared: Option<SharedRegions<'a>>,
    ) -> Result<BlockOutcome, BlockError> {
        run(block, &ByRef(store), policy, shared, None, &Conduct::default())
    }

    fn shortcuts(&self, block: &Block, precompile: Option<Address>) -> Option<Shortcuts> {
        self.takes_shortcuts.then(|| Shortcuts::new(block, precompile))
    }
}

fn run<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    policy: InvalidPolicy,
    shared: Option<SharedRegions<'a>>,
    shortcuts: Option<Shortcuts>,
    conduct: &Conduct<TransactionOutcome>,
) -> Result<BlockOutcome, BlockError> {
    match begin(block, store, policy, shared, shortcuts, conduct, None)? {
        Begun::Ended(outcome) => Ok(*outcome),
        Begun::Paused(_) => unreachable!("nobody asked for it"),
    }
}

/// Executes a block, at least its beginning: `watch` sees what has come of the transactions, from the
/// second one on, and says whether the rest is to be left to others.
pub(crate) fn begin<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    policy: InvalidPolicy,
    shared: Option<SharedRegions<'a>>,
    shortcuts: Option<Shortcuts>,
    conduct: &Conduct<TransactionOutcome>,
    watch: Option<Watch<'_>>,
) -> Result<Begun, BlockError> {
    let begin = Instant::now();
    let mut machine = Machine::with_control(block, store, shared, conduct.control.clone());
    if let Some(shortcuts) = shortcuts {
        machine.take_shortcuts(shortcuts);
    }
    machine.expect(block.transactions.len());
    prologue(&mut machine, block)?;
    let prologue_end = Instant::now();

    let mut done = Done::default();
    done.transactions.reserve_exact(block.transactions.len());
    let (mut machine, paused) = transact_until(machine, block, policy, conduct, &mut done, watch)?;
    let transactions_end = Instant::now();
    let times = [prologue_end - begin, transactions_end - prologue_end];
    if paused {
        return Ok(Begun::Paused(Head { done, diff: machine.into_state().diff(), times }));
    }
    machine.watch_no_more();
    let requests = epilogue(&mut machine, block, &done.transactions)?;
    let epilogue_end = Instant::now();

    let diff = machine.into_state().diff();
    let Done { sums, transactions, .. } = done;
    Ok(Begun::Ended(Box::new(BlockOutcome {
        statistics: Statistics {
            parallel: false,
            threads: 1,
            incarnations: transactions.len() as u64,
            direct: transactions.len() as u64,
            phases: [times[0], times[1], epilogue_end - transactions_end, epilogue_end.elapsed()],
            ..Default::default()
        },
        transactions,
        gas_used: sums.gas_used,
        blob_gas_used: sums.blob_gas_used,
        requests,
        diff,
        regions: None,
    })))
}

/// Executes the rest of a block after the transactions that are done: `adopt` is given the state before the block
/// and makes it what they left.
pub(crate) fn finish<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    adopt: impl FnOnce(&mut SequentialState<'a, dyn StateStore + 'a>),
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    mut done: Done,
) -> Result<Tail, BlockError> {
    let begin = Instant::now();
    let mut machine = Machine::with_control(block, store, None, conduct.control.clone());
    machine.take_shortcuts(Shortcuts::new(block, None));
    machine.expect(block.transactions.len());
    adopt(machine.state());
    let (mut machine, _) = transact_until(machine, block, policy, conduct, &mut done, None)?;
    let transactions_end = Instant::now();
    machine.watch_no_more();
    let requests = epilogue(&mut machine, block, &done.transactions)?;
    let times = [transactions_end - begin, transactions_end.elapsed()];
    Ok(Tail { done, requests, diff: machine.into_state().diff(), times })
}

/// Runs what is left of the transactions until `watch` says stop, which it tells.
fn transact_until<'a, S: StateStore + ?Sized>(
    mut machine: Machine<'a, S>,
    block: &Block,
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    done: &mut Done,
    watch: Option<Watch<'_>>,
) -> Result<(Machine<'a, S>, bool), BlockError> {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        transact(&mut machine, block, policy, conduct, done, watch)
    }));
    match ran {
        Ok(Ok(paused)) => Ok((machine, paused)),
        Ok(Err(End::Error(error))) => Err(error),
        Ok(Err(End::Stopped(reason))) => {
            let committed = conduct.keep_committed.then(|| PartialOutcome {
                transactions: std::mem::take(&mut done.transactions),
                gas_used: done.sums.gas_used,
                blob_gas_used: done.sums.blob_gas_used,
                diff: machine.into_state().diff(),
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

/// Why the transactions ended early.
enum End {
    Error(BlockError),
    Stopped(StopReason),
}

/// Runs what is left of the block's transactions. `true`: some of them are left to others.
fn transact<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    done: &mut Done,
    mut watch: Option<Watch<'_>>,
) -> Result<bool, End> {
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
