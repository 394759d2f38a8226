//! SHARED_EXEC: a region's bytes as code.
//!
//! The bytes run in the caller's own context, as DELEGATECALL runs an account's code: its address,
//! storage, caller and value, 63/64 of the gas that is left at most, no stipend, and the static flag
//! is inherited. The child is a frame like any other, so it begins without mappings. No bytes are a
//! call of empty code, which succeeds at once; too deep a call gives 0 and the gas back.

use alloy_primitives::U256;
use revm::{
    bytecode::Bytecode,
    context::ContextTr,
    interpreter::{
        CallInput, CallInputs, CallScheme, CallValue, FrameInput, InstructionExecResult,
        InstructionResult, InterpreterAction,
        instructions::contract::get_memory_input_and_out_ranges,
        interpreter_types::{InputsTr, LoopControl, RuntimeFlag},
    },
    primitives::hardfork::SpecId,
};

use super::{
    ask::plan,
    instructions::{Ictx, handle, pop},
    journal::SharedJournal,
};
use crate::{evm::poll, region::Operation};

pub(super) fn exec<H>(mut context: Ictx<'_, H>) -> InstructionExecResult
where
    H: ContextTr<Journal: SharedJournal>,
{
    poll::check(context.host)?;
    let [gas, region, offset, len] = pop(&mut context)?;
    let (input, output) =
        get_memory_input_and_out_ranges(context.interpreter, context.host.gas_params())?;
    let limit = context.host.max_initcode_size() as u64;
    let operation = Operation::Exec { handle: handle(region), offset, len, limit };
    let plan = plan(&mut context, &operation)?;
    let code = context.host.journal_mut().shared().code(plan);
    let gas_limit = child_gas(&mut context, gas)?;

    let bytecode = Bytecode::new_legacy(code.into());
    let interpreter = context.interpreter;
    let own = interpreter.input.target_address();
    let inputs = CallInputs {
        input: CallInput::SharedBuffer(input),
        gas_limit,
        target_address: own,
        caller: interpreter.input.caller_address(),
        // Code of a region is at no address. That of the frame is never a precompile's.
        bytecode_address: own,
        known_bytecode: (bytecode.hash_slow(), bytecode),
        value: CallValue::Apparent(interpreter.input.call_value()),
        scheme: CallScheme::DelegateCall,
        is_static: interpreter.runtime_flag.is_static(),
        return_memory_offset: output,
        reservoir: interpreter.gas.reservoir(),
        charged_new_account_state_gas: false,
    };
    let frame = FrameInput::Call(Box::new(inputs));
    interpreter.bytecode.set_action(InterpreterAction::NewFrame(frame));
    Err(InstructionResult::Suspend)
}

/// Takes the child's gas from the frame: what was asked for, but no more than EIP-150 allows.
fn child_gas<H: ContextTr>(
    context: &mut Ictx<'_, H>,
    asked: U256,
) -> Result<u64, InstructionResult> {
    let interpreter = &mut *context.interpreter;
    let left = interpreter.gas.remaining();
    let most = if interpreter.runtime_flag.spec_id().is_enabled_in(SpecId::TANGERINE) {
        context.host.gas_params().call_stipend_reduction(left)
    } else {
        u64::MAX
    };
    let gas = u64::try_from(asked).unwrap_or(u64::MAX).min(most);
    if interpreter.gas.record_regular_cost(gas) {
        Ok(gas)
    } else {
        Err(InstructionResult::OutOfGas)
    }
}
