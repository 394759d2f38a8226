//! PUSH1, and what uses the constant at once.

use alloy_primitives::U256;
use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    interpreter::{
        instructions::stack,
        interpreter::STACK_LIMIT,
        interpreter_types::{Immediates, Jumps},
    },
};

use super::{
    Executed, Frame, Ictx,
    ahead::gas,
    jump::{push_jump, push_jumpi},
};
use crate::evm::shared::SharedJournal;

/// PUSH1, and ADD, another PUSH1, a mask, or a jump. Masks are made with SHL, where `SHIFTS` are in force.
pub(super) fn push1<const SHIFTS: bool, const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal>,
{
    let frame = &mut *context.interpreter;
    let code = frame.bytecode.read_slice(2);
    let (word, next) = (code[0], code[1]);
    let done = match next {
        op::PUSH1 => SHIFTS && word == 1 && mask(frame) || two(frame, word),
        op::ADD => add(frame, word),
        op::JUMPI => return push_jumpi::<1, POLLED, H>(context, usize::from(word)),
        op::JUMP => return push_jump::<1, POLLED, H>(context, usize::from(word)),
        _ => false,
    };
    if done { Ok(()) } else { stack::push::<1, _, _>(context) }
}

/// `ADD`, if it cannot fail.
#[inline(always)]
fn add(frame: &mut Frame, word: u8) -> bool {
    let full = frame.stack.len() == STACK_LIMIT;
    if let Some(top) = frame.stack.data_mut().last_mut()
        && !full
        && frame.gas.record_regular_cost(const { gas(&[op::ADD]) })
    {
        *top = top.wrapping_add(U256::from(word));
        frame.bytecode.relative_jump(2);
        return true;
    }
    false
}

/// `PUSH1 second`, if it cannot fail.
#[inline(always)]
fn two(frame: &mut Frame, first: u8) -> bool {
    let second = frame.bytecode.read_slice(3)[2];
    let fit = frame.stack.len() < STACK_LIMIT - 1
        && frame.gas.record_regular_cost(const { gas(&[op::PUSH1]) })
        && frame.stack.push(U256::from(first))
        && frame.stack.push(U256::from(second));
    if fit {
        frame.bytecode.relative_jump(3);
    }
    fit
}

/// After `PUSH1 1`, `PUSH1 1 PUSH1 bits SHL SUB`: a word with so many low bits set. The compiler masks
/// addresses and lengths with it, most often by the `AND` that follows.
#[inline(always)]
fn mask(frame: &mut Frame) -> bool {
    const MAKES: u64 = gas(&[op::PUSH1, op::PUSH1, op::SHL, op::SUB]);
    const ADDRESS: U256 = U256::from_limbs([u64::MAX, u64::MAX, u32::MAX as u64, 0]);
    // Of each PUSH1 its byte and the next opcode are there, and another one behind SHL and behind SUB.
    if frame.bytecode.read_slice(4)[2..] != [1, op::PUSH1]
        || frame.bytecode.read_slice(6)[5] != op::SHL
        || frame.bytecode.read_slice(7)[6] != op::SUB
        || frame.stack.len() >= STACK_LIMIT - 2
    {
        return false;
    }
    let code = frame.bytecode.read_slice(8);
    let (bits, applied) = (code[4], code[7] == op::AND);
    let mask = if bits == 160 { ADDRESS } else { (U256::ONE << bits) - U256::ONE };
    if applied
        && !frame.stack.is_empty()
        && frame.gas.record_regular_cost(const { MAKES + gas(&[op::AND]) })
    {
        if let Some(top) = frame.stack.data_mut().last_mut() {
            *top &= mask;
        }
        frame.bytecode.relative_jump(8);
        return true;
    }
    let fit = frame.gas.record_regular_cost(MAKES) && frame.stack.push(mask);
    if fit {
        frame.bytecode.relative_jump(7);
    }
    fit
}
