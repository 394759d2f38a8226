//! The frequent opcodes, executed in a loop that keeps its state in registers.
//!
//! To execute an opcode as revm does costs more than most opcodes: load it, charge it, look its function up, call it
//! through a pointer that the processor has to guess, and let it load and store gas, code position and height of the
//! stack, each of which the next opcode waits for. Nineteen of twenty opcodes of real blocks push, drop, copy and
//! swap words, calculate, compare, jump, or use memory that is there already. So the instruction of each of these
//! executes it by revm's own and then those that follow in [`run`](run::run), until one comes that is not among
//! them: about 40 (Ertl and Gregg, "The Structure and Performance of Efficient Interpreters", 2003, for
//! what an interpreter's time goes to). Nothing is translated, remembered or forgotten.
//!
//! ```text
//!   revm's loop ── SLOAD ── CALL ── PUSH1 ─────────────────────┐ ┌── SSTORE ── …
//!                                     └► PUSH1 ADD DUP2 … MLOAD ┘    gas, position and height
//!                                        in registers                are written back
//! ```
//!
//! # An opcode is executed here, or untouched
//!
//! The loop executes an opcode only if it cannot fail, and checks that before it changes anything: gas, words and
//! room on the stack, the target of a jump, memory that is there, the rules of the block. Otherwise it ends in
//! front of that opcode, as if nothing were here, and revm goes on. So who fails, fails at the same opcode, with the
//! same gas and for the same reason, by revm's code. The same holds for the sequences that are executed at once
//! (a jump with its PUSH2 and its JUMPDEST, with ISZERO before them; SWAP and POP; the mask of an address): all of it, or
//! its first opcode is where the loop ends.
//!
//! Nobody can look in between: what sees more than the frame's own stack, memory, code, input and gas is not in the
//! loop. Costs are revm's, and do not depend on the rules; `install` makes sure of that.
//!
//! Each jump polls where the block can be stopped, as those of [`poll`](super::poll) do, so an endless loop of a
//! contract can be stopped, too. The sequential reference runs on revm's own table.
//!
//! # What it gains
//!
//! Eleven real blocks (2018 to 2025), one by one and in turns with sequential revm, medians, geometric mean of the
//! ratios: superinstructions on revm's table (what was here before: 30 sequences of two to seven opcodes in one
//! instruction each) 1.13, this loop 1.30. Instructions are what they were (0.89 to 1.01 of revm's): they wait less.
//!
//! What decides is how the loop is compiled, so look at its assembly when you change it:
//!
//! - **Position, gas and height have three types.** Two of one type are put into the halves of a vector register
//!   and taken out for each opcode, which takes the processor longer than the opcode (0.92 instead of 0.88 of the time
//!   with superinstructions).
//! - **Frequent opcodes are told apart by comparisons.** With all opcodes in one jump table 1.06 instead of 1.30, less
//!   than superinstructions. A processor guesses a branch that is taken or not better than where a jump through a table
//!   leads that follows 80 different opcodes. Calculations by comparisons as well: 1.25.
//! - **Nothing that needs another register.** MULMOD and SAR in the loop: 1.255 instead of 1.273.
//! - No gain: words copied by limbs, so that a processor can forward what it has just stored (0.862 of the time instead
//!   of 0.852); MULMOD modulo 2^256 - 1 by a sum instead of a division, outside the loop (1.297 instead of 1.312).
//!
//! To enter it takes about 100 instructions. Where it clears 32 words of the stack instead of 16, and is entered for
//! opcodes that it then cannot execute, calls within calls take 1.64 times revm's instructions.

mod run;
#[cfg(test)]
mod tests;
mod words;

use std::marker::PhantomData;

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    handler::instructions::EthInstructions,
    interpreter::{
        GasTable, Host, Instruction, InstructionContext, InstructionExecResult, InstructionTable,
        Interpreter, gas_table, instruction_table, interpreter::EthInterpreter,
        interpreter_types::Jumps,
    },
};

use super::{poll, shared::SharedJournal};

type Ictx<'a, H> = InstructionContext<'a, H, EthInterpreter>;
type Executed = InstructionExecResult;
type Frame = Interpreter<EthInterpreter>;

/// Calls a macro with the opcodes of the loop.
macro_rules! with_opcodes {
    ($with:ident) => {
        $with! {
            ADD MUL SUB DIV LT GT SLT SGT EQ ISZERO AND OR XOR NOT SHL SHR
            ADDRESS CALLER CALLVALUE CALLDATALOAD CALLDATASIZE RETURNDATASIZE
            POP MLOAD MSTORE JUMP JUMPI PC GAS JUMPDEST
            PUSH0 PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH7 PUSH8 PUSH9 PUSH10 PUSH11 PUSH12 PUSH13 PUSH14 PUSH15 PUSH16 PUSH17 PUSH18 PUSH19 PUSH20 PUSH21 PUSH22 PUSH23 PUSH24 PUSH25 PUSH26 PUSH27 PUSH28 PUSH29 PUSH30 PUSH31 PUSH32
            DUP1 DUP2 DUP3 DUP4 DUP5 DUP6 DUP7 DUP8 DUP9 DUP10 DUP11 DUP12 DUP13 DUP14 DUP15 DUP16
            SWAP1 SWAP2 SWAP3 SWAP4 SWAP5 SWAP6 SWAP7 SWAP8 SWAP9 SWAP10 SWAP11 SWAP12 SWAP13 SWAP14 SWAP15 SWAP16
        }
    };
}

/// revm's costs, without those that a fork changed.
static COSTS: GasTable = gas_table();

/// Whether an opcode is one of the loop's.
static INNER: [bool; 256] = {
    let mut inner = [false; 256];
    macro_rules! mark {
        ($($opcode:ident)*) => { $(inner[op::$opcode as usize] = true;)* };
    }
    with_opcodes!(mark);
    inner
};

/// The opcodes of the loop.
fn opcodes() -> impl Iterator<Item = u8> {
    (0..=u8::MAX).filter(|opcode| INNER[usize::from(*opcode)])
}

/// Replaces the instructions of the loop's opcodes, which poll if the block is `watched`. What they cost stays.
pub(super) fn install<H>(instructions: &mut EthInstructions<EthInterpreter, H>, watched: bool)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    let costs = instructions.gas_table();
    if opcodes().map(usize::from).any(|opcode| costs[opcode] != COSTS[opcode]) {
        return;
    }
    let table = instructions.instruction_table_mut();
    if watched {
        replace::<true, H>(table);
    } else {
        replace::<false, H>(table);
    }
}

fn replace<const POLLED: bool, H>(table: &mut InstructionTable<EthInterpreter, H>)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    macro_rules! put {
        ($($opcode:ident)*) => {
            $(
                table[op::$opcode as usize] =
                    Instruction::new(enter::<{ op::$opcode }, POLLED, H>);
            )*
        };
    }
    with_opcodes!(put);
}

/// Code of fewer bytes, padding included, such as that of a proxy, does not enter the loop: it has seldom more than
/// three opcodes between two that the loop does not have, and to enter it takes as long as four.
const SHORT: usize = 256;

/// revm's instructions.
struct Plain<H>(PhantomData<H>);

impl<H: Host> Plain<H> {
    const TABLE: InstructionTable<EthInterpreter, H> = instruction_table();
}

/// The instruction of an opcode of the loop: revm's, and then the loop, if it can do anything.
fn enter<const OPCODE: u8, const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    let Ictx { interpreter, host } = context;
    if POLLED && matches!(OPCODE, op::JUMP | op::JUMPI) {
        poll::check(host)?;
    }
    let plain = const { Plain::<H>::TABLE[OPCODE as usize] };
    plain.execute(Ictx { interpreter: &mut *interpreter, host: &mut *host })?;
    let code = &interpreter.bytecode;
    if INNER[usize::from(code.opcode())] && code.bytes_slice().len() >= SHORT {
        return run::run::<POLLED, H>(interpreter, host);
    }
    Ok(())
}
