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
//! Where it ends in front of an opcode that leaves the frame alone and costs the same by all rules, such as EXP, or
//! MSTORE in memory that has to grow, revm's instruction is called from here, and the loop begins anew behind it. Of
//! the ends in 27 real blocks these are 57 %, MSTORE alone 27 %.
//!
//! Nobody can look in between: what sees more than the frame's own stack, memory, code, input and gas is not in the
//! loop. Costs are revm's, and do not depend on the rules; `install` makes sure of that.
//!
//! Each jump polls where the block can be stopped: the loop ends in front of it, and the jump's own instruction polls
//! as those of [`poll`](super::poll) do, so an endless loop of a contract can be stopped, too.
//!
//! Frames of short code run on revm's own instructions, but for JUMP ([`frames`]). The sequential reference runs
//! on revm's own table throughout, and in the same loop over frames.
//!
//! # What it gains
//!
//! Eleven real blocks (2018 to 2025), one by one and in turns with sequential revm, medians, geometric mean of the
//! ratios: superinstructions on revm's table (what was here before: 30 sequences of two to seven opcodes in one
//! instruction each) 1.13, this loop 1.37. A calculation in a loop (34 opcodes, no branch that a processor would not
//! foresee) takes 0.86 of revm's time. The instructions are 35 for each opcode, no fewer than revm's: they wait less.
//!
//! What decides is how the loop is compiled, so look at its assembly when you change it:
//!
//! - **No call within.** With one, for a division or a copy, gas and height live in memory, and each opcode waits for
//!   what the one before has stored there: 1.34 instead of 1.37, and 2.26 instead of 2.05 ns for each opcode of the
//!   calculation.
//! - **Position, gas and height have three types.** Two of one type were put into the halves of a vector register
//!   and taken out for each opcode, which takes the processor longer than the opcode (0.92 instead of 0.88 of the time
//!   with superinstructions). Without calls it makes no difference: all `usize` 2.05 ns, too.
//! - **Frequent opcodes are told apart by comparisons**, SWAP before DUP. A `match` on all of them, which becomes a jump
//!   table: 1.34. DUP before SWAP: 1.34, in spite of an instruction less for each opcode. Before the calls were gone the
//!   table came to 1.06 instead of 1.30, calculations by comparisons to 1.25.
//! - **Words are swapped by `mem::swap`.** `slice::swap` goes through memory.
//! - No gain: words copied by limbs, so that a processor can forward what it has just stored (0.862 of the time instead
//!   of 0.852); MULMOD modulo 2^256 - 1 by a sum instead of a division, outside the loop (1.297 instead of 1.312);
//!   KECCAK256, SLOAD and all else but calls among what is called from here (1.373 and 1.382 instead of 1.382).
//! - No gain either: more sequences at once. POP with POP or JUMP behind it, a comparison with its PUSH2 and JUMPI, PUSH1
//!   with ADD: within 0.5 % of what was before, which another place of the same code in the program makes a
//!   difference of as well. DUP with ADD: 2.8 % slower. One arm for all comparisons: 3.4 % slower.
//!
//! To enter it takes about 85 instructions, 16 of which clear the stack's next eight words.

mod frames;
mod run;
#[cfg(test)]
mod tests;
mod words;

use std::marker::PhantomData;

use revm::{
    bytecode::opcode as op,
    context::ContextTr,
    interpreter::{
        GasTable, Host, Instruction, InstructionContext, InstructionExecResult, InstructionTable,
        Interpreter, gas_table, instruction_table, interpreter::EthInterpreter,
        interpreter_types::Jumps,
    },
};

use self::frames::Table;
pub(super) use self::frames::{FrameHandler, Instructions, run_frames};
use super::{poll, shared::SharedJournal};

type Ictx<'a, H> = InstructionContext<'a, H, EthInterpreter>;
type Executed = InstructionExecResult;
type Frame = Interpreter<EthInterpreter>;

/// Calls a macro with the opcodes of the loop.
macro_rules! with_opcodes {
    ($with:ident) => {
        $with! {
            ADD MUL SUB LT GT SLT SGT EQ ISZERO AND OR XOR NOT SHL SHR
            ADDRESS CALLER CALLVALUE CALLDATALOAD CALLDATASIZE RETURNDATASIZE
            POP MLOAD MSTORE JUMP JUMPI PC GAS JUMPDEST
            PUSH0 PUSH1 PUSH2 PUSH3 PUSH4 PUSH5 PUSH6 PUSH7 PUSH8 PUSH9 PUSH10 PUSH11 PUSH12 PUSH13 PUSH14 PUSH15 PUSH16 PUSH17 PUSH18 PUSH19 PUSH20 PUSH21 PUSH22 PUSH23 PUSH24 PUSH25 PUSH26 PUSH27 PUSH28 PUSH29 PUSH30 PUSH31 PUSH32
            DUP1 DUP2 DUP3 DUP4 DUP5 DUP6 DUP7 DUP8 DUP9 DUP10 DUP11 DUP12 DUP13 DUP14 DUP15 DUP16
            SWAP1 SWAP2 SWAP3 SWAP4 SWAP5 SWAP6 SWAP7 SWAP8 SWAP9 SWAP10 SWAP11 SWAP12 SWAP13 SWAP14 SWAP15 SWAP16
        }
    };
}

/// revm's costs, without those that a fork changed.
const COSTS: GasTable = gas_table();

const fn cost(opcode: u8) -> u64 {
    COSTS[opcode as usize] as u64
}

/// Whether an opcode is one of the loop's.
static INNER: [bool; 256] = {
    let mut inner = [false; 256];
    macro_rules! mark {
        ($($opcode:ident)*) => { $(inner[op::$opcode as usize] = true;)* };
    }
    with_opcodes!(mark);
    inner
};

/// What opcodes cost whose own instructions, revm's, are called where the loop ends in front of them, so that it goes
/// on behind them. Three are the loop's, too: in memory that has to grow, or input in another frame's memory.
static CALLED: [Option<u64>; 256] = {
    let mut called = [None; 256];
    macro_rules! mark {
        ($($opcode:ident)*) => {
            $(called[op::$opcode as usize] = Some(cost(op::$opcode));)*
        };
    }
    mark! {
        DIV SDIV MOD SMOD ADDMOD MULMOD EXP SIGNEXTEND BYTE SAR
        CALLDATALOAD CALLDATACOPY CODECOPY RETURNDATACOPY
        MLOAD MSTORE MSTORE8
    };
    called
};

/// The opcodes of the loop, and those that are called from it.
fn opcodes() -> impl Iterator<Item = u8> {
    let ours = |opcode: usize| INNER[opcode] || CALLED[opcode].is_some();
    (0..=u8::MAX).filter(move |opcode| ours((*opcode).into()))
}

/// Replaces the instructions of the loop's opcodes, which poll if the block is `watched`. What they cost stays.
pub(super) fn install<H>(instructions: &mut Instructions<H>, watched: bool)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    let costs = instructions.gas_table();
    if opcodes().map(usize::from).any(|opcode| costs[opcode] != COSTS[opcode]) {
        return;
    }
    if watched {
        replace::<true, H>(instructions);
    } else {
        replace::<false, H>(instructions);
    }
}

fn replace<const POLLED: bool, H>(instructions: &mut Instructions<H>)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    instructions.for_short_code = Some(for_short_code::<POLLED, H>);
    let table = instructions.instruction_table_mut();
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

/// The instructions of short code: revm's for the loop's opcodes, but for the jump that compilers end loops with. Their
/// JUMPI leads out of a loop, and to ask it whether it went back cost a hundredth of calls within calls.
fn for_short_code<const POLLED: bool, H>(table: &mut Table<H>)
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    for opcode in (0..table.len()).filter(|opcode| INNER[*opcode]) {
        table[opcode] = const { &Plain::<H>::TABLE }[opcode];
    }
    table[op::JUMP as usize] = Instruction::new(enter_back::<{ op::JUMP }, POLLED, H>);
    if POLLED {
        table[op::JUMPI as usize] = Instruction::new(jump_polled::<H>);
    }
}

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
    plain::<OPCODE, POLLED, H>(interpreter, host)?;
    match INNER[usize::from(interpreter.bytecode.opcode())] {
        true => go_on::<POLLED, H>(interpreter, host),
        false => Ok(()),
    }
}

/// The instruction of a jump in short code: revm's, and then the loop, if it went back.
fn enter_back<const OPCODE: u8, const POLLED: bool, H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    let Ictx { interpreter, host } = context;
    let from = interpreter.bytecode.pc();
    plain::<OPCODE, POLLED, H>(interpreter, host)?;
    let code = &interpreter.bytecode;
    match code.pc() < from && INNER[usize::from(code.opcode())] {
        true => go_on::<POLLED, H>(interpreter, host),
        false => Ok(()),
    }
}

/// JUMPI in short code where the block can be stopped.
fn jump_polled<H>(context: Ictx<'_, H>) -> Executed
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    plain::<{ op::JUMPI }, true, H>(context.interpreter, context.host)
}

/// revm's instruction of an opcode, which polls if it is a jump.
#[inline(always)]
fn plain<const OPCODE: u8, const POLLED: bool, H>(frame: &mut Frame, host: &mut H) -> Executed
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    if POLLED && matches!(OPCODE, op::JUMP | op::JUMPI) {
        poll::check(host)?;
    }
    let plain = const { Plain::<H>::TABLE[OPCODE as usize] };
    plain.execute(Ictx { interpreter: frame, host })
}

/// The loop, again and again, with the instructions in between that can be called from here.
#[inline(never)]
fn go_on<const POLLED: bool, H>(frame: &mut Frame, host: &mut H) -> Executed
where
    H: ContextTr<Journal: SharedJournal> + Host,
{
    loop {
        while run::run::<POLLED, H>(frame, host) {}
        // As revm's loop does it. What fails here fails there, with the same gas.
        let opcode = usize::from(frame.bytecode.opcode());
        let Some(cost) = CALLED[opcode] else { return Ok(()) };
        if !frame.gas.record_regular_cost(cost) {
            return Ok(());
        }
        frame.bytecode.relative_jump(1);
        let plain = const { &Plain::<H>::TABLE }[opcode];
        plain.execute(Ictx { interpreter: &mut *frame, host: &mut *host })?;
    }
}
