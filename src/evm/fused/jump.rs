//! Jumps past the JUMPDEST that they come to, and jumps to a constant.

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    interpreter::{
        InstructionResult,
        instructions::stack,
        interpreter::STACK_LIMIT,
        interpreter_types::{Immediates, Jumps},
    },
};

use super::{Executed, Frame, Ictx, ahead::gas};
use crate::evm::{poll, shared::SharedJournal};

/// JUMP.
pub(super) fn jump<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    if POLLED {
        poll::check(context.host)?;
    }
    let target = context.interpreter.stack.pop()?;
    land(context.interpreter, usize::try_from(target).unwrap_or(usize::MAX))
}

/// JUMPI.
pub(super) fn jumpi<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    if POLLED {
        poll::check(context.host)?;
    }
    let frame = context.interpreter;
    let [rest @ .., condition, target] = frame.stack.data().as_slice() else {
        return Err(InstructionResult::StackUnderflow);
    };
    let taken = !condition.is_zero();
    let (target, rest) = (usize::try_from(*target).unwrap_or(usize::MAX), rest.len());
    frame.stack.data_mut().truncate(rest);
    if taken { land(frame, target) } else { Ok(()) }
}

/// PUSH2, and the jump that follows.
pub(super) fn push2<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let target = usize::from(context.interpreter.bytecode.read_u16());
    match context.interpreter.bytecode.read_slice(3)[2] {
        op::JUMPI => push_jumpi::<2, POLLED, H>(context, target),
        op::JUMP => push_jump::<2, POLLED, H>(context, target),
        _ => stack::push::<2, _, _>(context),
    }
}

/// The push of `N` bytes, which are `target`, and JUMP.
#[inline(always)]
pub(super) fn push_jump<const N: usize, const POLLED: bool, H>(
    context: Ictx<'_, H>,
    target: usize,
) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    if frame.stack.len() < STACK_LIMIT && frame.gas.record_regular_cost(const { gas(&[op::JUMP]) })
    {
        if POLLED {
            poll::check(context.host)?;
        }
        return land(frame, target);
    }
    stack::push::<N, _, _>(context)
}

/// The push of `N` bytes, which are `target`, and JUMPI.
#[inline(always)]
pub(super) fn push_jumpi<const N: usize, const POLLED: bool, H>(
    context: Ictx<'_, H>,
    target: usize,
) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    if let [rest @ .., condition] = frame.stack.data().as_slice()
        && rest.len() < STACK_LIMIT - 1
        && frame.gas.record_regular_cost(const { gas(&[op::JUMPI]) })
    {
        let (taken, rest) = (!condition.is_zero(), rest.len());
        frame.stack.data_mut().truncate(rest);
        return branch::<POLLED, H>(context, taken, target, N as isize + 1);
    }
    stack::push::<N, _, _>(context)
}

/// The end of a branch that is paid for and whose condition is off the stack: goes to the target, or past the rest of
/// the sequence, so many bytes.
#[inline(always)]
pub(super) fn branch<const POLLED: bool, H>(
    context: Ictx<'_, H>,
    taken: bool,
    target: usize,
    rest: isize,
) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    if POLLED {
        poll::check(context.host)?;
    }
    if taken {
        return land(context.interpreter, target);
    }
    context.interpreter.bytecode.relative_jump(rest);
    Ok(())
}

/// Goes to a target, and past the JUMPDEST there unless there is no gas for it: then the JUMPDEST is what fails.
#[inline(always)]
fn land(frame: &mut Frame, target: usize) -> Executed {
    if !frame.bytecode.is_valid_legacy_jump(target) {
        return Err(InstructionResult::InvalidJump);
    }
    let past = frame.gas.record_regular_cost(const { gas(&[op::JUMPDEST]) });
    frame.bytecode.absolute_jump(target + usize::from(past));
    Ok(())
}
