//! The façade for blocks of closures: build it once, execute blocks.

use std::{fmt, marker::PhantomData};

use super::{
    Base, BlockError, Key, Outcome, Statistics, Transaction, Value,
    direct::{check_sidecars, execute_sequential_with},
    machine::NativeMachine,
};
use crate::{
    context::Run,
    engine::{EngineError, Path, SharedMemory, WorkerPool},
    sync::{Arc, thread},
};

type Block<K, V, T, E> = fn() -> Transaction<K, V, T, E>;

/// Configures an [`Engine`].
pub struct EngineBuilder<K, V, T, E> {
    threads: usize,
    window: u32,
    path: Path,
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
        let pool = WorkerPool::new(if self.path == Path::Direct { 1 } else { self.threads })?;
        Ok(Engine { pool, config: self })
    }
}

impl<K, V, T, E> fmt::Debug for EngineBuilder<K, V, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("threads", &self.threads)
            .field("window", &self.window)
            .field("path", &self.path)
            .finish()
    }
}

/// Executes blocks of closures that take a [`View`](super::View) of keys `K` and values `V` and
/// return a `Result<T, E>`. Workers start with it and end with it.
pub struct Engine<K, V, T, E>
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
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
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
        EngineBuilder { threads, window: 256, path: Path::Auto, memory, block: PhantomData }
    }

    /// The regions that closures share.
    #[must_use]
    pub fn shared_memory(&self) -> &Arc<SharedMemory> {
        &self.config.memory
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
        if self.goes_direct(block.len()) {
            return execute_sequential_with(block, base, &self.config.memory);
        }
        check_sidecars(block, &self.config.memory)?;
        let memory = &self.config.memory;
        let shared = memory.begin_parallel(memory.next_block(), Arc::new([]));
        let machine = NativeMachine::new(block, Arc::new(base), shared);
        let run = Arc::new(Run::new(machine, self.pool.workers(), self.config.window));
        self.pool.execute(&run);
        if let Some(error) = run.take_error() {
            return Err(error);
        }
        let (results, changes) = run.machine.take_product();
        let regions = run.machine.take_regions();
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
