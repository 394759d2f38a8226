//! The block, from beginning to end.

use super::{Failure, Machine, epilogue, prologue};
use crate::{
    engine::SharedMemory,
    evm::{
        Block, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, StateStore, Statistics,
        TransactionOutcome,
        rules::BlockSums,
        shared::{SharedRegions, check_sidecars, in_force},
    },
    sync::{Arc, time::Instant},
};

/// Executes blocks one transaction after another.
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    memory: Option<Arc<SharedMemory>>,
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
        Self { memory: Some(memory) }
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
        let number = block.env.number.saturating_to();
        let memory = self.memory.as_ref();
        let memory = memory.filter(|memory| in_force(Some(memory.chain()), block).is_some());
        let Some((regions, memory)) = memory.and_then(|m| Some((m.begin_direct(number)?, m)))
        else {
            return self.execute_shared(block, store, policy, None);
        };
        check_sidecars(block, memory.chain())?;
        let config = memory.chain().clone();
        let mut regions = regions;
        regions.attach_to_block(block.sidecars.as_slice().into());
        let shared = SharedRegions { config, regions: &mut regions };
        let mut outcome = self.execute_shared(block, store, policy, Some(shared))?;
        outcome.regions = Some(regions.finish());
        Ok(outcome)
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
        let begin = Instant::now();
        let mut machine = Machine::with_shared(block, store, shared);
        prologue(&mut machine, block)?;
        let prologue_end = Instant::now();

        let mut sums = BlockSums::default();
        let mut transactions = Vec::with_capacity(block.transactions.len());
        for (index, transaction) in block.transactions.iter().enumerate() {
            let tx = &transaction.env;
            machine.state().attach(&transaction.sidecars);
            let result = match sums.admit(block, tx) {
                Ok(()) => match machine.transact(tx) {
                    Err(Failure::Invalid(reason)) => Err(Invalid::Transaction(reason)),
                    result => Ok(result.map_err(|failure| failure.at(index))?),
                },
                Err(reason) => Err(reason),
            };
            transactions.push(match (result, policy) {
                (Ok(result), _) => {
                    sums.add(tx, &result);
                    TransactionOutcome::Executed(Executed {
                        result,
                        tx_type: tx.tx_type,
                        cumulative_gas: sums.gas_used,
                        diagnostics: machine.take_diagnostics(),
                    })
                }
                (Err(reason), InvalidPolicy::Skip) => TransactionOutcome::Skipped(reason),
                (Err(reason), InvalidPolicy::Fail) => {
                    return Err(BlockError::Invalid { index, reason });
                }
            });
        }
        let transactions_end = Instant::now();

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
}
