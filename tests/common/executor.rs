//! Executors of blocks side by side, and what it means that they agree.

// Each test binary uses what it needs of this module.
#![allow(dead_code)]
// A test may start threads of its own.
#![allow(clippy::disallowed_methods)]

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use chorus::{
    evm::{
        Block, BlockError, BlockOutcome, Engine, ExecuteOptions, InvalidPolicy, Path, Sequential,
        StateStore,
    },
    store::MemoryStore,
};

/// Whatever executes a block.
pub(crate) trait Executor {
    /// For messages.
    fn name(&self) -> String;

    /// Executes the block over the state.
    fn execute(
        &mut self,
        block: &Arc<Block>,
        store: &Arc<MemoryStore>,
        policy: InvalidPolicy,
    ) -> Result<BlockOutcome, BlockError>;
}

/// A name and a closure make an executor.
impl<F> Executor for (&str, F)
where
    F: FnMut(&Arc<Block>, &Arc<MemoryStore>, InvalidPolicy) -> Result<BlockOutcome, BlockError>,
{
    fn name(&self) -> String {
        self.0.into()
    }

    fn execute(
        &mut self,
        block: &Arc<Block>,
        store: &Arc<MemoryStore>,
        policy: InvalidPolicy,
    ) -> Result<BlockOutcome, BlockError> {
        (self.1)(block, store, policy)
    }
}

/// The reference.
pub(crate) fn sequential() -> impl Executor {
    ("sequential", |block: &Arc<Block>, store: &Arc<MemoryStore>, policy| {
        Sequential::new().execute(block, store.as_ref(), policy)
    })
}

/// How long a block may take. It takes milliseconds; what takes this long waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Engines that are held to their parallel path, for the whole block or a part of it.
pub(crate) struct Parallel {
    threads: usize,
    window: u32,
    /// How many transactions go before that, and where it ends.
    part: Option<(usize, u32)>,
    /// Their policies are part of how engines are built: leave out, fail.
    engines: [Arc<Engine>; 2],
}

impl Parallel {
    pub(crate) fn new(threads: usize, window: u32) -> Self {
        let builder = Engine::builder().threads(threads).window(window).path(Path::Parallel);
        let engines = [InvalidPolicy::Skip, InvalidPolicy::Fail].map(|policy| {
            let engine = builder.clone().policy(policy).build();
            Arc::new(engine.expect("the workers start"))
        });
        Self { threads, window, part: None, engines }
    }

    /// Engines that change from one path to the other after so many transactions, and back at `end`.
    pub(crate) fn in_parts(threads: usize, window: u32, head: usize, end: u32) -> Self {
        Self { part: Some((head, end)), ..Self::new(threads, window) }
    }
}

impl Executor for Parallel {
    fn name(&self) -> String {
        let part = self.part.map(|part| format!(", in parts {part:?}")).unwrap_or_default();
        format!("parallel, {} threads, window {}{part}", self.threads, self.window)
    }

    /// A block that never ends is told as a panic that says so, to be shrunk like any failure.
    fn execute(
        &mut self,
        block: &Arc<Block>,
        store: &Arc<MemoryStore>,
        policy: InvalidPolicy,
    ) -> Result<BlockOutcome, BlockError> {
        let engine = self.engines[usize::from(policy == InvalidPolicy::Fail)].clone();
        let (block, store, part) = (block.clone(), store.clone(), self.part);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let store: Arc<dyn StateStore> = store;
            let options = ExecuteOptions::new();
            _ = sender.send(match part {
                None => engine.execute(&block, &store),
                Some((head, end)) => engine.execute_in_parts(&block, &store, head, end, options),
            });
        });
        receiver.recv_timeout(PATIENCE).unwrap_or_else(|reason| {
            // This engine is lost, with its threads; the next block gets new ones.
            let new = Self { part: self.part, ..Self::new(self.threads, self.window) };
            let lost = std::mem::replace(self, new);
            std::mem::forget(lost);
            let message = match reason {
                RecvTimeoutError::Timeout => format!("no end after {PATIENCE:?}"),
                RecvTimeoutError::Disconnected => "the engine itself panicked".into(),
            };
            Err(BlockError::Panic { index: usize::MAX, message })
        })
    }
}

/// Says where two outcomes differ first, if they do. How they came about does not count.
pub(crate) fn difference(
    expected: &Result<BlockOutcome, BlockError>,
    actual: &Result<BlockOutcome, BlockError>,
) -> Option<String> {
    let (expected, actual) = match (expected, actual) {
        (Ok(expected), Ok(actual)) => (expected, actual),
        (Err(expected), Err(actual)) if expected == actual => return None,
        (expected, actual) => {
            let brief = |result: &Result<BlockOutcome, BlockError>| match result {
                Ok(outcome) => format!("an outcome with {} gas", outcome.gas_used),
                Err(error) => format!("the error {error:?}"),
            };
            return Some(format!("expected {}, found {}", brief(expected), brief(actual)));
        }
    };
    first_difference("transaction", &expected.transactions, &actual.transactions)
        .or_else(|| first_difference("account", &expected.diff.accounts, &actual.diff.accounts))
        .or_else(|| first_difference("request", &expected.requests, &actual.requests))
        .or_else(|| {
            let sums = |outcome: &BlockOutcome| (outcome.gas_used, outcome.blob_gas_used);
            let (expected, actual) = (sums(expected), sums(actual));
            (expected != actual).then(|| format!("gas and blob gas: {expected:?}, {actual:?}"))
        })
}

fn first_difference<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &[T],
    actual: &[T],
) -> Option<String> {
    let longest = expected.len().max(actual.len());
    let i = (0..longest).find(|&i| expected.get(i) != actual.get(i))?;
    let show = |list: &[T]| list.get(i).map_or("nothing".into(), |item| format!("{item:#?}"));
    Some(format!("{what} {i}\nexpected: {}\nfound: {}", show(expected), show(actual)))
}
