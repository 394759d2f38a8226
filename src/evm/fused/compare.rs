//! Comparisons that decide a branch: `PUSH2 target JUMPI`.

use alloy_primitives::U256;
use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    interpreter::{
        instructions::{bitwise, stack},
        interpreter::STACK_LIMIT,
        interpreter_types::Immediates,
    },
};

use super::{
    Executed, Ictx,
    ahead::{self, BRANCH, gas},
    jump::branch,
};
use crate::evm::shared::SharedJournal;

/// What a branch costs.
const BRANCHES: u64 = gas(&[op::PUSH2, op::JUMPI]);
/// What a negation costs.
const NEGATES: u64 = gas(&[op::ISZERO]);
/// `PUSH4 word`, and a comparison without the branch, in bytes.
const WITH_CONSTANT: usize = 6;

/// EQ, LT, GT or SLT, and the branch that it decides, or the opposite of it.
pub(super) fn compare<const OP: u8, const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    let negated = ahead::next(frame) == op::ISZERO;
    let target = if negated { ahead::branch::<1>(frame) } else { ahead::branch::<0>(frame) };
    let cost = if negated { NEGATES + BRANCHES } else { BRANCHES };
    // The target is pushed where a word was taken off, so there is room.
    if let Some(target) = target
        && let [rest @ .., second, first] = frame.stack.data().as_slice()
        && frame.gas.record_regular_cost(cost)
    {
        let (taken, rest) = (holds::<OP>(first, second) != negated, rest.len());
        frame.stack.data_mut().truncate(rest);
        return branch::<POLLED, H>(context, taken, target, BRANCH + isize::from(negated));
    }
    match OP {
        op::EQ => bitwise::eq(context),
        op::LT => bitwise::lt(context),
        op::GT => bitwise::gt(context),
        _ => bitwise::slt(context),
    }
}

/// Whether a comparison holds between the top of the stack and what is below it.
#[inline(always)]
fn holds<const OP: u8>(first: &U256, second: &U256) -> bool {
    /// With the sign turned, signed words are in the order of unsigned ones.
    const SIGN: U256 = U256::from_limbs([0, 0, 0, 1 << 63]);
    match OP {
        op::EQ => first == second,
        op::LT => first < second,
        op::GT => first > second,
        _ => *first ^ SIGN < *second ^ SIGN,
    }
}

/// ISZERO, and the branch that it decides.
pub(super) fn is_zero<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    if let Some(target) = ahead::branch::<0>(frame)
        && let [rest @ .., word] = frame.stack.data().as_slice()
        && rest.len() < STACK_LIMIT - 1
        && frame.gas.record_regular_cost(BRANCHES)
    {
        let (taken, rest) = (word.is_zero(), rest.len());
        frame.stack.data_mut().truncate(rest);
        return branch::<POLLED, H>(context, taken, target, BRANCH);
    }
    bitwise::iszero(context)
}

/// DUP1, and a branch that leaves the word where it is: `ISZERO` and the branch, or `PUSH4 selector EQ` and the
/// branch.
pub(super) fn dup1<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    match ahead::next(context.interpreter) {
        op::PUSH4 => dup1_select::<POLLED, H>(context),
        op::ISZERO => dup1_is_zero::<POLLED, H>(context),
        _ => stack::dup::<1, _, _>(context),
    }
}

#[inline(always)]
fn dup1_is_zero<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    if let Some(target) = ahead::branch::<1>(frame)
        && let [rest @ .., word] = frame.stack.data().as_slice()
        && rest.len() < STACK_LIMIT - 2
        && frame.gas.record_regular_cost(NEGATES + BRANCHES)
    {
        let taken = word.is_zero();
        return branch::<POLLED, H>(context, taken, target, 1 + BRANCH);
    }
    stack::dup::<1, _, _>(context)
}

/// A contract's functions are tried one after another, or, where there are many, halved by GT first.
#[inline(always)]
fn dup1_select<const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    let code = frame.bytecode.read_slice(WITH_CONSTANT);
    let selector = U256::from(u32::from_be_bytes([code[1], code[2], code[3], code[4]]));
    let comparison = code[5];
    if matches!(comparison, op::EQ | op::GT)
        && let Some(target) = ahead::branch::<WITH_CONSTANT>(frame)
        && let [rest @ .., word] = frame.stack.data().as_slice()
        && rest.len() < STACK_LIMIT - 2
        && frame.gas.record_regular_cost(const { gas(&[op::PUSH4, op::EQ]) + BRANCHES })
    {
        let taken = if comparison == op::EQ { selector == *word } else { selector > *word };
        return branch::<POLLED, H>(context, taken, target, WITH_CONSTANT as isize + BRANCH);
    }
    stack::dup::<1, _, _>(context)
}
