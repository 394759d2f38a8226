//! The sixteen opcodes.
//!
//! | step | what it does | fails with |
//! |---|---|---|
//! | operands | pops them | `StackUnderflow` |
//! | memory | expands the frame's memory for the requested range, as every opcode does; a range of no bytes expands nothing, wherever it is | `OutOfGas` |
//! | analysis | checks, and says what it costs, the base included | see below |
//! | payment | | `OutOfGas` |
//! | execution | moves bytes, pushes results | – |
//!
//! SHARED_READ and SHARED_WRITE of bytes that the session has at hand take the last three steps in one:
//! [`Session::read_now`](crate::region::Session::read_now).
//!
//! An analysis that ends in [`Fault::Static`] halts the frame as a state change in a static call does.
//! One that ends in [`Fault::Failed`] halts it as a failing precompile does
//! ([`InstructionResult::PrecompileError`]): the frame's gas is used, its caller sees 0, and the error is
//! in the transaction's diagnostics; if it is the transaction's first frame, it is also the text of the
//! halt. When the host has to stop, its error is in the context before the frame ends.
//!
//! Results are pushed so that the first one named is on top: SHARED_INFO leaves the size above the
//! permissions. SHARED_READ copies as many bytes as there are, and leaves the rest of the requested range
//! as it was; SHARED_READ_PADDED sets all of it.

use std::ops::Range;

use alloy_primitives::U256;
use revm::{
    context::ContextTr,
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::contract::resize_memory, interpreter::EthInterpreter,
    },
};

use super::{
    ask::{at_once, plan},
    exec::exec,
    journal::SharedJournal,
};
use crate::region::{Access, Handle, Operation, OperationKind, Output, config::ChainConfig};

pub(super) type Ictx<'a, H> = InstructionContext<'a, H, EthInterpreter>;
type Executed = InstructionExecResult;

/// Puts the opcodes where the chain has them. Their gas is all dynamic.
pub(super) fn install<H>(
    instructions: &mut EthInstructions<EthInterpreter, H>,
    config: &ChainConfig,
) where
    H: ContextTr<Journal: SharedJournal>,
{
    for kind in OperationKind::ALL {
        let instruction = match kind {
            OperationKind::Alloc => alloc,
            OperationKind::Free => free,
            OperationKind::Create => create,
            OperationKind::Open => open,
            OperationKind::Map => map,
            OperationKind::Unmap => unmap,
            OperationKind::Publish => publish,
            OperationKind::Read => read,
            OperationKind::ReadPadded => read_padded,
            OperationKind::Write => write,
            OperationKind::Copy => copy,
            OperationKind::Grow => grow,
            OperationKind::Grant => grant,
            OperationKind::Destroy => destroy,
            OperationKind::Exec => exec,
            OperationKind::Info => info,
        };
        let byte = config.opcodes[kind as usize];
        instructions.insert_instruction(byte, Instruction::new(instruction), 0);
    }
}

fn alloc<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [size, class] = pop(&mut context)?;
    whole(context, Operation::Alloc { size, class })
}

fn free<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [region] = pop(&mut context)?;
    whole(context, Operation::Free { handle: handle(region) })
}

fn create<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [name, size, permissions, options] = pop(&mut context)?;
    whole(context, Operation::Create { name: name.to_be_bytes(), size, permissions, options })
}

fn open<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [owner, name] = pop(&mut context)?;
    whole(context, Operation::Open { owner, name: name.to_be_bytes() })
}

fn map<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [region, options, offset, size] = pop(&mut context)?;
    whole(context, Operation::Map { handle: handle(region), options, offset, size })
}

fn unmap<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [mapping] = pop(&mut context)?;
    whole(context, Operation::Unmap { mapping })
}

fn publish<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [mapping] = pop(&mut context)?;
    whole(context, Operation::Publish { mapping })
}

fn copy<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [mapping, destination, source, len] = pop(&mut context)?;
    whole(context, Operation::Copy { mapping, destination, source, len })
}

fn grow<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [region, size] = pop(&mut context)?;
    whole(context, Operation::Grow { handle: handle(region), size })
}

fn grant<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [region, address, permissions] = pop(&mut context)?;
    whole(context, Operation::Grant { handle: handle(region), address, permissions })
}

fn destroy<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [region] = pop(&mut context)?;
    whole(context, Operation::Destroy { handle: handle(region) })
}

fn info<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [region] = pop(&mut context)?;
    whole(context, Operation::Info { handle: handle(region) })
}

fn read<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [mapping, offset, len, destination] = pop(&mut context)?;
    let range = expand(&mut context, destination, len)?;
    let access = Access { mapping, offset, len };
    let now = at_once(&mut context, &range, |session, call, memory| {
        let mut memory = memory.slice_mut(range.start, range.len());
        session.read_now(call, &access, &mut memory)
    })?;
    if let Some(bytes) = now {
        return push(&mut context, bytes);
    }
    let plan = plan(&mut context, &Operation::Read { mapping, offset, len })?;
    let bytes = plan.bytes as usize;
    let shared = context.host.journal_mut().shared();
    if bytes == 0 {
        shared.read(plan, &mut []);
    } else {
        shared.read(plan, &mut context.interpreter.memory.slice_mut(range.start, bytes));
    }
    push(&mut context, U256::from(bytes))
}

fn read_padded<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [mapping, offset, len, destination] = pop(&mut context)?;
    let range = expand(&mut context, destination, len)?;
    let plan = plan(&mut context, &Operation::ReadPadded { mapping, offset, len })?;
    let bytes = plan.bytes as usize;
    let shared = context.host.journal_mut().shared();
    if range.is_empty() {
        shared.read(plan, &mut []);
    } else {
        let mut memory = context.interpreter.memory.slice_mut(range.start, range.len());
        shared.read(plan, &mut memory[..bytes]);
        memory[bytes..].fill(0);
    }
    Ok(())
}

fn write<H: ContextTr<Journal: SharedJournal>>(mut context: Ictx<'_, H>) -> Executed {
    let [mapping, offset, len, source] = pop(&mut context)?;
    let range = expand(&mut context, source, len)?;
    let access = Access { mapping, offset, len };
    let now = at_once(&mut context, &range, |session, call, memory| {
        session.write_now(call, &access, &memory.slice_len(range.start, range.len()))
    })?;
    if let Some(bytes) = now {
        return push(&mut context, bytes);
    }
    let plan = plan(&mut context, &Operation::Write { mapping, offset, len })?;
    let bytes = plan.bytes as usize;
    let shared = context.host.journal_mut().shared();
    if bytes == 0 {
        shared.write(plan, &[]);
    } else {
        shared.write(plan, &context.interpreter.memory.slice_len(range.start, bytes));
    }
    push(&mut context, U256::from(bytes))
}

/// An operation on a region as a whole: nothing moves between it and the frame's memory.
fn whole<H: ContextTr<Journal: SharedJournal>>(
    mut context: Ictx<'_, H>,
    operation: Operation,
) -> Executed {
    let plan = plan(&mut context, &operation)?;
    match context.host.journal_mut().shared().execute(plan) {
        Output::Handle(handle) => {
            let word = handle.map_or(U256::ZERO, |handle| U256::from_be_bytes(handle.0));
            push(&mut context, word)
        }
        Output::Mapping(ordinal) => push(&mut context, U256::from(ordinal)),
        Output::Bytes(bytes) => push(&mut context, U256::from(bytes)),
        Output::Info { size, permissions } => {
            push(&mut context, U256::from(permissions))?;
            push(&mut context, U256::from(size))
        }
        Output::Done => Ok(()),
    }
}

pub(super) fn handle(word: U256) -> Handle {
    Handle(word.to_be_bytes())
}

pub(super) fn pop<H, const N: usize>(
    context: &mut Ictx<'_, H>,
) -> Result<[U256; N], InstructionResult> {
    context.interpreter.stack.popn().ok_or(InstructionResult::StackUnderflow)
}

fn push<H>(context: &mut Ictx<'_, H>, word: U256) -> Executed {
    if context.interpreter.stack.push(word) {
        Ok(())
    } else {
        Err(InstructionResult::StackOverflow)
    }
}

/// Expands the frame's memory. Nobody may look at the range if it is empty.
fn expand<H: ContextTr>(
    context: &mut Ictx<'_, H>,
    offset: U256,
    len: U256,
) -> Result<Range<usize>, InstructionResult> {
    resize_memory(context.interpreter, context.host.gas_params(), offset, len)
}
