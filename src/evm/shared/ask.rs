//! How a frame asks: an operation is analysed and paid for, or carried out at once.

use std::ops::Range;

use alloy_primitives::U256;
use revm::{
    context::{ContextTr, LocalContextTr},
    context_interface::context::ContextError,
    interpreter::{
        InstructionResult, Interpreter, SharedMemory,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, RuntimeFlag},
    },
};

use super::{instructions::Ictx, journal::SharedJournal};
use crate::region::{Address, Call, Fault, Moved, Operation, Session, session::Plan};

/// Moves bytes between the frame's memory and what the session has at hand, and pays for it; says how
/// many. `None`: nothing has happened, and the operation is to be analysed.
pub(super) fn at_once<H: ContextTr<Journal: SharedJournal>>(
    context: &mut Ictx<'_, H>,
    range: &Range<usize>,
    act: impl FnOnce(&mut Session, &Call, &mut SharedMemory) -> Option<Moved>,
) -> Result<Option<U256>, InstructionResult> {
    // Nobody may look at the memory of an empty range.
    if range.is_empty() {
        return Ok(None);
    }
    let journal = context.host.journal_mut();
    let (call, memory) = (call(context.interpreter, journal), &mut context.interpreter.memory);
    let moved = journal.shared_at_once(|session| act(session, &call, memory));
    let Some(Moved { gas, bytes }) = moved else { return Ok(None) };
    // It was looked at before anything moved that there is so much.
    if !context.interpreter.gas.record_regular_cost(gas) {
        return Err(InstructionResult::OutOfGas);
    }
    Ok(Some(U256::from(bytes)))
}

/// Who asks, and with what means: the frame.
fn call<J: SharedJournal>(interpreter: &Interpreter<EthInterpreter>, journal: &J) -> Call {
    Call {
        frame: journal.depth(),
        actor: Address(interpreter.input.target_address().0.0),
        is_static: interpreter.runtime_flag.is_static(),
        gas: interpreter.gas.remaining(),
    }
}

/// Analyses an operation of the frame, and pays for it.
pub(super) fn plan<H: ContextTr<Journal: SharedJournal>>(
    context: &mut Ictx<'_, H>,
    operation: &Operation,
) -> Result<Plan, InstructionResult> {
    let interpreter = &mut *context.interpreter;
    let journal = context.host.journal_mut();
    if journal.shared().active().is_none() {
        return Err(InstructionResult::OpcodeNotFound);
    }
    let call = call(interpreter, journal);
    match journal.shared_analyse(&call, operation) {
        Ok(plan) if interpreter.gas.record_regular_cost(plan.gas) => Ok(plan),
        Ok(_) | Err(Fault::OutOfGas) => Err(InstructionResult::OutOfGas),
        Err(Fault::Static { .. }) => Err(InstructionResult::StateChangeDuringStaticCall),
        Err(Fault::Failed { error, .. }) => {
            if call.frame == 1 {
                // The transaction ends with this frame, so the text is that of its own halt.
                context.host.local_mut().set_precompile_error_context(error.to_string());
            }
            Err(InstructionResult::PrecompileError)
        }
        Err(Fault::Wait | Fault::Stop) => Err(stop(context.host)),
    }
}

/// Hands the host's error to the context, without which revm would panic when the frame ends.
pub(super) fn stop<H: ContextTr<Journal: SharedJournal>>(host: &mut H) -> InstructionResult {
    *host.error() = Err(match host.journal_mut().take_shared_failure() {
        Some(error) => ContextError::Db(error),
        None => ContextError::Custom("shared memory is active, but has no regions".into()),
    });
    InstructionResult::FatalExternalError
}
