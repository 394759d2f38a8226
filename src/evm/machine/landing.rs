//! From the store back to the block: reads are started, and their answers land.
//!
//! What a worker gets from a store that it drives it gathers and lands together: one lock for all. An
//! answer that comes from another thread lands at once.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use revm::bytecode::Bytecode;
use smallvec::SmallVec;

use super::{
    EvmMachine,
    cells::Account,
    storage::{Asks, Target},
};
use crate::{
    context::Run,
    engine::message,
    store::{Answer, Pump, Query, Read, ReadResult, Reply},
    sync::{Arc, Weak},
};

/// Where answers go. A block that is gone needs none.
struct Home(Weak<Run<EvmMachine>>);

/// Leaves a read's answer where the block finds it.
struct Arrival {
    home: Arc<Home>,
    target: Target,
}

impl Reply for Arrival {
    fn answer(self: Box<Self>, query: Query, result: ReadResult) {
        // Another kind of answer is none, and is not kept.
        let mut landing = Some((self.target, result.and_then(|answer| answer.checked(query))));
        // A thread that ends has nothing to gather with.
        let _ = GATHERED.try_with(|gathered| {
            if let Some(gathered) = &mut *gathered.borrow_mut()
                && gathered.run == self.home.0.as_ptr()
            {
                gathered.landings.extend(landing.take());
            }
        });
        if let Some(landing) = landing
            && let Some(run) = self.home.0.upgrade()
        {
            land(&run, [landing]);
        }
    }

    fn is_wanted(&self) -> bool {
        self.home.0.upgrade().is_some_and(|run| !run.machine.storage.reads.is_closed())
    }
}

/// An answer and where it goes.
type Landing = (Target, ReadResult);

/// Answers that land when the store has been driven.
struct Gathered {
    /// Of this block. Compared, and nothing else.
    run: *const Run<EvmMachine>,
    landings: Vec<Landing>,
}

thread_local! {
    /// What the thread gathers while it drives a store.
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// Lets the store answer what is due. `true`: it counts on being called again, be it for what landing
/// those answers has started.
pub(crate) fn drive(run: &Arc<Run<EvmMachine>>) -> bool {
    let gathered = Gathered { run: Arc::as_ptr(run), landings: Vec::new() };
    let mut gathering =
        Gathering { run, outer: Some(GATHERED.replace(Some(gathered))), landed: false };
    let more = run.machine.store.drive();
    gathering.end();
    more | gathering.landed
}

/// Lands what was gathered, also if the store panics.
struct Gathering<'a> {
    run: &'a Arc<Run<EvmMachine>>,
    /// Of the block that is being driven further out, if that one's store executes blocks itself.
    /// `None`: it has been put back.
    outer: Option<Option<Gathered>>,
    landed: bool,
}

impl Gathering<'_> {
    fn end(&mut self) {
        let Some(outer) = self.outer.take() else { return };
        if let Some(gathered) = GATHERED.replace(outer)
            && !gathered.landings.is_empty()
        {
            self.landed = true;
            land(self.run, gathered.landings);
        }
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl Pump<Target> for Arc<Run<EvmMachine>> {
    fn urgent(&self) -> u32 {
        self.scheduler.cursor().frontier().0
    }

    /// Nothing unwinds out of this: a store that panics drops the reads, which is an answer to each.
    fn start(&self, batch: Vec<(Target, u32)>) {
        // One for all of them: the run's own counts would go to and fro between the workers with every
        // read.
        let home = Arc::new(Home(Arc::downgrade(self)));
        let read = |(target, rank)| {
            let arrival = Arrival { home: home.clone(), target };
            Read::new(self.machine.query_of(target), rank, Box::new(arrival))
        };
        let reads = batch.into_iter().map(read).collect();
        let fetched = catch_unwind(AssertUnwindSafe(|| self.machine.store.fetch(reads)));
        if let Err(panic) = fetched {
            tracing::error!(message = message(&*panic), "the store panicked");
        }
    }
}

/// Puts answers where the block finds them, wakes whoever waits, and starts what that lets start.
fn land(run: &Arc<Run<EvmMachine>>, landings: impl IntoIterator<Item = Landing>) {
    let machine = &run.machine;
    let mut asks = Asks::new();
    let landings = landings.into_iter().map(|(target, result)| {
        let landed = match (result, target) {
            (Ok(Answer::Account(info)), Target::Account(id)) => {
                let code = info.as_ref().and_then(|info| info.code.as_ref());
                let delegate = code.and_then(Bytecode::eip7702_address);
                machine.accounts.entry(id).fill(Account::from_info(info));
                if let Some(delegate) = delegate {
                    machine.ask_ahead(Query::Account(delegate), Read::LAST, &mut asks);
                }
                Ok(None)
            }
            (Ok(Answer::Slot(value)), Target::Slot(id)) => {
                machine.slots.entry(id).fill(value);
                Ok(None)
            }
            (Ok(other), _) => Ok(Some(Box::new(other))),
            (Err(error), _) => Err(Box::new(error)),
        };
        let keep = matches!(landed, Ok(Some(_)));
        (target, landed, keep)
    });
    // Entries are filled, and what follows from them is asked for, without the lock.
    let landings: SmallVec<[_; 32]> = landings.collect();
    machine.go_on_forecasting(
        &mut asks,
        landings.iter().filter_map(|(target, _, _)| match target {
            Target::Slot(id) => Some(*id),
            _ => None,
        }),
    );
    machine.queue(asks);
    machine.storage.reads.land_and_pump(landings, run);
}
