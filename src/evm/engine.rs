//! The façade for Ethereum blocks: build it once, execute blocks.

use alloy_primitives::{Address, U256};

use crate::{
    engine::{self, Conduct, Core, EngineError, Path, SharedMemory, Timer},
    observe::timeline::Recording,
    sync::{
        Arc,
        time::{Duration, Instant},
    },
};

use super::{
    Block, BlockError, BlockOutcome, InvalidPolicy, StateStore, TransactionOutcome,
    machine::{EvmMachine, Hollow, Prelude},
    reading::{Reading, Scouting, is_far},
    workers::Workers,
};

/// The window unless told otherwise.
const WINDOW: u32 = 256;
/// The same over a store that is far away, where the one that waits longest should not start late:
/// 1 ms a read, real blocks without scouts, a ratio of 15.5 instead of 14.3. At 100 µs processors are
/// short rather than time, and it is 13.4 instead of 13.8.
const FAR_WINDOW: u32 = 1024;

/// Configures an [`Engine`].
#[derive(Clone, Debug)]
pub struct EngineBuilder {
    pub(super) threads: usize,
    /// `None`: as suits the store.
    pub(super) window: Option<u32>,
    pub(super) reading: Reading,
    pub(super) path: Path,
    pub(super) batch: Option<u32>,
    pub(super) learning: bool,
    pub(super) wake_apart: bool,
    pub(super) policy: InvalidPolicy,
    pub(super) memory: Arc<SharedMemory>,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            threads: crate::sync::thread::available_parallelism(),
            window: None,
            reading: Reading::default(),
            path: Path::Auto,
            batch: None,
            learning: true,
            wake_apart: true,
            policy: InvalidPolicy::Fail,
            memory: SharedMemory::off(),
        }
    }
}

impl EngineBuilder {
    /// Number of worker threads. Default: the cores available to the process. A block on
    /// [`Path::Auto`] gets no more than there are cores, and no more than it has work for, unless its
    /// store makes it wait.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// How many transactions may be started and uncommitted at a time. Default: 256, and 1,024 where a
    /// read takes half a millisecond or more: the waits of more transactions overlap.
    #[must_use]
    pub fn window(mut self, transactions: u32) -> Self {
        self.window = Some(transactions);
        self
    }

    /// How many reads of a slow store may be under way at a time; the transaction at the commit cursor
    /// gets one more if need be. Default: 1,024, which is more than two cores ask for while a fast solid-state disk
    /// reads. A store that serves fewer at a time had better take those of the lowest rank first
    /// ([`Read::rank`](crate::store::Read::rank)).
    #[must_use]
    pub fn reads_in_flight(mut self, reads: usize) -> Self {
        self.reading.in_flight = reads;
        self
    }

    /// How long a slow store may take to answer a read before the engine gives that read up, which ends
    /// the block with [`StoreError::TimedOut`] if its result depends on it. `None`: for ever. Default:
    /// 30 s. A read counts from the moment at which the store gets it. What the store answers later
    /// is dropped, and it may then have more reads at a time than
    /// [`reads_in_flight`](Self::reads_in_flight).
    ///
    /// [`StoreError::TimedOut`]: crate::store::StoreError::TimedOut
    #[must_use]
    pub fn read_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.reading.timeout = timeout;
        self
    }

    /// Whether transactions that wait for a slow store are run ahead on guesses, to find out what else
    /// they will read. Default: [`Scouting::Auto`].
    #[must_use]
    pub fn scouting(mut self, scouting: Scouting) -> Self {
        self.reading.scouting = scouting;
        self
    }

    /// Sets the window and the reads in flight as suits a store at the other end of a network: 1,024
    /// transactions, 1,024 reads, which the store bundles as it likes.
    #[must_use]
    pub fn for_remote_store(self) -> Self {
        self.window(1024).reads_in_flight(1024)
    }

    /// How blocks are executed. Default: [`Path::Auto`].
    #[must_use]
    pub fn path(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// How many transactions a worker takes together. Default: by what they take, as a sample or former blocks
    /// tell, else by their gas, and fewer where gas is thrown away.
    #[must_use]
    pub fn batch(mut self, transactions: u32) -> Self {
        self.batch = Some(transactions.max(1));
        self
    }

    /// Whether the engine learns from its blocks what the next ones will gain, by the contracts that
    /// they call ([`Engine::forget`] clears it). It uses that with [`Path::Auto`], and never changes a
    /// result. Default: it does.
    #[must_use]
    pub fn learning(mut self, learning: bool) -> Self {
        self.learning = learning;
        self
    }

    /// Whether a worker that sleeps is kept off the core of the thread that wakes it, where it would wait for that thread: on
    /// Linux with up to eight cores, by `sched_setaffinity`. Default: it is. For a process that its sandbox kills for that
    /// call.
    #[must_use]
    pub fn wake_apart(mut self, apart: bool) -> Self {
        self.wake_apart = apart;
        self
    }

    /// What to do with invalid transactions. Default: [`InvalidPolicy::Fail`].
    #[must_use]
    pub fn policy(mut self, policy: InvalidPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Regions that contracts share, if the chain activates them. Default: none. Several engines can
    /// have the same.
    #[must_use]
    pub fn shared_memory(mut self, memory: Arc<SharedMemory>) -> Self {
        self.memory = memory;
        self
    }

    /// The window of a block that reads this store.
    pub(super) fn window_over(&self, store: &dyn StateStore) -> u32 {
        self.window.unwrap_or(if is_far(store.latency()) { FAR_WINDOW } else { WINDOW })
    }

    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// [`EngineError`] for a configuration that cannot work, naming the field and its value.
    pub fn build(self) -> Result<Engine, EngineError> {
        EngineError::check(self.threads, self.window.unwrap_or(WINDOW))?;
        if self.reading.in_flight == 0 {
            return Err(EngineError::NoReads);
        }
        let timer = Arc::new(Timer::new());
        let workers = Workers::start(self, timer.clone())?;
        Ok(Engine { core: Core::with_timer(workers, timer) })
    }
}

/// How a block is to be executed.
pub type ExecuteOptions = engine::ExecuteOptions<BlockOutcome, TransactionOutcome>;

impl ExecuteOptions {
    /// The block's timeline is taken down, if it takes the parallel path, and is in `recording` when the
    /// block has ended. Default: it is not, which costs nothing.
    #[must_use]
    pub fn trace(mut self, recording: &Recording) -> Self {
        self.recording = Some(recording.clone());
        self
    }
}

/// A submitted block.
pub type Execution = engine::Execution<BlockOutcome, BlockError, TransactionOutcome>;

/// Executes blocks of Ethereum transactions. Workers start with it and end with it.
///
/// A block ends with its outcome, or with an error; never with a hang or a panic of the caller, and
/// the engine can be used afterwards. When the engine is dropped, its submitted blocks are cancelled:
/// the one that runs, then those that wait, in the order in which they came. Then its threads end
/// and are waited for.
pub struct Engine {
    core: Core<Workers>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let config = &self.core.executor().config;
        f.debug_struct("Engine").field("config", config).finish_non_exhaustive()
    }
}

impl Engine {
    /// A builder with the defaults.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The regions that contracts share.
    #[must_use]
    pub fn shared_memory(&self) -> &Arc<SharedMemory> {
        &self.core.executor().config.memory
    }

    /// Executes a block over the state it starts from, and returns exactly what executing its
    /// transactions one by one would have given.
    ///
    /// # Errors
    ///
    /// The [`BlockError`] that one-by-one execution would have ended in.
    pub fn execute(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
    ) -> Result<BlockOutcome, BlockError> {
        self.execute_with(block, store, ExecuteOptions::new())
    }

    /// Executes a block as [`Engine::execute`] does, and heeds the options.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::execute`], and those that the options bring.
    pub fn execute_with(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        options: ExecuteOptions,
    ) -> Result<BlockOutcome, BlockError> {
        self.core.execute(options, |workers, conduct| workers.execute(block, store, conduct))
    }

    /// Queues a block. It begins when those submitted before have ended, on a thread of the engine's
    /// that starts with the first one, and the workers. While it waits, the store is told what it
    /// will probably read ([`StateStore::prefetch`], on the calling thread).
    pub fn submit(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        options: ExecuteOptions,
    ) -> Execution {
        let (own, from) = (block.clone(), store.clone());
        let execute =
            move |workers: &Workers, conduct: &Conduct<_>| workers.execute(&own, &from, conduct);
        let ahead = || {
            let mut reads = block.known_reads();
            for transaction in &block.transactions {
                transaction.known_reads(&mut reads);
            }
            reads.sort_unstable();
            reads.dedup();
            store.prefetch(&reads);
        };
        self.core.submit(options, ahead, execute)
    }

    /// Executes a block as [`Engine::execute`] does on the parallel path, except that its
    /// transactions find nothing in the store: what there is to read at `locations` (addresses with
    /// slots) is published to them by an artificial transaction before them, one location after
    /// another, whenever one of them waits for it and a random delay has passed. `locations` has to
    /// cover the state as far as the block uses it. What comes back is relative to the store.
    ///
    /// This is for tests. It takes any block, even one of a single transaction, through versions and
    /// suspensions at every read. [`suspensions`](super::Statistics::suspensions) counts how often a transaction of the
    /// block waited for the publication.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::execute`], and [`BlockError::Environment`] for a block with a prologue,
    /// which would have to run before the artificial transaction and on what it publishes.
    #[doc(hidden)]
    pub fn execute_over_published(
        &self,
        block: &Block,
        store: &Arc<dyn StateStore>,
        locations: &[(Address, Vec<U256>)],
        seed: u64,
    ) -> Result<BlockOutcome, BlockError> {
        self.execute_over_crowd(block, store, locations, seed, 0)
    }

    /// Executes a block as [`Engine::execute_over_published`] does, except that nothing is published
    /// before transactions have waited `crowd` times. Each waits once until then, so that many
    /// are suspended at the same time. The window has to hold them and the artificial one, and none
    /// may hold another up: with fewer that can wait the block never ends, unless one ends.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::execute_over_published`].
    #[doc(hidden)]
    pub fn execute_over_crowd(
        &self,
        block: &Block,
        store: &Arc<dyn StateStore>,
        locations: &[(Address, Vec<U256>)],
        seed: u64,
        crowd: u64,
    ) -> Result<BlockOutcome, BlockError> {
        let system = &block.system;
        if system.dao_fork || system.beacon_root.is_some() || system.parent_hash.is_some() {
            let reason = "a block with a prologue does not run over a published state";
            return Err(BlockError::Environment(reason.into()));
        }
        let begin = Instant::now();
        let mut block = block.clone();
        block.transactions.insert(0, Prelude::placeholder());
        let hollow = Arc::new(Hollow(store.clone()));
        let workers = self.core.executor();
        let crowd = (workers.config.window_over(&**store) > 1).then_some(crowd);
        let before = |error| BlockError::Store { index: 0, error };
        let block = Arc::new(block);
        let shared = workers.begin_shared(&block)?;
        let reading = &workers.config.reading;
        let mut machine = EvmMachine::new(block, hollow, workers.config.policy, shared, reading);
        Prelude::install(&mut machine, &**store, locations, seed, crowd).map_err(before)?;
        let conduct = Conduct::default();
        let run = workers.begin_run(machine, &conduct, workers.pool.workers(), begin);
        let times = [begin, Instant::now()];
        workers.finish_parallel(run, &conduct, times).map_err(|error| match error {
            BlockError::Invalid { index, reason } => {
                BlockError::Invalid { index: index.saturating_sub(1), reason }
            }
            BlockError::Store { index, error } => {
                BlockError::Store { index: index.saturating_sub(1), error }
            }
            BlockError::Panic { index, message } => {
                BlockError::Panic { index: index.saturating_sub(1), message }
            }
            other => other,
        })
    }

    /// Executes a block as [`Engine::execute`] does, the first `head` transactions one by one, those up to
    /// `end` (or a few more) on the workers, and what is left one by one again.
    ///
    /// This is for tests, of a block over a store that has all at hand.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::execute`].
    #[doc(hidden)]
    pub fn execute_in_parts(
        &self,
        block: &Arc<Block>,
        store: &Arc<dyn StateStore>,
        head: usize,
        end: u32,
        options: ExecuteOptions,
    ) -> Result<BlockOutcome, BlockError> {
        self.core.execute(options, |workers, conduct| {
            workers.execute_in_parts(block, store, conduct, head, end)
        })
    }

    /// Forgets what the engine learned from earlier blocks.
    pub fn forget(&self) {
        self.core.executor().lessons.forget();
    }
}
