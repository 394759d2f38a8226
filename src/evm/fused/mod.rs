//! Superinstructions: frequent sequences of opcodes, executed in one call of an instruction.
//!
//! Half of what the interpreter executes in real blocks pushes, drops and swaps words or jumps, and an opcode
//! of these costs less than to get to it: load it, charge it, look its function up, call it through a pointer
//! that the processor has to guess. So the instruction of a frequent sequence's first opcode looks at
//! the code ahead, and executes the rest of the sequence with itself (Ertl and Gregg, "The Structure and
//! Performance of Efficient Interpreters", 2003; Casey, Ertl and Gregg, "Optimizing Indirect Branch Prediction
//! Accuracy in Virtual Machine Interpreters", 2007). The code itself stays as it is, so there is nothing
//! to translate, to remember or to forget.
//!
//! | file | sequence | opcodes that it saves, of 100 |
//! |---|---|---|
//! | `jump` | a jump and the JUMPDEST that it comes to | 7.5 |
//! | | PUSH1 or PUSH2, and JUMP or JUMPI | 6.6 |
//! | `compare` | ISZERO, EQ, LT, GT or SLT, before PUSH2 JUMPI, with or without ISZERO between | 5.1 |
//! | | DUP1 ISZERO PUSH2 JUMPI | 0.4 |
//! | | DUP1 PUSH4 EQ PUSH2 JUMPI, by which a contract finds the function that is called | 0.9 |
//! | `drop` | POP after POP, then JUMP | 4.7 |
//! | | SWAP1, SWAP2 or SWAP3, and POP | 2.4 |
//! | `constant` | PUSH1 1 PUSH1 1 PUSH1 160 SHL SUB, with or without AND: the mask of an address | 5.9 |
//! | | PUSH1 PUSH1; PUSH1 ADD | 1.5 |
//!
//! Shares are of the 5 M opcodes of 41 real blocks, Frontier to Prague.
//!
//! # All of a sequence, or its first opcode alone
//!
//! A sequence is executed as one only if none of its opcodes runs out of gas, of words or of room on
//! the stack: that is checked first, and gas is charged for all of them at once. Otherwise revm's own
//! instruction executes the first opcode, and the interpreter goes on to the next as if nothing were here.
//! So who fails, fails at the same opcode, with the same gas and for the same reason. What can still fail is a
//! jump to no JUMPDEST, which is then the last that happens, and is charged for.
//!
//! Nobody can look in between: GAS, calls and whatever else sees gas or memory are in no sequence. What the opcodes
//! cost does not depend on the rules, which `install` makes sure of; of the opcodes themselves only SHL does.
//!
//! Code ahead is read opcode by opcode. revm pads code, so behind each opcode and what it pushes there is
//! another one, except behind STOP, which is in no sequence.
//!
//! Each jump polls where the block can be stopped, as those of [`poll`](super::poll) do, so a loop of
//! superinstructions can be stopped, too. The sequential reference runs on revm's own table.
//!
//! # What it gains
//!
//! Measured on five real blocks of 2020 to 2023, one by one, in turns with revm's table in the same binary (processor
//! time against the sequential run's, medians of 12), and counted by callgrind on three of them:
//!
//! | sequences | time | instructions |
//! |---|---|---|
//! | those of `jump` and `compare` | − 3.1 % | − 4.2 % |
//! | and of `drop` | − 3.7 % | − 3.1 % |
//! | and of `constant` | − 4.9 % | − 2.1 % |
//!
//! Time and instructions part where the opcode ahead is seldom the one looked for: to look takes two to five
//! instructions each time, and to find it spares a jump through a pointer, which takes longer than they do.
//!
//! Not kept: a POP that begins to count before it knows that another one or a jump follows, for which the POPs that
//! stand alone pay (0.6 % of the instructions of two of the three blocks).

mod ahead;
mod compare;
mod constant;
mod drop;
mod jump;
#[cfg(test)]
mod tests;

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    handler::instructions::EthInstructions,
    interpreter::{
        Host, Instruction, InstructionContext, InstructionExecResult, Interpreter,
        interpreter::EthInterpreter,
    },
    primitives::hardfork::SpecId,
};

use super::shared::SharedJournal;

type Ictx<'a, H> = InstructionContext<'a, H, EthInterpreter>;
type Executed = InstructionExecResult;
type Frame = Interpreter<EthInterpreter>;

/// Replaces the first opcodes of sequences, after [`poll`](super::poll) if the block is `watched`. What they cost
/// stays.
pub(super) fn install<H>(instructions: &mut EthInstructions<EthInterpreter, H>, watched: bool)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    if !ahead::costs_are_those_of(instructions.gas_table()) {
        return;
    }
    if watched {
        replace::<true, H>(instructions);
    } else {
        replace::<false, H>(instructions);
    }
}

fn replace<const POLLED: bool, H>(instructions: &mut EthInstructions<EthInterpreter, H>)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    // EIP-145, which revm has from Petersburg on: Constantinople was never in force without it.
    let shifts = instructions.spec.is_enabled_in(SpecId::PETERSBURG);
    let table = instructions.instruction_table_mut();
    let mut put = |opcode: u8, instruction| {
        table[usize::from(opcode)] = Instruction::new(instruction);
    };
    put(op::JUMP, jump::jump::<POLLED, H>);
    put(op::JUMPI, jump::jumpi::<POLLED, H>);
    put(op::PUSH2, jump::push2::<POLLED, H>);
    put(op::ISZERO, compare::is_zero::<POLLED, H>);
    put(op::EQ, compare::compare::<{ op::EQ }, POLLED, H>);
    put(op::LT, compare::compare::<{ op::LT }, POLLED, H>);
    put(op::GT, compare::compare::<{ op::GT }, POLLED, H>);
    put(op::SLT, compare::compare::<{ op::SLT }, POLLED, H>);
    put(op::DUP1, compare::dup1::<POLLED, H>);
    put(op::POP, drop::pop::<POLLED, H>);
    put(op::SWAP1, drop::swap::<1, POLLED, H>);
    put(op::SWAP2, drop::swap::<2, POLLED, H>);
    put(op::SWAP3, drop::swap::<3, POLLED, H>);
    if shifts {
        put(op::PUSH1, constant::push1::<true, POLLED, H>);
    } else {
        put(op::PUSH1, constant::push1::<false, POLLED, H>);
    }
}
