//! The frequent opcodes, executed in a loop that keeps its state in registers.
//!
//! To execute an opcode as revm does costs more than most opcodes: load it, charge it, look its function up, call it
//! through a pointer that the processor has to guess, and let it load and store gas, code position and height of the
//! stack, each of which the next opcode waits for. Nineteen of twenty opcodes of real blocks push, drop, copy and
//! swap words, calculate, compare, jump, or use memory that is there already. So the instruction of each of these,
//! [`enter`](run::enter), executes it and those that follow, until one comes that is not among them: about 40
//! (Ertl and Gregg, "The Structure and Performance of Efficient Interpreters", 2003, for what an
//! interpreter's time goes to). Nothing is translated, remembered or forgotten.
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
//! front of that opcode, as if nothing were here, and revm goes on. If it is the opcode that the loop was entered
//! with, revm's own instruction executes it. So who fails, fails at the same opcode, with the same gas and
//! for the same reason, by revm's code.
//!
//! Nobody can look in between: what sees more than the frame's own stack, memory, code, input and gas is not in the
//! loop. Costs are revm's, and do not depend on the rules; `install` makes sure of that.
//!
//! Each jump polls where the block can be stopped, as those of [`poll`](super::poll) do, so an endless loop of a
//! contract can be stopped, too. The sequential reference runs on revm's own table.
//!
//! # What it gains
//!
//! Of 13 real blocks (2017 to 2025), one by one, medians of interleaved runs, time with revm's table = 1:
//! superinstructions on revm's table (what was here before: 30 sequences of two to seven opcodes in one
//! instruction each) 0.95, this loop 0.81.
//!
//! What decides is how the loop is compiled, so look at its assembly when you change it:
//!
//! - **Position, gas and height have three types.** Two of one type are put into the halves of a vector register
//!   and taken out for each opcode, which takes the processor longer than the opcode (0.88 instead of 0.85 of the time
//!   with superinstructions).
//! - **Frequent opcodes are told apart by comparisons.** All opcodes in one jump table: 1.15 instead of 0.88, slower
//!   than revm's table. A processor guesses a branch that is taken or not better than where a jump through a table
//!   leads that follows 80 different opcodes. To do it for the calculations as well changed nothing (0.88 instead
//!   of 0.86: there is one variable more than registers then).
//! - No gain: jumps to a constant executed with the PUSH2 before them (0.859 instead of 0.854); words copied by
//!   limbs, so that a processor can forward what it has just stored (0.862 instead of 0.852).

mod run;
#[cfg(test)]
mod tests;
mod words;

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    handler::instructions::EthInstructions,
    interpreter::{
        GasTable, Host, Instruction, InstructionContext, InstructionExecResult, Interpreter,
        gas_table, interpreter::EthInterpreter,
    },
};

use super::shared::SharedJournal;

type Ictx<'a, H> = InstructionContext<'a, H, EthInterpreter>;
type Executed = InstructionExecResult;
type Frame = Interpreter<EthInterpreter>;

/// revm's costs, without those that a fork changed.
static COSTS: GasTable = gas_table();

/// The opcodes of the loop.
fn opcodes() -> impl Iterator<Item = u8> {
    let single = [
        op::ADD,
        op::MUL,
        op::SUB,
        op::DIV,
        op::LT,
        op::GT,
        op::SLT,
        op::SGT,
        op::EQ,
        op::ISZERO,
        op::AND,
        op::OR,
        op::XOR,
        op::NOT,
        op::SHL,
        op::SHR,
        op::ADDRESS,
        op::CALLER,
        op::CALLVALUE,
        op::CALLDATALOAD,
        op::CALLDATASIZE,
        op::RETURNDATASIZE,
        op::POP,
        op::MLOAD,
        op::MSTORE,
        op::JUMP,
        op::JUMPI,
        op::PC,
        op::GAS,
        op::JUMPDEST,
    ];
    single
        .into_iter()
        .chain(op::PUSH0..=op::PUSH32)
        .chain(op::DUP1..=op::DUP16)
        .chain(op::SWAP1..=op::SWAP16)
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
    let enter = match watched {
        true => Instruction::new(run::enter::<true, H>),
        false => Instruction::new(run::enter::<false, H>),
    };
    let table = instructions.instruction_table_mut();
    opcodes().for_each(|opcode| table[usize::from(opcode)] = enter);
}
