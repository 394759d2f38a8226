//! Instructions that notice that their block has been stopped.
//!
//! A contract in a loop may touch no state for as long as its gas lasts, and so meet none of the places
//! where a context is told to give up. Every loop jumps and every recursion calls, so jumps and
//! calls look at the block's flag ([`Control`](crate::context::Control)): one load and one branch. Only
//! blocks that somebody can stop get these instructions; others run on revm's own table. Polling costs
//! 0.3 % to 2.3 % of a real block's instructions (callgrind; the most on the direct path), which is
//! more than nothing.

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    context_interface::context::ContextError,
    handler::instructions::EthInstructions,
    interpreter::{
        Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::{contract, control},
        interpreter::EthInterpreter,
    },
};

use super::shared::SharedJournal;

type Ictx<'a, H> = InstructionContext<'a, H, EthInterpreter>;
type Executed = InstructionExecResult;

/// Replaces jumps and calls. What they cost stays.
pub(crate) fn install<H>(instructions: &mut EthInstructions<EthInterpreter, H>)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    let table = instructions.instruction_table_mut();
    table[op::JUMP as usize] = Instruction::new(jump);
    table[op::JUMPI as usize] = Instruction::new(jumpi);
    table[op::CALL as usize] = Instruction::new(call::<{ op::CALL }, H>);
    table[op::CALLCODE as usize] = Instruction::new(call::<{ op::CALLCODE }, H>);
    table[op::DELEGATECALL as usize] = Instruction::new(call::<{ op::DELEGATECALL }, H>);
    table[op::STATICCALL as usize] = Instruction::new(call::<{ op::STATICCALL }, H>);
}

fn jump<H: ContextTr<Journal: SharedJournal>>(context: Ictx<'_, H>) -> Executed {
    check(context.host)?;
    control::jump(context)
}

fn jumpi<H: ContextTr<Journal: SharedJournal>>(context: Ictx<'_, H>) -> Executed {
    check(context.host)?;
    control::jumpi(context)
}

fn call<const KIND: u8, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    check(context.host)?;
    contract::call::<KIND, _, _>(context)
}

/// Ends the transaction if the block has been stopped. The error is nobody's outcome.
#[inline]
pub(crate) fn check<H: ContextTr<Journal: SharedJournal>>(
    host: &mut H,
) -> Result<(), InstructionResult> {
    if !host.journal_mut().shared().is_stopped() {
        return Ok(());
    }
    *host.error() = Err(ContextError::Custom("the block was stopped".into()));
    Err(InstructionResult::FatalExternalError)
}
