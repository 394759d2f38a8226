//! How the scheduler drives the EVM: coroutines, publishing and committing.

use std::{cell::RefCell, rc::Rc, task::Poll};

use super::{
    EvmMachine,
    batch::{Progress, TRANSFER_GAS, batch},
    cells::Account,
    fiber::{Command, Event, Fiber, Role},
    guides::Guides,
    plain, scout, storage,
    trace::{Ending, Trace},
};
use crate::{
    context::{Attempt, Machine, Review, Run},
    evm::{BlockError, Executed, Invalid, InvalidPolicy, Transaction, TransactionOutcome, diff},
    observe::timeline,
    state::TxIndex,
    sync::{Arc, atomic::Ordering, time::Duration},
};

/// A started transaction.
pub(crate) enum Task {
    /// Nothing of it has run.
    Fresh(TxIndex),
    /// It has a coroutine, which waits.
    Begun(Fiber),
    /// It has ended, without a coroutine.
    Plain,
}

/// The coroutines of a worker.
#[derive(Default)]
pub(crate) struct Fibers {
    idle: Vec<Fiber>,
    guides: Rc<RefCell<Guides>>,
    /// How often another worker had looked after the store when this one left it to that.
    tended: u32,
}

impl Fibers {
    fn take(&mut self) -> Fiber {
        // Out of address space for a stack: nothing sensible is left to do on this worker.
        let fresh = || Fiber::new(self.guides.clone()).expect("a coroutine stack can be mapped");
        self.idle.pop().unwrap_or_else(fresh)
    }

    /// Runs what does not wait.
    pub(super) fn run_once(&mut self, run: &Arc<Run<EvmMachine>>, tx: TxIndex, role: Role) {
        let mut fiber = self.take();
        let mut event = fiber.run(run, tx, role);
        while matches!(event, Event::Waits) {
            event = fiber.resume(Command::Cancel);
        }
        self.idle.push(fiber);
    }
}

thread_local! {
    /// The coroutines of a thread that executes blocks as their caller. They are no part of any
    /// block's state: what runs on them is decided by the command they are resumed with.
    static CALLER: RefCell<Fibers> = RefCell::default();
}

impl Machine for EvmMachine {
    type Trace = Box<Trace>;
    type Task = Task;
    type Worker = Fibers;
    type Error = BlockError;

    fn transactions(&self) -> u32 {
        self.block.transactions.len() as u32
    }

    fn first(&self) -> TxIndex {
        self.first
    }

    #[inline]
    fn review(&self, run: &Run<Self>, committed: u32) -> Review {
        match &self.credit {
            Some(credit) if run.scheduler.is_restrained() => credit.end(),
            Some(credit) if credit.is_due(committed) => {
                let gas = self.committed.lock().sums.gas_used;
                if credit.is_behind(&mut self.mark.lock(), committed, gas) {
                    self.behind.store(true, Ordering::Relaxed);
                    return credit.end();
                }
                credit.review(committed, gas, &run.totals(), run.workers())
            }
            _ => Review::GoOn,
        }
    }

    fn review_waste(&self, run: &Run<Self>) -> Review {
        let Some(credit) = &self.credit else { return Review::GoOn };
        let gas = self.committed.lock().sums.gas_used;
        let (committed, wasted) = (run.scheduler.cursor().frontier().0, run.wasted());
        self.batch.note_waste(Progress { committed, gas, wasted });
        credit.review_waste(committed, gas, wasted, run.workers())
    }

    fn batch(&self, first: TxIndex) -> u32 {
        self.batch.size().unwrap_or_else(|| batch(&self.block.transactions[first.get()..]))
    }

    fn weights(&self) -> Vec<u64> {
        let transactions = self.block.transactions.iter();
        // Without data it is nearly always a transfer, whatever its limit.
        let weight = |tx: &Transaction| match tx.env.data.is_empty() {
            true => TRANSFER_GAS,
            false => tx.env.gas_limit,
        };
        transactions.map(weight).collect()
    }

    fn runs_at_its_turn(&self, tx: TxIndex) -> bool {
        plain::runs_at_its_turn(self, tx)
    }

    fn still_runs_at_its_turn(&self, tx: TxIndex) -> bool {
        plain::look_ahead(self, tx)
    }

    fn run_at_its_turn(
        &self,
        tx: TxIndex,
        told: &mut Vec<TxIndex>,
    ) -> Option<Result<(), BlockError>> {
        plain::run_at_its_turn(self, tx, told).map(Ok)
    }

    fn start(_: &Arc<Run<Self>>, _: &mut Fibers, tx: TxIndex) -> Task {
        Task::Fresh(tx)
    }

    fn poll(
        run: &Arc<Run<Self>>,
        worker: &mut Fibers,
        task: &mut Task,
    ) -> Poll<Attempt<Box<Trace>>> {
        let event = match task {
            Task::Begun(fiber) => fiber.resume(Command::Resume),
            Task::Fresh(tx) => {
                if let Some(trace) = plain::execute(run, *tx) {
                    *task = Task::Plain;
                    return Poll::Ready(Attempt::Finished(trace));
                }
                let mut fiber = worker.take();
                let event = fiber.run(run, *tx, Role::Context);
                *task = Task::Begun(fiber);
                event
            }
            Task::Plain => unreachable!("what has ended is not polled"),
        };
        match event {
            Event::Waits => Poll::Pending,
            Event::Done(attempt) => Poll::Ready(attempt),
            Event::Idle => unreachable!("a coroutine with a transaction is not idle"),
        }
    }

    fn retire(worker: &mut Fibers, task: Task, ended: bool) {
        let Task::Begun(mut fiber) = task else { return };
        if !ended {
            // It returns from revm with an error, which is cheaper than unwinding its stack.
            while matches!(fiber.resume(Command::Cancel), Event::Waits) {}
        }
        worker.idle.push(fiber);
    }

    fn with_calling_worker<R>(f: impl FnOnce(&mut Fibers) -> R) -> R {
        CALLER.with(|fibers| match fibers.try_borrow_mut() {
            Ok(mut fibers) => f(&mut fibers),
            // A store that executes a block itself, on the thread that reads from it.
            Err(_) => f(&mut Fibers::default()),
        })
    }

    #[inline]
    fn serve(run: &Arc<Run<Self>>, worker: &mut Fibers, me: usize, idle: bool) -> bool {
        let owes = run.machine.shared.as_ref().is_some_and(|shared| shared.serve());
        let storage = &run.machine.storage;
        if !storage.is_slow() {
            return owes;
        }
        // Who leaves it to another comes back before it sleeps.
        let mine = storage.tending.is_mine(me, idle, &mut worker.tended);
        owes | if mine { storage::serve(run) } else { true }
    }

    #[inline]
    fn idle(run: &Arc<Run<Self>>, worker: &mut Fibers, me: usize) -> bool {
        scout::scout(run, worker, me)
    }

    fn assist(run: &Arc<Run<Self>>) -> Duration {
        diff::assist(run)
    }

    fn stopped(&self) {
        self.storage.reads.close();
    }

    fn worker_died(worker: usize) -> BlockError {
        BlockError::Worker { worker }
    }

    fn end_block(worker: &mut Fibers) {
        for fiber in &mut worker.idle {
            fiber.end_block();
        }
    }

    fn validate(&self, _: TxIndex, trace: &Box<Trace>) -> bool {
        let notes = &trace.notes;
        let regions = self.regions_of(trace);
        regions.is_none_or(|(shared, regions)| shared.validate(regions))
            && notes.accounts.iter().all(|note| self.accounts.entry(note.id).holds(&note.seen))
            && notes.slots.iter().all(|(id, seen)| self.slots.entry(*id).holds(seen))
    }

    fn may_hold(&self, tx: TxIndex, trace: &Box<Trace>) -> bool {
        let regions = self.regions_of(trace);
        regions.is_none_or(|(shared, regions)| shared.may_hold(tx, regions))
            && EvmMachine::may_hold(self, tx, &trace.notes)
    }

    fn conflict(&self, tx: TxIndex, trace: &Box<Trace>) -> timeline::Place {
        self.find_conflict(tx, &trace.notes, trace.regions.is_some())
    }

    fn publish(
        &self,
        tx: TxIndex,
        trace: &mut Box<Trace>,
        previous: Option<Box<Trace>>,
        told: &mut Vec<TxIndex>,
    ) {
        for (id, change) in &mut trace.accounts {
            if let Some(change) = change.take() {
                self.accounts.entry(*id).publish(tx, change, told);
            }
        }
        for (id, value) in &trace.slots {
            self.slots.entry(*id).publish(tx, *value, told);
        }
        if let (Some(shared), Some(regions)) = (&self.shared, &mut trace.regions) {
            shared.regions.publish(tx, regions, told);
        }
        if let Some(previous) = previous {
            self.withdraw_rest(tx, trace, &previous, told);
        }
    }

    fn retract(&self, tx: TxIndex, trace: &Box<Trace>) {
        for (id, _) in &trace.accounts {
            self.accounts.entry(*id).retract(tx);
        }
        for (id, _) in &trace.slots {
            self.slots.entry(*id).retract(tx);
        }
        if let Some((shared, regions)) = self.regions_of(trace) {
            shared.retract(tx, regions);
        }
    }

    fn commit(
        &self,
        tx: TxIndex,
        trace: Box<Trace>,
        published: bool,
        previous: Option<Box<Trace>>,
        told: &mut Vec<TxIndex>,
    ) -> Result<(), BlockError> {
        if let Some(prelude) = &self.prelude
            && prelude.stands_at(tx)
        {
            prelude.commit(self, told);
            return Ok(());
        }
        if self.storage.calls.were_forecast(tx) {
            self.storage.foreseen.forget(tx);
        }
        let mut committed = self.committed.lock();
        let index = tx.get();
        let env = &self.block.transactions[index].env;
        let reason = match (committed.sums.admit(&self.block, env), &trace.ending) {
            (Err(reason), _) => Some(reason),
            (Ok(()), Ending::Invalid(reason)) => Some(Invalid::Transaction(reason.clone())),
            (Ok(()), Ending::Executed(_) | Ending::Prelude) => None,
            (Ok(()), Ending::Environment(reason)) => {
                return Err(BlockError::Environment(reason.clone()));
            }
            (Ok(()), Ending::Store(error)) => {
                return Err(BlockError::Store { index, error: error.clone() });
            }
            (Ok(()), Ending::Shared(reason)) => {
                return Err(BlockError::SharedMemory { index, reason: reason.clone() });
            }
            (Ok(()), Ending::Panic(message)) => {
                return Err(BlockError::Panic { index, message: message.clone() });
            }
        };
        if let Some(reason) = reason {
            if self.policy == InvalidPolicy::Fail {
                return Err(BlockError::Invalid { index, reason });
            }
            if published {
                self.withdraw(tx, &trace, told);
            }
            if let Some(previous) = previous {
                self.withdraw(tx, &previous, told);
            }
            self.push(&mut committed, TransactionOutcome::Skipped(reason));
            return Ok(());
        }
        if let Some(reward) = &trace.reward {
            let entry = self.accounts.entry(self.beneficiary);
            // Nobody may have read it yet: fees are paid without looking.
            if entry.with_committed(|_| ()).is_none() {
                let info = match self.storage.beneficiary.get() {
                    Some(error) => Err(error.clone()),
                    None => self.store.account(self.block.env.beneficiary),
                };
                let info = info.map_err(|error| BlockError::Store { index, error })?;
                entry.fill(Account::from_info(info));
            }
            entry.commit_change(tx, reward, told);
        }
        if let Some((shared, regions)) = self.regions_of(&trace) {
            shared.commit(tx, regions, &mut committed.regions, told);
        }
        if published {
            for (id, _) in &trace.accounts {
                self.accounts.entry(*id).commit(tx, told);
            }
            for (id, _) in &trace.slots {
                self.slots.entry(*id).commit(tx, told);
            }
        } else {
            for (id, change) in &trace.accounts {
                if let Some(change) = change {
                    self.accounts.entry(*id).commit_change(tx, change, told);
                }
            }
            for (id, value) in &trace.slots {
                self.slots.entry(*id).commit_change(tx, value, told);
            }
            if let Some(previous) = previous {
                self.withdraw_rest(tx, &trace, &previous, told);
            }
        }
        let Ending::Executed(result) = trace.ending else { return Ok(()) };
        committed.sums.add(env, &result);
        let cumulative_gas = committed.sums.gas_used;
        let executed = Executed {
            result,
            tx_type: env.tx_type,
            cumulative_gas,
            diagnostics: trace.diagnostics,
        };
        self.push(&mut committed, TransactionOutcome::Executed(executed));
        Ok(())
    }

    fn work(trace: &Box<Trace>) -> u64 {
        match &trace.ending {
            Ending::Executed(result) => result.tx_gas_used(),
            _ => 0,
        }
    }
}
