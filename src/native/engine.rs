//! The façade for blocks of closures: build it once, execute blocks.

use std::{fmt, marker::PhantomData};

use super::{
    Base, BlockError, Ended, Key, Outcome, PartialOutcome, Statistics, Transaction, Value,
    direct::{check_sidecars, execute_direct},
    machine::NativeMachine,
};
use crate::{
    context::{Conclusion, Run},
    engine::{self, Conduct, Core, EngineError, Path, SharedMemory, WorkerPool},
    region::change::RegionChanges,
    sync::{Arc, thread},
};

type Block<K, V, T, E> = fn() -> Transaction<K, V, T, E>;

/// How a block of closures is to be executed.
pub type ExecuteOptions<K, V, T, E> = engine::ExecuteOptions<Outcome<K, V, T, E>, Result<T, E>>;

/// A submitted block of closures.
pub type Execution<K, V, T, E> =
    engine::Execution<Outcome<K, V, T, E>, BlockError<PartialOutcome<K, V, T, E>>, Result<T, E>>;

/// Configures an [`Engine`].
pub struct EngineBuilder<K, V, T, E> {
    threads: usize,
    window: u32,
    path: Path,
    wake_apart: bool,
    memory: Arc<SharedMemory>,
    block: PhantomData<Block<K, V, T, E>>,
}

impl<K, V, T, E> EngineBuilder<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Number of workers, the calling thread included. Default: the cores available to the process.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// How many transactions may be started and uncommitted at a time. Default: 256.
    #[must_use]
    pub fn window(mut self, transactions: u32) -> Self {
        self.window = transactions;
        self
    }

    /// How blocks are executed. Default: [`Path::Auto`], which is direct for one thread and for a
    /// block of one transaction. Closures that wait for something outside overlap even on one
    /// thread: choose [`Path::Parallel`] for them.
    #[must_use]
    pub fn path(mut self, path: Path) -> Self {
        self.path = path;
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

    /// Regions that closures share ([`View::regions`](super::View::regions)). Default: none. Several
    /// engines can have the same.
    #[must_use]
    pub fn shared_memory(mut self, memory: Arc<SharedMemory>) -> Self {
        self.memory = memory;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// [`EngineError`] for a configuration that cannot work, naming the field and its value.
    pub fn build(self) -> Result<Engine<K, V, T, E>, EngineError> {
        EngineError::check(self.threads, self.window)?;
        let threads = if self.path == Path::Direct { 1 } else { self.threads };
        let pool = WorkerPool::new(threads)?.waking_apart(self.wake_apart);
        Ok(Engine { core: Core::new(Workers { pool, config: self }) })
    }
}

impl<K, V, T, E> fmt::Debug for EngineBuilder<K, V, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("threads", &self.threads)
            .field("window", &self.window)
            .field("path", &self.path)
            .field("wake_apart", &self.wake_apart)
            .finish()
    }
}

/// Executes blocks of closures that take a [`View`](super::View) of keys `K` and values `V` and
/// return a `Result<T, E>`. Workers start with it and end with it.
///
/// # Ends
///
/// A block ends with its outcome, or with an error; never with a hang or a panic of the caller, and
/// the engine can be used afterwards. A block that is cancelled, or past its deadline, ends as soon
/// as its closures touch the state or await something. **A closure that computes for ever without
/// doing either cannot be cancelled**: a worker that runs it does not come back. The block ends all
/// the same, unless the closure runs on the block's own thread: that which called
/// [`execute`](Self::execute), or the engine's own for [`submit`](Self::submit).
///
/// When the engine is dropped, its submitted blocks are cancelled: the one that runs, then those that
/// wait, in the order in which they came. Then its threads end and are waited for.
pub struct Engine<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    core: Core<Workers<K, V, T, E>>,
}

/// What executes a block.
struct Workers<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    pool: WorkerPool<NativeMachine<K, V, T, E>>,
    config: EngineBuilder<K, V, T, E>,
}

impl<K, V, T, E> fmt::Debug for Engine<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.core.executor().config;
        f.debug_struct("Engine").field("config", config).finish_non_exhaustive()
    }
}

impl<K, V, T, E> Engine<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    /// A builder with the defaults.
    #[must_use]
    pub fn builder() -> EngineBuilder<K, V, T, E> {
        let threads = thread::available_parallelism();
        let memory = SharedMemory::off();
        EngineBuilder {
            threads,
            window: 256,
            path: Path::Auto,
            wake_apart: true,
            memory,
            block: PhantomData,
        }
    }

    /// The regions that closures share.
    #[must_use]
    pub fn shared_memory(&self) -> &Arc<SharedMemory> {
        &self.core.executor().config.memory
    }

    /// Executes a block over the state it starts from, and returns exactly what executing its
    /// transactions one by one would have given ([`execute_sequential`](super::execute_sequential)).
    ///
    /// # Errors
    ///
    /// The [`BlockError`] that one-by-one execution would have ended in. The engine lives on.
    pub fn execute(
        &self,
        block: &[Transaction<K, V, T, E>],
        base: impl Base<K, V> + 'static,
    ) -> Result<Outcome<K, V, T, E>, BlockError> {
        let ended = self.execute_with(block, base, ExecuteOptions::new());
        ended.map_err(BlockError::without_committed)
    }

    /// Executes a block as [`Engine::execute`] does, and heeds the options.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::execute`], and those that the options bring.
    pub fn execute_with(
        &self,
        block: &[Transaction<K, V, T, E>],
        base: impl Base<K, V> + 'static,
        options: ExecuteOptions<K, V, T, E>,
    ) -> Ended<K, V, T, E> {
        self.core.execute(options, |workers, conduct| workers.execute(block, base, conduct))
    }

    /// Queues a block. It begins when those submitted before have ended, on a thread of the engine's
    /// that starts with the first one, and the workers.
    pub fn submit(
        &self,
        block: impl Into<Arc<[Transaction<K, V, T, E>]>>,
        base: impl Base<K, V> + 'static,
        options: ExecuteOptions<K, V, T, E>,
    ) -> Execution<K, V, T, E> {
        let block = block.into();
        let execute = move |workers: &Workers<K, V, T, E>, conduct: &Conduct<_>| {
            workers.execute(&block, base, conduct)
        };
        self.core.submit(options, || {}, execute)
    }
}

impl<K, V, T, E> Workers<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    fn execute(
        &self,
        block: &[Transaction<K, V, T, E>],
        base: impl Base<K, V> + 'static,
        conduct: &Conduct<Result<T, E>>,
    ) -> Ended<K, V, T, E> {
        let memory = &self.config.memory;
        if self.goes_direct(block.len()) {
            return execute_direct(block, base, memory, conduct);
        }
        check_sidecars(block, memory).map_err(BlockError::without_committed)?;
        let shared = memory.begin_parallel(memory.next_block(), Arc::new([]));
        let machine = NativeMachine::new(block, Arc::new(base), shared, conduct.feed.clone());
        let run = Run::new(machine, self.pool.workers(), self.config.window);
        let run = Arc::new(run.with_control(conduct.control.clone()));
        conduct.attach(&run, |limit| run.scheduler.limit_commits(limit));
        self.pool.execute(&run);
        let (results, changes, regions) = match run.conclude() {
            Conclusion::Complete => product(&run.machine),
            Conclusion::Failed(error) => return Err(error.without_committed()),
            Conclusion::HandedOver { .. } => unreachable!("closures never let go of their workers"),
            Conclusion::Stopped { reason, committed } => {
                let keep = conduct.keep_committed && committed.is_some();
                let committed = keep.then(|| {
                    let (results, changes, regions) = product(&run.machine);
                    PartialOutcome { results, changes, regions }
                });
                return Err(BlockError::stopped(reason, committed));
            }
        };
        let totals = run.totals();
        let statistics = Statistics {
            parallel: true,
            threads: self.pool.workers(),
            incarnations: totals.incarnations,
            suspensions: totals.suspensions,
            wasted_accesses: totals.wasted,
        };
        Ok(Outcome { results, changes, regions, statistics })
    }

    fn goes_direct(&self, transactions: usize) -> bool {
        match self.config.path {
            Path::Direct => true,
            Path::Parallel => false,
            Path::Auto => self.config.threads == 1 || transactions < 2,
        }
    }
}

/// What is committed: results, changes, regions.
fn product<K, V, T, E>(machine: &NativeMachine<K, V, T, E>) -> Product<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    let (results, changes) = machine.take_product();
    (results, changes, machine.take_regions())
}

type Product<K, V, T, E> = (Vec<Result<T, E>>, Vec<(K, Option<V>)>, Option<RegionChanges>);
