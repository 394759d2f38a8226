//! Words that are dropped: a function clears its variables off the stack before it returns.

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    interpreter::{InstructionResult, instructions::stack, interpreter_types::Jumps},
};

use super::{
    Executed, Ictx,
    ahead::{self, gas},
    jump,
};
use crate::evm::shared::SharedJournal;

const POPS: u64 = gas(&[op::POP]);

/// POP, and those that follow, and JUMP.
pub(super) fn pop<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    if !matches!(ahead::next(context.interpreter), op::POP | op::JUMP) {
        return stack::pop(context);
    }
    match context.interpreter.stack.len().checked_sub(1) {
        Some(left) => go_on::<POLLED, H>(context, left),
        None => Err(InstructionResult::StackUnderflow),
    }
}

/// SWAP of the top with the `N`th below it, and POP: the top takes its place.
pub(super) fn swap<const N: usize, const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    if ahead::next(frame) == op::POP
        && let Some(place) = frame.stack.len().checked_sub(N + 1)
        && frame.gas.record_regular_cost(POPS)
    {
        frame.bytecode.relative_jump(1);
        frame.stack.data_mut().swap_remove(place);
        return go_on::<POLLED, H>(context, place + N);
    }
    stack::swap::<N, _, _>(context)
}

/// A word was popped, so that so many are `left`: pops as many more as the code says, and jumps.
#[inline(always)]
fn go_on<const POLLED: bool, H>(context: Ictx<'_, H>, mut left: usize) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    while ahead::next(frame) == op::POP && left > 0 && frame.gas.record_regular_cost(POPS) {
        frame.bytecode.relative_jump(1);
        left -= 1;
    }
    frame.stack.data_mut().truncate(left);
    if ahead::next(frame) == op::JUMP && frame.gas.record_regular_cost(const { gas(&[op::JUMP]) }) {
        frame.bytecode.relative_jump(1);
        return jump::jump::<POLLED, H>(context);
    }
    Ok(())
}
