//! The block, from beginning to end.

use alloy_primitives::Address;

use super::{
    Machine, SequentialState, Shortcuts,
    by_ref::ByRef,
    epilogue,
    progress::{Begun, Done, Pace, Tail, Watch},
    started::{Started, transact_until},
};
use crate::{
    engine::{Conduct, SharedMemory},
    evm::{
        Block, BlockError, BlockOutcome, InvalidPolicy, StateStore, TransactionOutcome,
        shared::{SharedRegions, check_sidecars, in_force},
    },
    region::{config::ChainConfig, direct::DirectRegions},
    sync::{Arc, time::Instant},
};

/// Executes blocks one transaction after another.
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    memory: Option<Arc<SharedMemory>>,
    /// Takes the [`Shortcuts`].
    takes_shortcuts: bool,
}

impl Sequential {
    /// A sequential executor.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sequential executor of a chain with shared memory. Executing a block leaves the regions as
    /// they are: the outcome says what changes.
    #[must_use]
    pub fn with_shared_memory(memory: Arc<SharedMemory>) -> Self {
        Self { memory: Some(memory), takes_shortcuts: false }
    }

    /// Takes the [`Shortcuts`]. It is a reference no more.
    pub(crate) fn with_shortcuts(self) -> Self {
        Self { takes_shortcuts: true, ..self }
    }

    /// Executes a block over the state it starts from.
    ///
    /// # Errors
    ///
    /// Any [`BlockError`]; an invalid transaction only under [`InvalidPolicy::Fail`].
    pub fn execute<S: StateStore + ?Sized>(
        &mut self,
        block: &Block,
        store: &S,
        policy: InvalidPolicy,
    ) -> Result<BlockOutcome, BlockError> {
        self.execute_under(block, &ByRef(store), policy, &Conduct::default())
    }

    /// The same, until somebody stops it.
    pub(crate) fn execute_under(
        &mut self,
        block: &Block,
        store: &dyn StateStore,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        let Some((config, mut regions)) = self.regions_of(block) else {
            return run(block, store, policy, None, self.shortcuts(block, None), conduct);
        };
        check_sidecars(block, &config)?;
        let shortcuts = self.shortcuts(block, Some(Address::new(config.precompile.0)));
        let shared = SharedRegions { config, regions: &mut regions };
        let ended = run(block, store, policy, Some(shared), shortcuts, conduct);
        with_regions(ended, regions)
    }

    /// Executes a block with shared memory if it is a chain: if `is_chain` says so of the number of its first `count`
    /// transactions that look at what the one before them changed. `None` if not, or if that cannot be told. Then
    /// nothing comes of these transactions, and nobody hears of them.
    pub(crate) fn execute_if_chain(
        &mut self,
        block: &Block,
        store: &dyn StateStore,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
        count: usize,
        is_chain: impl FnOnce(u32) -> bool,
    ) -> Option<Result<BlockOutcome, BlockError>> {
        let (config, regions) = self.regions_of(block)?;
        check_sidecars(block, &config).ok()?;
        let mut regions = regions.rehearsing();
        let shortcuts = self.shortcuts(block, Some(Address::new(config.precompile.0)));
        let shared = SharedRegions { config, regions: &mut regions };
        let mut started = Started::new(block, store, Some(shared), shortcuts, conduct).ok()?;
        let mut rehearsal = Conduct::default();
        rehearsal.control = conduct.control.clone();
        let mut look = |done: &Done| match done.transactions.len() < count {
            true => Pace::Watch,
            false => Pace::HandOver,
        };
        let paused = started.transact(policy, &rehearsal, Some(&mut look)).ok()?;
        if !paused || !is_chain(started.done.linked) {
            return None;
        }
        if conduct.feed.is_some() {
            // Who takes outcomes as they commit is told of each before the next one runs.
            drop(started);
            drop(regions);
            return Some(self.execute_under(block, store, policy, conduct));
        }
        started.machine.state().end_rehearsal();
        let ended = started.transact(policy, conduct, None).and_then(|_| started.end());
        Some(with_regions(ended, regions))
    }

    /// What the chain fixes, and the regions before a block in which they are in force.
    fn regions_of(&self, block: &Block) -> Option<(Arc<ChainConfig>, DirectRegions)> {
        let memory = self.memory.as_ref()?;
        let config = in_force(Some(memory.chain()), block)?;
        let mut regions = memory.begin_direct(block.env.number.saturating_to())?;
        regions.attach_to_block(block.sidecars.as_slice().into());
        Some((config, regions))
    }

    /// Executes a block over the state and the regions it starts from. The regions are left as they
    /// are when the block ends.
    ///
    /// # Errors
    ///
    /// Those of [`Sequential::execute`].
    pub fn execute_shared<'a, S: StateStore + ?Sized>(
        &mut self,
        block: &'a Block,
        store: &'a S,
        policy: InvalidPolicy,
        shared: Option<SharedRegions<'a>>,
    ) -> Result<BlockOutcome, BlockError> {
        run(block, &ByRef(store), policy, shared, None, &Conduct::default())
    }

    fn shortcuts(&self, block: &Block, precompile: Option<Address>) -> Option<Shortcuts> {
        self.takes_shortcuts.then(|| Shortcuts::new(block, precompile))
    }
}

fn run<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    policy: InvalidPolicy,
    shared: Option<SharedRegions<'a>>,
    shortcuts: Option<Shortcuts>,
    conduct: &Conduct<TransactionOutcome>,
) -> Result<BlockOutcome, BlockError> {
    match begin(block, store, policy, shared, shortcuts, conduct, None)? {
        Begun::Ended(outcome) => Ok(*outcome),
        Begun::Paused(_) => unreachable!("nobody asked for it"),
    }
}

/// Executes a block, at least its beginning: `watch` sees what has come of the transactions, from the
/// second one on, and says whether the rest is to be left to others.
pub(crate) fn begin<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    policy: InvalidPolicy,
    shared: Option<SharedRegions<'a>>,
    shortcuts: Option<Shortcuts>,
    conduct: &Conduct<TransactionOutcome>,
    watch: Option<Watch<'_>>,
) -> Result<Begun, BlockError> {
    let mut started = Started::new(block, store, shared, shortcuts, conduct)?;
    match started.transact(policy, conduct, watch)? {
        true => Ok(Begun::Paused(started.pause())),
        false => Ok(Begun::Ended(Box::new(started.end()?))),
    }
}

/// What came of a block, with what it changed of the regions.
fn with_regions(
    mut ended: Result<BlockOutcome, BlockError>,
    regions: DirectRegions,
) -> Result<BlockOutcome, BlockError> {
    match &mut ended {
        Ok(outcome) => outcome.regions = Some(regions.finish()),
        Err(error) => {
            if let Some(partial) = error.committed_mut() {
                partial.regions = Some(regions.finish());
            }
        }
    }
    ended
}

/// Executes the rest of a block after the transactions that are done: `adopt` is given the state before the block
/// and makes it what they left.
pub(crate) fn finish<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    adopt: impl FnOnce(&mut SequentialState<'a, dyn StateStore + 'a>),
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    mut done: Done,
) -> Result<Tail, BlockError> {
    let begin = Instant::now();
    let mut machine = Machine::with_control(block, store, None, conduct.control.clone());
    machine.take_shortcuts(Shortcuts::new(block, None));
    machine.expect(block.transactions.len());
    adopt(machine.state());
    transact_until(&mut machine, block, policy, conduct, &mut done, None)?;
    let transactions_end = Instant::now();
    machine.watch_no_more();
    let requests = epilogue(&mut machine, block, &done.transactions)?;
    let times = [transactions_end - begin, transactions_end.elapsed()];
    Ok(Tail { done, requests, diff: machine.into_state().diff(), times })
}
