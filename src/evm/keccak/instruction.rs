//! The instruction that looks for a hash before it computes one.

use std::ops::Deref;

use alloy_primitives::{U256, keccak256};
use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    handler::instructions::EthInstructions,
    interpreter::{
        Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::system, interpreter::EthInterpreter, interpreter_types::MemoryTr,
    },
};

use super::{
    cache::{LONGEST, SharedKeccakCache},
    guess::Call,
};
use crate::evm::Block;

/// Replaces the instruction that hashes. What it costs stays.
pub(crate) fn install<H, B>(instructions: &mut EthInstructions<EthInterpreter, H>)
where
    H: ContextTr<Chain = SharedKeccakCache<B>> + Host,
    B: Deref<Target = Block>,
{
    let table = instructions.instruction_table_mut();
    table[op::KECCAK256 as usize] = Instruction::new(instruction::<H, B>);
}

/// KECCAK256. All that is not a short input within the frame's memory as it is goes to revm's own.
fn instruction<H, B>(context: InstructionContext<'_, H, EthInterpreter>) -> InstructionExecResult
where
    H: ContextTr<Chain = SharedKeccakCache<B>> + Host,
    B: Deref<Target = Block>,
{
    instruction_beside(context, |_, _| None)
}

/// The same, where the hash of a short input may be `known` otherwise.
#[inline]
pub(crate) fn instruction_beside<H, B>(
    context: InstructionContext<'_, H, EthInterpreter>,
    known: impl FnOnce(&H, &[u8]) -> Option<U256>,
) -> InstructionExecResult
where
    H: ContextTr<Chain = SharedKeccakCache<B>> + Host,
    B: Deref<Target = Block>,
{
    let InstructionContext { interpreter, host } = context;
    let short = short_input(interpreter.stack.data(), interpreter.memory.size());
    let Some((offset, length)) = short else {
        return system::keccak256(InstructionContext { interpreter, host });
    };
    if !interpreter.gas.record_regular_cost(host.gas_params().keccak256_cost(length)) {
        return Err(InstructionResult::OutOfGas);
    }
    let input = interpreter.memory.slice_len(offset, length);
    let hash = known(host, &input).unwrap_or_else(|| {
        let mut cache = host.chain().borrow_mut();
        if !cache.is_worth_it() {
            return keccak256(&*input).into();
        }
        cache.find(&input).unwrap_or_else(|| {
            let data = interpreter.input.input.as_bytes(host);
            let frame = Call { caller: interpreter.input.caller_address, data: &data };
            cache.compute(&input, frame)
        })
    });
    drop(input);
    let _offset = interpreter.stack.pop();
    if let Some(top) = interpreter.stack.data_mut().last_mut() {
        *top = hash;
    }
    Ok(())
}

/// Offset and length of the input that a stack asks for, if it is one to be remembered.
fn short_input(stack: &[U256], memory: usize) -> Option<(usize, usize)> {
    let [.., length, offset] = stack else { return None };
    let length = usize::try_from(*length).ok().filter(|length| (1..=LONGEST).contains(length))?;
    let offset = usize::try_from(*offset).ok()?;
    (offset.checked_add(length)? <= memory).then_some((offset, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_are_long_empty_or_beyond_memory_are_left_to_revm() {
        let asked = |offset: U256, length: u64| short_input(&[U256::from(length), offset], 128);
        assert_eq!(asked(U256::from(64), 64), Some((64, 64)));
        assert_eq!(asked(U256::from(32), 96), Some((32, 96)));
        assert_eq!(asked(U256::from(65), 64), None);
        assert_eq!(asked(U256::ZERO, 97), None);
        assert_eq!(asked(U256::ZERO, 0), None);
        assert_eq!(asked(U256::MAX, 32), None);
        assert_eq!(asked(U256::from(u64::MAX), 32), None);
        assert_eq!(short_input(&[U256::from(32)], 128), None);
    }
}
