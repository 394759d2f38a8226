//! Pooled coroutines: each owns one EVM and runs one transaction after another on it.
//!
//! revm is synchronous, so a context that has to wait keeps its place on the coroutine's own stack.
//! The adapter ([`super::view::View`]) holds the yielder by reference and yields to the worker; the
//! worker resumes the coroutine when the context's wake-up arrives. Nothing is created per
//! transaction, there is no thread-local, and a coroutine never leaves its worker.
//!
//! A stack is 256 KiB of address space, of which revm touches a few pages: call frames live on the
//! heap, so the depth of calls does not show here.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use corosensei::{Coroutine, CoroutineResult, Yielder, stack::DefaultStack};
use revm::{
    Context,
    context::{
        CfgEnv, FrameStack, JournalTr, LocalContext,
        result::{EVMError, ExecutionResult},
    },
    handler::Handler,
};

use super::{
    EvmMachine, foresight,
    guides::Guides,
    handler::{PooledEvm, WatchedHandler},
    notes::Notes,
    scout::{Gas, Scouting},
    trace::{Ending, Trace},
    view::{Stop, View},
    watched::WatchedJournal,
};
use crate::{
    context::{Attempt, Run},
    engine::message,
    evm::{
        inner_loop, keccak, rules,
        sequential::copy_transaction,
        shared::{self, Shared},
    },
    region::config::ChainConfig,
    state::TxIndex,
    sync::Arc,
};

const STACK_BYTES: usize = 256 * 1024;

/// What a worker tells a coroutine.
pub(crate) enum Command {
    /// Run a transaction of this block.
    Run(Arc<Run<EvmMachine>>, TxIndex, Role),
    /// Run another transaction of the same block.
    Next(TxIndex, Role),
    /// Go on: what you wait for happened.
    Resume,
    /// Stop: the block ended.
    Cancel,
    /// Let go of the block.
    EndBlock,
}

/// What a transaction is run for.
pub(crate) enum Role {
    /// Its result.
    Context,
    /// What it will read.
    Scout(Scouting),
}

/// What a coroutine tells its worker.
pub(crate) enum Event {
    /// The transaction has to wait.
    Waits,
    /// The transaction ended.
    Done(Attempt<Box<Trace>>),
    /// The block is let go of.
    Idle,
}

/// A coroutine with its EVM.
pub(crate) struct Fiber {
    coroutine: Coroutine<Command, Event, ()>,
    /// It is in the middle of a transaction.
    busy: bool,
    /// The block that it runs transactions of. Told once: the count of whoever has the block stands
    /// beside what all workers read of it, so to count for each transaction takes that from them.
    block: Option<Arc<Run<EvmMachine>>>,
}

impl Fiber {
    /// One of the coroutines that share these guides, all of one worker.
    pub(crate) fn new(guides: Rc<RefCell<Guides>>) -> std::io::Result<Self> {
        let stack = DefaultStack::new(STACK_BYTES)?;
        let body = move |yielder: &Yielder<_, _>, first| main(yielder, first, &guides);
        Ok(Self { coroutine: Coroutine::with_stack(stack, body), busy: false, block: None })
    }

    /// Runs a transaction, until it ends or waits.
    pub(crate) fn run(&mut self, run: &Arc<Run<EvmMachine>>, tx: TxIndex, role: Role) -> Event {
        let command = match &self.block {
            Some(mine) if Arc::ptr_eq(mine, run) => Command::Next(tx, role),
            _ => {
                self.block = Some(run.clone());
                Command::Run(run.clone(), tx, role)
            }
        };
        self.resume(command)
    }

    /// Lets go of the block.
    pub(crate) fn end_block(&mut self) {
        self.block = None;
        self.resume(Command::EndBlock);
    }

    pub(crate) fn resume(&mut self, command: Command) -> Event {
        self.busy = false;
        match self.coroutine.resume(command) {
            CoroutineResult::Yield(event) => {
                self.busy = matches!(event, Event::Waits);
                event
            }
            CoroutineResult::Return(()) => unreachable!("the coroutine loops until dropped"),
        }
    }
}

impl Drop for Fiber {
    /// A transaction that waits is told to end: unwinding its stack from outside would meet the
    /// protection against its machine's panics.
    fn drop(&mut self) {
        while self.busy {
            self.resume(Command::Cancel);
        }
    }
}

/// The coroutine's body: transactions until it is dropped.
fn main(yielder: &Yielder<Command, Event>, first: Command, guides: &Rc<RefCell<Guides>>) {
    let mut command = first;
    let mut evm: Option<PooledEvm<'_>> = None;
    loop {
        command = match command {
            Command::Run(run, tx, role) => {
                let cfg = rules::cfg_env(&run.machine.block);
                let evm = match &mut evm {
                    // Instructions and precompiles depend on the spec, on shared memory, and on
                    // whether the block can be stopped.
                    Some(evm)
                        if evm.ctx.cfg.spec == cfg.spec
                            && evm.ctx.journaled_state.shared.active()
                                == run.machine.shared_config()
                            && evm.ctx.journaled_state.shared.is_watched()
                                == run.control().is_some()
                            && evm.ctx.journaled_state.db().sees_hashes
                                == run.machine.storage.is_slow() =>
                    {
                        evm.ctx.journaled_state.shared.watch(run.control().cloned());
                        evm.ctx.block = run.machine.block.env.clone();
                        evm.ctx.cfg = cfg;
                        evm
                    }
                    other => other.insert(build(yielder, &run, cfg, guides)),
                };
                block(yielder, evm, run, tx, role)
            }
            _ => {
                if let Some(evm) = &mut evm {
                    evm.ctx.journaled_state.db_mut().end_block();
                }
                yielder.suspend(Event::Idle)
            }
        };
        // After a panic nothing is known of the EVM's state.
        if evm.as_ref().is_some_and(|evm| evm.ctx.journaled_state.poisoned) {
            evm = None;
        }
    }
}

/// Runs transactions of one block; returns the first command that is not of this block.
fn block(
    yielder: &Yielder<Command, Event>,
    evm: &mut PooledEvm<'_>,
    run: Arc<Run<EvmMachine>>,
    mut tx: TxIndex,
    mut role: Role,
) -> Command {
    loop {
        evm.ctx.journaled_state.db_mut().begin(&run, tx);
        evm.ctx.chain.borrow_mut().begin(tx.get());
        let attempt = match &run.machine.prelude {
            _ if let Role::Scout(scouting) = role => scout(evm, &run, tx, scouting),
            None => execute(evm, &run, tx),
            Some(prelude) if prelude.stands_at(tx) => prelude.play(evm.ctx.journaled_state.db()),
            Some(prelude) => {
                let attempt = execute(evm, &run, tx);
                prelude.tell_end(&run);
                attempt
            }
        };
        match yielder.suspend(Event::Done(attempt)) {
            Command::Next(at, why) if evm.ctx.journaled_state.poisoned => {
                return Command::Run(run, at, why);
            }
            Command::Next(at, why) => (tx, role) = (at, why),
            other => return other,
        }
    }
}

fn build<'y>(
    yielder: &'y Yielder<Command, Event>,
    run: &Arc<Run<EvmMachine>>,
    cfg: CfgEnv,
    guides: &Rc<RefCell<Guides>>,
) -> PooledEvm<'y> {
    let notes: Rc<RefCell<Notes>> = Rc::default();
    let spec = cfg.spec;
    // A copy of its own: every session counts as a holder, beside what all operations look up.
    let config = run.machine.shared_config().map(|config| Arc::new(ChainConfig::clone(config)));
    let mut shared = Shared::new(config);
    shared.watch(run.control().cloned());
    let mut view = View::new(yielder, notes.clone(), guides.clone());
    view.sees_hashes = run.machine.storage.is_slow();
    let mut journal = WatchedJournal::over(view, notes, shared);
    journal.set_spec_id(spec);
    let context = Context {
        block: run.machine.block.env.clone(),
        tx: Default::default(),
        cfg,
        journaled_state: journal,
        chain: guides.borrow().hashes.clone(),
        // Its memory grows with use: most contexts that wait have used little.
        local: LocalContext { shared_memory_buffer: Rc::default(), ..LocalContext::default() },
        error: Ok(()),
    };
    let mut evm = shared::build(context);
    keccak::install(&mut evm.instruction);
    if run.machine.storage.is_slow() {
        foresight::install(&mut evm);
    }
    inner_loop::install(&mut evm.instruction, run.control().is_some());
    // Frames are 36 KiB each and made on demand: many coroutines wait, few are deep in calls.
    evm.frame_stack = FrameStack::new();
    evm
}

fn execute(
    evm: &mut PooledEvm<'_>,
    run: &Arc<Run<EvmMachine>>,
    tx: TxIndex,
) -> Attempt<Box<Trace>> {
    let machine = &run.machine;
    copy_transaction(&machine.block.transactions[tx.get()].env, &mut evm.ctx.tx);
    let result = catch_unwind(AssertUnwindSafe(|| WatchedHandler::default().run(evm)));
    let executed = matches!(result, Ok(Ok(_)));
    let shared = evm.ctx.journaled_state.shared.end(executed);
    let mut state = evm.ctx.journaled_state.finalize();
    let failed = evm.ctx.journaled_state.failed.take();
    let notes = std::mem::take(&mut *evm.ctx.journaled_state.notes().borrow_mut());
    if run.control().is_some_and(|control| control.is_raised()) {
        // Whatever it came to, nobody will ask: what it was told may have been to give up.
        evm.ctx.journaled_state.poisoned |= result.is_err();
        return Attempt::Doomed { wasted: notes.wasted };
    }
    let ending = match result {
        Err(panic) => {
            evm.ctx.journaled_state.poisoned = true;
            Ending::Panic(message(&*panic))
        }
        Ok(result) => match (failed, result) {
            (Some(stop), _) | (None, Err(EVMError::Database(stop))) => match stop {
                Stop::Doomed | Stop::Cancelled => {
                    return Attempt::Doomed { wasted: notes.wasted };
                }
                Stop::Store(error) => Ending::Store(error),
                Stop::Shared(trouble) => Ending::Shared(trouble.to_string()),
            },
            (None, Ok(result)) => {
                let hashed = &evm.ctx.journaled_state.db().preimages;
                if hashed.are_wanted() {
                    machine.learn_call(tx, &notes, hashed);
                }
                let trace = {
                    let guides = &mut *evm.ctx.journaled_state.db().guides.borrow_mut();
                    Trace::executed(machine, guides, tx, notes, &mut state, result)
                };
                let trace = trace.with_shared(machine, shared);
                evm.ctx.journaled_state.recycle(state);
                return Attempt::Finished(trace);
            }
            (None, Err(EVMError::Transaction(reason))) => Ending::Invalid(reason),
            (None, Err(other)) => Ending::Environment(other.to_string()),
        },
    };
    // What it saw of regions may have been what made it fail.
    Attempt::Finished(Trace::failed(notes, ending).with_shared(machine, shared))
}

/// Runs a transaction for what it asks for.
fn scout(
    evm: &mut PooledEvm<'_>,
    run: &Arc<Run<EvmMachine>>,
    tx: TxIndex,
    scouting: Scouting,
) -> Attempt<Box<Trace>> {
    let machine = &run.machine;
    copy_transaction(&machine.block.transactions[tx.get()].env, &mut evm.ctx.tx);
    let limit = scouting.limit_gas(&evm.ctx.tx);
    let capped = limit < evm.ctx.tx.gas_limit;
    evm.ctx.tx.gas_limit = limit;
    evm.ctx.journaled_state.db_mut().scouting = Some(scouting);
    let result = catch_unwind(AssertUnwindSafe(|| WatchedHandler::default().run(evm)));
    let journal = &mut evm.ctx.journaled_state;
    let _ = journal.shared.end(false);
    let state = journal.finalize();
    journal.recycle(state);
    journal.failed = None;
    journal.poisoned = result.is_err();
    // Where an inner call ran out of gas, its caller may have ended in another way.
    let spent =
        |result: &ExecutionResult| !result.is_success() || result.tx_gas_used() > limit / 10 * 9;
    let gas = match &result {
        _ if !capped => Gas::Plenty,
        Ok(Ok(result)) if spent(result) => Gas::Spent,
        _ => Gas::Left,
    };
    journal.db_mut().end_scouting(gas);
    Attempt::Doomed { wasted: 0 }
}
