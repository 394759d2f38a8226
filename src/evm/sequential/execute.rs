//! The block, from beginning to end.

use alloy_primitives::Address;

use super::{
    Machine, SequentialState, Shortcuts,
    by_ref::ByRef,
    epilogue,
    progress::{Begun, Done, Tail, Watch},
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
        &self,
        block: &Block,
        store: &dyn StateStore,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
    ) -> Result<BlockOutcome, BlockError> {
        Ok(*ended(self.begin(block, store, policy, conduct, None)?))
    }

    /// The same, at least the block's beginning: `watch` sees what has come of the transactions, from the
    /// second one on, and says whether the rest is to be left to others.
    pub(crate) fn begin(
        &self,
        block: &Block,
        store: &dyn StateStore,
        policy: InvalidPolicy,
        conduct: &Conduct<TransactionOutcome>,
        watch: Option<Watch<'_>>,
    ) -> Result<Begun, BlockError> {
        let Some((config, mut regions)) = self.regions_of(block) else {
            return begin(block, store, policy, None, self.shortcuts(block, None), conduct, watch);
        };
        check_sidecars(block, &config)?;
        let shortcuts = self.shortcuts(block, Some(Address::new(config.precompile.0)));
        let shared = SharedRegions { config, regions: &mut regions };
        match begin(block, store, policy, Some(shared), shortcuts, conduct, watch) {
            Ok(Begun::Ended(mut outcome)) => {
                outcome.regions = Some(regions.finish());
                Ok(Begun::Ended(outcome))
            }
            Ok(Begun::Paused(mut head)) => {
                head.regions = Some(regions.pause());
                Ok(Begun::Paused(head))
            }
            Err(error) => Err(error.with_regions(|| Some(regions.finish()))),
        }
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
        let conduct = Conduct::default();
        Ok(*ended(begin(block, &ByRef(store), policy, shared, None, &conduct, None)?))
    }

    fn shortcuts(&self, block: &Block, precompile: Option<Address>) -> Option<Shortcuts> {
        self.takes_shortcuts.then(|| Shortcuts::new(block, precompile))
    }
}

/// Executes a block, at least its beginning.
fn begin<'a>(
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
        true => Ok(Begun::Paused(Box::new(started.pause()))),
        false => Ok(Begun::Ended(Box::new(started.end()?))),
    }
}

/// What came of a block that nobody watched.
fn ended(begun: Begun) -> Box<BlockOutcome> {
    match begun {
        Begun::Ended(outcome) => outcome,
        Begun::Paused(_) => unreachable!("nobody asked for it"),
    }
}

/// Executes the rest of a block after the transactions that are done: `adopt` is given the state before the block
/// and makes it what they left, as `shared` is already.
pub(crate) fn finish<'a>(
    block: &'a Block,
    store: &'a dyn StateStore,
    shared: Option<SharedRegions<'a>>,
    adopt: impl FnOnce(&mut SequentialState<'a, dyn StateStore + 'a>),
    policy: InvalidPolicy,
    conduct: &Conduct<TransactionOutcome>,
    mut done: Done,
) -> Result<Tail, BlockError> {
    let begin = Instant::now();
    let precompile = shared.as_ref().map(|shared| Address::new(shared.config.precompile.0));
    let mut machine = Machine::with_control(block, store, shared, conduct.control.clone());
    machine.take_shortcuts(Shortcuts::new(block, precompile));
    machine.expect(block.transactions.len());
    adopt(machine.state());
    transact_until(&mut machine, block, policy, conduct, &mut done, None)?;
    let transactions_end = Instant::now();
    machine.watch_no_more();
    let requests = epilogue(&mut machine, block, &done.transactions)?;
    let times = [transactions_end - begin, transactions_end.elapsed()];
    Ok(Tail { done, requests, diff: machine.into_state().diff(), times })
}
