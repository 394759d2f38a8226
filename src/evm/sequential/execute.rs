//! The block, from beginning to end.

use super::{Failure, Machine, epilogue, prologue};
use crate::{
    evm::{
        Block, BlockError, BlockOutcome, Executed, Invalid, InvalidPolicy, StateStore, Statistics,
        TransactionOutcome, rules::BlockSums, shared::SharedBlock,
    },
    sync::time::Instant,
};

/// Executes blocks one transaction after another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Sequential {
    /// A sequential executor.
    pub fn new() -> Self {
        Self
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
        self.execute_shared(block, store, policy, None)
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
        shared: Option<SharedBlock<'a>>,
    ) -> Result<BlockOutcome, BlockError> {
        let begin = Instant::now();
        let mut machine = Machine::with_shared(block, store, shared);
        prologue(&mut machine, block)?;
        let prologue_end = Instant::now();

        let mut sums = BlockSums::default();
        let mut transactions = Vec::with_capacity(block.transactions.len());
        for (index, transaction) in block.transactions.iter().enumerate() {
            let tx = &transaction.env;
            machine.state().begin_regions(index);
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
        })
    }
}
