//! From the store back to the block: reads are started, and their answers land.
//!
//! What a worker gets from a store that it drives is put into its entries at once, and the rest of landing it is
//! gathered: one lock for all. An answer that comes from another thread lands at once.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use alloy_primitives::Address;
use revm::bytecode::Bytecode;
use smallvec::SmallVec;

use super::{
    EvmMachine,
    cells::Account,
    target::{Asks, Landed, Target},
};
use crate::{
    context::Run,
    engine::message,
    store::{Answer, Pump, Query, Read, ReadResult, Replies},
    sync::{Arc, Weak},
};

/// Where the answers to reads go that were started together. One for all of them: an allocation for each would be freed
/// by another worker than the one that made it, and the run's own counts would go to and fro between them. A block
/// that is gone needs no answers.
struct Home {
    run: Weak<Run<EvmMachine>>,
    /// By the number of the read, what it reads, with its rank.
    targets: Vec<(Target, u32)>,
}

impl Replies for Home {
    fn answer(&self, number: u32, query: Query, result: ReadResult) {
        let Some((target, _)) = self.targets.get(number as usize) else { return };
        // Another kind of answer is none, and is not kept.
        let mut answer = Some((*target, result.and_then(|answer| answer.checked(query))));
        // A thread that ends has nothing to gather with.
        let _ = GATHERED.try_with(|gathered| {
            if let Some(gathered) = &mut *gathered.borrow_mut()
                && gathered.id == self.run.as_ptr()
            {
                gathered.gather(&self.run, &mut answer);
            }
        });
        if let Some((target, result)) = answer
            && let Some(run) = self.run.upgrade()
        {
            let mut landings = Landings::default();
            landings.put(&run.machine, target, result);
            landings.land(&run);
        }
    }

    fn are_wanted(&self) -> bool {
        self.run.upgrade().is_some_and(|run| !run.machine.storage.reads.is_closed())
    }
}

/// Answers whose values are in their entries, and whose reads are not known to have ended.
#[derive(Default)]
struct Landings {
    /// With what becomes of the read, and whether that is kept with the reads.
    landed: SmallVec<[(Target, Landed, bool); 4]>,
    /// Whose code accounts that have landed execute (EIP-7702).
    delegates: SmallVec<[Address; 2]>,
}

impl Landings {
    /// Puts an answer where the block finds it.
    fn put(&mut self, machine: &EvmMachine, target: Target, result: ReadResult) {
        let landed = match (result, target) {
            (Ok(Answer::Account(info)), Target::Account(id)) => {
                let code = info.as_ref().and_then(|info| info.code.as_ref());
                self.delegates.extend(code.and_then(Bytecode::eip7702_address));
                machine.accounts.entry(id).fill(Account::from_info(info));
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
        self.landed.push((target, landed, keep));
    }

    /// Wakes whoever waits, and starts what that lets start.
    fn land(self, run: &Arc<Run<EvmMachine>>) {
        let machine = &run.machine;
        let mut asks = Asks::new();
        for delegate in self.delegates {
            machine.ask_ahead(Query::Account(delegate), Read::LAST, &mut asks);
        }
        let slots = self.landed.iter().filter_map(|(target, ..)| match target {
            Target::Slot(id) => Some(*id),
            _ => None,
        });
        machine.go_on_forecasting(&mut asks, slots);
        asks.sort_by_key(|(_, rank)| *rank);
        let known = |target| machine.is_known(target);
        machine.storage.reads.land_and_pump(self.landed, asks, known, run);
    }
}

/// What lands when the store has been driven.
struct Gathered {
    /// Of this block. Compared, and nothing else.
    id: *const Run<EvmMachine>,
    /// The same, from the first answer on.
    run: Option<Arc<Run<EvmMachine>>>,
    landings: Landings,
}

impl Gathered {
    /// Takes the answer, unless the block is gone.
    fn gather(&mut self, run: &Weak<Run<EvmMachine>>, answer: &mut Option<(Target, ReadResult)>) {
        if self.run.is_none() {
            self.run = run.upgrade();
        }
        if let Some(run) = &self.run
            && let Some((target, result)) = answer.take()
        {
            self.landings.put(&run.machine, target, result);
        }
    }
}

thread_local! {
    /// What the thread gathers while it drives a store.
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// Lets the store answer what is due. `true`: it counts on being called again, be it for what landing
/// those answers has started.
pub(crate) fn drive(run: &Arc<Run<EvmMachine>>) -> bool {
    let gathered = Gathered { id: Arc::as_ptr(run), run: None, landings: Landings::default() };
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
            && !gathered.landings.landed.is_empty()
        {
            self.landed = true;
            gathered.landings.land(self.run);
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
        let home = Arc::new(Home { run: Arc::downgrade(self), targets: batch });
        let reads = home.targets.iter().zip(0..);
        let read = |(&(target, rank), number)| {
            Read::one_of(self.machine.query_of(target), rank, home.clone(), number)
        };
        let reads = reads.map(read).collect();
        let fetched = catch_unwind(AssertUnwindSafe(|| self.machine.store.fetch(reads)));
        if let Err(panic) = fetched {
            tracing::error!(message = message(&*panic), "the store panicked");
        }
    }
}
