//! revm's mainnet handler with three additions: the sender's funds are noted as a bound, and a
//! beneficiary that the transaction did not load is paid without loading it, so that fees serialise
//! no block.

use revm::{
    Context,
    context::{
        Block, BlockEnv, CfgEnv, JournalTr, LocalContextTr, Transaction, TxEnv,
        journaled_state::account::JournaledAccountTr,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
    },
    handler::{FrameResult, Handler, pre_execution},
    interpreter::{InitialAndFloorGas, interpreter_action::FrameInit},
};

use super::{
    super::{inner_loop::run_frames, keccak::SharedKeccakCache, reward::reward, shared::SharedEvm},
    view::{Stop, View},
    watched::WatchedJournal,
};
use crate::{evm, sync::Arc};

pub(crate) type EvmContext<'y> = Context<
    BlockEnv,
    TxEnv,
    CfgEnv,
    View<'y>,
    WatchedJournal<'y>,
    SharedKeccakCache<Arc<evm::Block>>,
>;
pub(crate) type PooledEvm<'y> = SharedEvm<EvmContext<'y>>;
pub(crate) type ExecutionError = EVMError<Stop, InvalidTransaction>;

#[derive(Default)]
pub(crate) struct WatchedHandler<'y>(std::marker::PhantomData<&'y ()>);

impl<'y> Handler for WatchedHandler<'y> {
    type Evm = PooledEvm<'y>;
    type Error = ExecutionError;
    type HaltReason = HaltReason;

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut PooledEvm<'y>,
        _: &mut InitialAndFloorGas,
    ) -> Result<(), ExecutionError> {
        let result = pre_execution::validate_against_state_and_deduct_caller(&mut evm.ctx);
        let sender = evm.ctx.tx.caller();
        // An error names the balance, so it depends on all of it.
        let needed = match &result {
            Ok(()) => evm.ctx.tx.max_balance_spending().ok(),
            Err(_) => None,
        };
        evm.ctx.journaled_state.check_funds(sender, needed);
        result
    }

    #[inline]
    fn run_exec_loop(
        &mut self,
        evm: &mut PooledEvm<'y>,
        first: FrameInit,
    ) -> Result<FrameResult, ExecutionError> {
        run_frames(evm, first, |context, inputs| {
            context.journaled_state.will_create(inputs).map_err(EVMError::Database)
        })
    }

    fn catch_error(
        &self,
        evm: &mut PooledEvm<'y>,
        error: ExecutionError,
    ) -> Result<ExecutionResult, ExecutionError> {
        evm.ctx.journaled_state.notes().borrow_mut().wasted = gas_spent(evm);
        evm.ctx.local.clear();
        evm.ctx.journaled_state.discard_tx();
        evm.frame_stack.clear();
        Err(error)
    }

    fn reward_beneficiary(
        &self,
        evm: &mut PooledEvm<'y>,
        result: &mut FrameResult,
    ) -> Result<(), ExecutionError> {
        let context = &mut evm.ctx;
        let fee = reward(context, result.gas());
        let beneficiary = context.block.beneficiary();
        let journal = &mut context.journaled_state;
        if journal.loaded(beneficiary) {
            journal.credit(beneficiary, fee);
            journal.load_account_mut(beneficiary)?.incr_balance(fee);
        } else {
            journal.notes().borrow_mut().reward = Some(fee);
        }
        Ok(())
    }
}

/// Gas that a transaction has spent when it stops amid its frames: its limit less what each frame
/// still has. Leaves no frame.
fn gas_spent(evm: &mut PooledEvm<'_>) -> u64 {
    if evm.frame_stack.index().is_none() {
        return 0;
    }
    let mut left = 0u64;
    while evm.frame_stack.index().is_some() {
        left = left.saturating_add(evm.frame_stack.get().interpreter.gas.remaining());
        evm.frame_stack.pop();
    }
    evm.ctx.tx.gas_limit.saturating_sub(left)
}
