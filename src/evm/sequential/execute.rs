//! The block, from beginning to end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::Address;
use revm::context::{TxEnv, result::ExecutionResult};

use super::{Failure, Machine, epilogue, prologue};
use crate::{
    context::StopReason,
    engine::{Alone, Conduct, SharedMemory, message},
    evm::{
        Block, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, PartialOutcome,
        StateStore, Statistics, TransactionOutcome,
        rules::BlockSums,
        shared::{SharedRegions, check_sidecars, in_force},
        transfer::Transfers,
    },
    sync::{Arc, time::Instant},
};

/// Executes blocks one transaction after another.
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    memory: Option<Arc<SharedMemory>>,
    /// Plain transfers do without revm.
    past_revm: bool,
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
        Self { memory: Some(memory), past_revm: false }
    }

    /// Lets plain transfers do without revm. It is a reference no more.
    pub(crate) fn past_revm(self) -> Self {
        Self { past_revm: true, ..self }
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
        self.execute_under(block, store, policy, &Conduct::default())
    }

    /// The same, until somebody stops it.
    pub(crate) fn execute_under<S: StateStore + ?Sized>(
        &mut self,
        block: &Block,
        store: &S,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let number = block.env.number.saturating_to();
        let memory = self.memory.as_ref();
        let memory = memory.filter(|memory| in_force(Some(memory.chain()), block).is_some());
        let Some((regions, memory)) = memory.and_then(|m| Some((m.begin_direct(number)?, m)))
        else {
            return run(block, store, policy, None, self.transfers(block, None).as_ref(), conduct);
        };
        check_sidecars(block, memory.chain())?;
        let config = memory.chain().clone();
        let transfers = self.transfers(block, Some(Address::new(config.precompile.0)));
        let mut regions = regions;
        regions.attach_to_block(block.sidecars.as_slice().into());
        let shared = SharedRegions { config, regions: &mut regions };
        let mut ended = run(block, store, policy, Some(shared), transfers.as_ref(), conduct);
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
        run(block, store, policy, shared, None, &Conduct::default())
    }

    fn transfers(&self, block: &Block, precompile: Option<Address>) -> Option<Transfers> {
        self.past_revm.then(|| Transfers::new(block, precompile)).flatten()
    }
}

/// What has come of the transactions so far.
#[derive(Default)]
struct Done {
    sums: BlockSums,
    transactions: Vec<TransactionOutcome>,
}

fn run<'a, S: StateStore + ?Sized>(
    block: &'a Block,
    store: &'a S,
    policy: InvalidPolicy,
    shared: Option<SharedRegions<'a>>,
    transfers: Option<&Transfers>,
    conduct: &Conduct<TransactionOutcome>,
) -> Result<BlockOutcome, BlockError> {
    let begin = Instant::now();
    let mut machine = Machine::with_control(block, store, shared, conduct.control.clone());
    prologue(&mut machine, block)?;
    let prologue_end = Instant::now();

    let mut done = Done::default();
    done.transactions.reserve_exact(block.transactions.len());
    let ran = catch_unwind(AssertUnwindSafe(|| {
        transact(&mut machine, block, policy, transfers, conduct, &mut done)
    }));
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(End::Error(error))) => return Err(error),
        Ok(Err(End::Stopped(reason))) => {
            let committed = conduct.keep_committed.then(|| PartialOutcome {
                transactions: done.transactions,
                gas_used: done.sums.gas_used,
                blob_gas_used: done.sums.blob_gas_used,
                diff: machine.into_state().diff(),
                regions: None,
            });
            return Err(BlockError::stopped(reason, committed));
        }
        Err(panic) => {
            let index = done.transactions.len();
            return Err(BlockError::Panic { index, message: message(&*panic) });
        }
    }
    let Done { sums, transactions } = done;
    let transactions_end = Instant::now();

    machine.watch_no_more();
    let requests = epilogue(&mut machine, block, &transactions)?;
    let epilogue_end = Instant::now();

    let diff = machine.into_state().diff();
    Ok(BlockOutcome {
        statistics: Statistics {
            parallel: false,
            threads: 1,
            incarnations: transactions.len() as u64,
            phases: [
                prologue_end - begin,
                transactions_end - prologue_end,
                epilogue_end - transactions_end,
                epilogue_end.elapsed(),
            ],
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

/// Why the transactions ended early.
enum End {
    Error(BlockError),
    Stopped(StopReason),
}

/// Runs the block's transactions.
fn transact<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    policy: InvalidPolicy,
    transfers: Option<&Transfers>,
    conduct: &Conduct<TransactionOutcome>,
    done: &mut Done,
) -> Result<(), End> {
    let heeds = conduct.control.is_some() || conduct.feed.is_some();
    let alone = heeds.then(Alone::new);
    if let Some(alone) = &alone {
        conduct.attach(alone, |limit| alone.limit_commits(limit));
    }
    for (index, transaction) in block.transactions.iter().enumerate() {
        if let Some(alone) = &alone {
            alone.wait_to_commit(index).map_err(End::Stopped)?;
        }
        let tx = &transaction.env;
        machine.state().attach(&transaction.sidecars);
        let result = match done.sums.admit(block, tx) {
            Ok(()) => match execute(machine, block, tx, transfers) {
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
    Ok(())
}

/// Runs a transaction that the block has room for.
#[inline]
fn execute<S: StateStore + ?Sized>(
    machine: &mut Machine<'_, S>,
    block: &Block,
    tx: &TxEnv,
    transfers: Option<&Transfers>,
) -> Result<ExecutionResult, Failure> {
    if let Some(transfers) = transfers
        && let Some(transfer) = transfers.plan(tx)
    {
        let beneficiary = block.env.beneficiary;
        if let Some(result) = machine.state().transfer(transfers, &transfer, beneficiary)? {
            return Ok(result);
        }
    }
    machine.transact(tx)
}
