//! Which instructions a frame runs on.
//!
//! Short code, such as that of a proxy, has seldom more than three opcodes between two that the loop does not have, and
//! to enter the loop takes as long as three. So a frame of short code runs on revm's own instructions. Where a JUMP leads
//! back it has a loop of its own, and does enter. Which table it is, is decided once for
//! each run of a frame. To ask for each opcode how long its code is cost calls within calls 4 % of their
//! instructions.

use std::{
    cell::Cell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use alloy_primitives::U256;
use revm::{
    context::{
        Block, ContextTr, Database, JournalTr,
        result::{EVMError, HaltReason, InvalidTransaction},
    },
    context_interface::context::ContextError,
    handler::{
        EthFrame, EvmTr, FrameResult, Handler, ItemOrResult,
        instructions::{EthInstructions, InstructionProvider},
        post_execution,
    },
    interpreter::{
        CreateInputs, FrameInput, GasTable, Host, InstructionTable, InterpreterAction,
        interpreter::EthInterpreter, interpreter_action::FrameInit,
    },
    state::EvmState,
};

use super::{
    super::{reward::reward, shared::SharedEvm},
    Frame,
};

/// Code of fewer bytes, padding included, is short.
pub(super) const SHORT: usize = 256;

pub(super) type Table<H> = InstructionTable<EthInterpreter, H>;

/// The instructions of an EVM, and others for frames of short code if they differ. These are made when the first such
/// frame runs: a context that waits holds its tables, of 2 KiB each, and many meet no short code.
#[allow(missing_debug_implementations, reason = "tables of functions")]
pub struct Instructions<H> {
    usual: EthInstructions<EthInterpreter, H>,
    /// What makes a copy of the usual ones those for short code.
    pub(super) for_short_code: Option<fn(&mut Table<H>)>,
    of_short_code: Option<Box<Table<H>>>,
}

impl<H> From<EthInstructions<EthInterpreter, H>> for Instructions<H> {
    fn from(usual: EthInstructions<EthInterpreter, H>) -> Self {
        Self { usual, for_short_code: None, of_short_code: None }
    }
}

impl<H> Deref for Instructions<H> {
    type Target = EthInstructions<EthInterpreter, H>;

    fn deref(&self) -> &Self::Target {
        &self.usual
    }
}

impl<H> DerefMut for Instructions<H> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // They change for short code, too.
        self.of_short_code = None;
        &mut self.usual
    }
}

impl<H: Host> InstructionProvider for Instructions<H> {
    type Context = H;
    type InterpreterTypes = EthInterpreter;

    #[inline]
    fn instruction_table(&self) -> &Table<H> {
        self.usual.instruction_table()
    }

    #[inline]
    fn gas_table(&self) -> &GasTable {
        self.usual.gas_table()
    }
}

impl<H: Host> Instructions<H> {
    /// What a frame of code of so many bytes runs on, and what that costs.
    #[inline]
    pub(super) fn for_code_of(&mut self, bytes: usize) -> (&Table<H>, &GasTable) {
        let usual = self.usual.instruction_table();
        let table = match self.for_short_code {
            Some(change) if bytes < SHORT => {
                &**self.of_short_code.get_or_insert_with(|| changed_copy(usual, change))
            }
            _ => usual,
        };
        (table, self.usual.gas_table())
    }
}

/// A copy of a table that never lies on the stack, of which each context has few pages in memory.
#[cold]
#[inline(never)]
fn changed_copy<H: Host>(table: &Table<H>, change: fn(&mut Table<H>)) -> Box<Table<H>> {
    let copy = Box::<Table<H>>::try_from(table.to_vec());
    let mut copy = copy.unwrap_or_else(|_| unreachable!("it is as long as the other"));
    change(&mut copy);
    copy
}

/// revm's [`Handler::run_exec_loop`], where each frame runs on the instructions that suit its code. `before_create` comes
/// before whatever revm does to begin a frame that creates a contract, but for the first.
#[inline]
pub(in crate::evm) fn run_frames<CTX, ERROR>(
    evm: &mut SharedEvm<CTX>,
    first: FrameInit,
    before_create: impl Fn(&mut CTX, &CreateInputs) -> Result<(), ERROR>,
) -> Result<FrameResult, ERROR>
where
    CTX: ContextTr + Host,
    SharedEvm<CTX>: EvmTr<Context = CTX, Frame = EthFrame<EthInterpreter>>,
    ERROR: From<ContextError<<CTX::Db as Database>::Error>>,
{
    if let ItemOrResult::Result(result) = evm.frame_init(first)? {
        return Ok(result);
    }
    loop {
        let frame = evm.frame_stack.get();
        let code = frame.interpreter.bytecode.bytes_slice().len();
        let (table, gas_table) = evm.instruction.for_code_of(code);
        let action = run_frame(&mut frame.interpreter, table, gas_table, &mut evm.ctx);
        let next = frame.process_next_action::<_, ContextError<<CTX::Db as Database>::Error>>(
            &mut evm.ctx,
            action,
        )?;
        let result = match next {
            ItemOrResult::Item(init) => {
                if let FrameInput::Create(inputs) = &init.frame_input {
                    before_create(&mut evm.ctx, inputs)?;
                }
                match evm.frame_init(init)? {
                    ItemOrResult::Item(_) => continue,
                    ItemOrResult::Result(result) => result,
                }
            }
            ItemOrResult::Result(result) => {
                frame.set_finished(true);
                result
            }
        };
        if let Some(result) = evm.frame_return_result(result)? {
            return Ok(result);
        }
    }
}

/// revm's loop in a function of its own, where what it needs has registers to itself. Real blocks one by one, with this
/// and the table of short code: 1.6 % less time for the engine, 1.7 % less for the sequential reference, which runs
/// the same machine code on revm's own table (27 blocks, in turns).
#[inline(never)]
fn run_frame<H: Host>(
    frame: &mut Frame,
    table: &Table<H>,
    gas_table: &GasTable,
    host: &mut H,
) -> InterpreterAction {
    frame.run_plain(table, gas_table, host)
}

/// revm's mainnet handler, where each frame runs on the instructions that suit its code.
pub(in crate::evm) struct FrameHandler<CTX> {
    defers: bool,
    reward: Cell<Option<U256>>,
    context: PhantomData<CTX>,
}

impl<CTX> Default for FrameHandler<CTX> {
    fn default() -> Self {
        Self::new(false)
    }
}

impl<CTX> FrameHandler<CTX> {
    /// One that leaves it to whoever runs it to pay a beneficiary that the transaction has not looked at, if it `defers`
    /// that: to bring its account into the journal and back takes a tenth of a short call.
    pub(in crate::evm) fn new(defers: bool) -> Self {
        Self { defers, reward: Cell::new(None), context: PhantomData }
    }

    /// What the beneficiary is still to be paid.
    pub(in crate::evm) fn deferred(self) -> Option<U256> {
        self.reward.into_inner()
    }
}

impl<CTX> Handler for FrameHandler<CTX>
where
    CTX: ContextTr<Journal: JournalTr<State = EvmState>> + Host,
    SharedEvm<CTX>: EvmTr<Context = CTX, Frame = EthFrame<EthInterpreter>>,
{
    type Evm = SharedEvm<CTX>;
    type Error = EVMError<<CTX::Db as Database>::Error, InvalidTransaction>;
    type HaltReason = HaltReason;

    #[inline]
    fn run_exec_loop(
        &mut self,
        evm: &mut SharedEvm<CTX>,
        first: FrameInit,
    ) -> Result<FrameResult, Self::Error> {
        run_frames(evm, first, |_, _| Ok(()))
    }

    #[inline]
    fn reward_beneficiary(
        &self,
        evm: &mut SharedEvm<CTX>,
        result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        let context = &mut evm.ctx;
        let beneficiary = context.block().beneficiary();
        // After a read that has failed, revm goes on to read the beneficiary's account; which error it is then depends on
        // that.
        if self.defers
            && context.error().is_ok()
            && !context.journal().db_and_state().1.contains_key(&beneficiary)
        {
            self.reward.set(Some(reward(context, result.gas())));
            return Ok(());
        }
        Ok(post_execution::reward_beneficiary(context, result.gas())?)
    }
}
