//! One closure after another on the calling thread: the reference, and the direct path.

use std::{
    cell::RefCell,
    rc::Rc,
    task::{Poll, Waker},
};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{
    Base, BlockError, Ended, Key, Outcome, PartialOutcome, Statistics, Transaction, Value,
    cell::Interest,
    overlay::{Overlay, Touched},
    task::{End, Ending, Task},
    view::{Found, Stop, World},
};
use crate::{
    context::{Control, StopReason},
    engine::{Alone, Conduct, SharedMemory},
    region::{self, Session, direct::DirectRegions, sidecar::Sidecar},
    state::EntryId,
    sync::Arc,
};

/// Executes a block one transaction after another on the calling thread, which sleeps while a
/// closure waits for something outside. This is what "the sequential result" means.
///
/// # Errors
///
/// [`BlockError`] if a closure panics or the base fails.
pub fn execute_sequential<K, V, T, E>(
    block: &[Transaction<K, V, T, E>],
    base: impl Base<K, V> + 'static,
) -> Result<Outcome<K, V, T, E>, BlockError>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    execute_sequential_with(block, base, &SharedMemory::off())
}

/// The same, with shared memory. Its regions stay as they are: the outcome says what changes.
///
/// # Errors
///
/// [`BlockError`] if a closure panics, the base fails, or too much is attached.
pub fn execute_sequential_with<K, V, T, E>(
    block: &[Transaction<K, V, T, E>],
    base: impl Base<K, V> + 'static,
    memory: &SharedMemory,
) -> Result<Outcome<K, V, T, E>, BlockError>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    let ended = execute_direct(block, base, memory, &Conduct::default());
    ended.map_err(BlockError::without_committed)
}

/// The same, until somebody stops it.
pub(super) fn execute_direct<K, V, T, E>(
    block: &[Transaction<K, V, T, E>],
    base: impl Base<K, V> + 'static,
    memory: &SharedMemory,
    conduct: &Conduct<Result<T, E>>,
) -> Ended<K, V, T, E>
where
    K: Key,
    V: Value,
    T: Send + 'static,
    E: Send + 'static,
{
    check_sidecars(block, memory).map_err(BlockError::without_committed)?;
    let regions = memory.begin_direct(memory.next_block());
    let alone = Alone::new();
    conduct.attach(&alone, |limit| alone.limit_commits(limit));
    let state = Rc::new(RefCell::new(State {
        known: HashMap::default(),
        written: Vec::new(),
        base,
        regions,
        control: conduct.control.clone(),
    }));
    let waker = Waker::from(alone.clone());
    let mut results = Vec::with_capacity(block.len());
    for (index, transaction) in block.iter().enumerate() {
        if let Some(regions) = &mut state.borrow_mut().regions {
            regions.attach_to_transaction(transaction.sidecars());
        }
        let world = Box::new(Before(state.clone()));
        let mut task = Task::new(transaction, index, world, waker.clone());
        let end = loop {
            match task.poll() {
                Poll::Ready(end) => break Some(end),
                Poll::Pending if alone.stopped().is_some() => break None,
                Poll::Pending => alone.wait(),
            }
        };
        task.retire();
        if let Err(reason) = alone.wait_to_commit(index) {
            return Err(stopped_with(reason, conduct, &state, results));
        }
        match end {
            Some(End::Finished(overlay, effects, Ending::Returned(result))) => {
                let mut state = state.borrow_mut();
                state.apply(overlay);
                if let (Some(regions), Some(effects)) = (&mut state.regions, effects) {
                    regions.apply(*effects);
                }
                if let Some(feed) = &conduct.feed {
                    feed.push(&result);
                }
                results.push(result);
            }
            Some(End::Finished(_, _, Ending::Panic(message))) => {
                return Err(BlockError::Panic { index, message });
            }
            Some(End::Finished(_, _, Ending::Base(key, source))) => {
                return Err(BlockError::Base { index, key, source });
            }
            Some(End::Finished(_, _, Ending::Shared(reason))) => {
                return Err(BlockError::SharedMemory { index, reason });
            }
            Some(End::Abandoned(_)) | None => {
                unreachable!("nothing changes under a lone transaction that is not stopped")
            }
        }
    }
    let changes = state.borrow_mut().take_changes();
    let regions = state.borrow_mut().regions.take().map(DirectRegions::finish);
    let incarnations = results.len() as u64;
    let statistics = Statistics { threads: 1, incarnations, ..Statistics::default() };
    Ok(Outcome { results, changes, regions, statistics })
}

/// The error of a block that was stopped after so many results.
fn stopped_with<K: Key, V: Value, T, E, B: Base<K, V>>(
    reason: StopReason,
    conduct: &Conduct<Result<T, E>>,
    state: &RefCell<State<K, V, B>>,
    results: Vec<Result<T, E>>,
) -> BlockError<PartialOutcome<K, V, T, E>> {
    let committed = conduct.keep_committed.then(|| {
        let mut state = state.borrow_mut();
        let regions = state.regions.take().map(DirectRegions::finish);
        PartialOutcome { results, changes: state.take_changes(), regions }
    });
    BlockError::stopped(reason, committed)
}

/// The state between two transactions.
struct State<K, V, B> {
    known: HashMap<K, Known<V>, RandomState>,
    /// Keys in the order of their first write.
    written: Vec<K>,
    base: B,
    regions: Option<DirectRegions>,
    control: Option<Arc<Control>>,
}

struct Known<V> {
    value: Option<V>,
    written: bool,
}

impl<K: Key, V: Value, B: Base<K, V>> State<K, V, B> {
    fn read(&mut self, key: &K) -> Found<V> {
        if let Some(known) = self.known.get(key) {
            return Found::Value(None, known.value.clone());
        }
        match self.base.get(key) {
            Ok(value) => {
                self.known.insert(key.clone(), Known { value: value.clone(), written: false });
                Found::Value(None, value)
            }
            Err(error) => Found::Stop(Stop::Base(format!("{key:?}"), error)),
        }
    }

    fn apply(&mut self, overlay: Overlay<K, V>) {
        for Touched { key, write, .. } in overlay.into_touched() {
            let Some(write) = write else { continue };
            let known =
                self.known.entry_ref(&key).or_insert_with(|| Known { value: None, written: false });
            write.apply(&mut known.value);
            if !std::mem::replace(&mut known.written, true) {
                self.written.push(key);
            }
        }
    }

    fn take_changes(&mut self) -> Vec<(K, Option<V>)> {
        let keys = std::mem::take(&mut self.written).into_iter();
        keys.map(|key| {
            let value = self.known.remove(&key).and_then(|known| known.value);
            (key, value)
        })
        .collect()
    }
}

/// The effects of all transactions before the one that runs.
struct Before<K, V, B>(Rc<RefCell<State<K, V, B>>>);

impl<K: Key, V: Value, B: Base<K, V>> World<K, V> for Before<K, V, B> {
    fn check(&self, _: &Overlay<K, V>, _: Option<&Session>) -> Option<Stop> {
        let state = self.0.borrow();
        let raised = state.control.as_ref().is_some_and(|control| control.is_raised());
        raised.then_some(Stop::Cancelled)
    }

    fn read(&self, key: &K, _: Option<EntryId>, _: Interest<V>) -> Found<V> {
        self.0.borrow_mut().read(key)
    }

    fn session(&self) -> Option<Session> {
        self.0.borrow().regions.as_ref().map(|regions| regions.session(0))
    }

    fn with_regions(
        &self,
        _: &Waker,
        f: &mut dyn FnMut(&mut dyn region::world::World),
    ) -> Option<Stop> {
        let mut state = self.0.borrow_mut();
        let regions = state.regions.as_mut()?;
        f(regions);
        regions.take_fault().map(|fault| Stop::Shared(fault.into()))
    }
}

/// Refuses a block that has more attached than the chain allows.
pub(super) fn check_sidecars<K: Key, V: Value, T: 'static, E: 'static>(
    block: &[Transaction<K, V, T, E>],
    memory: &SharedMemory,
) -> Result<(), BlockError> {
    let chain = &memory.config().chain;
    for (index, transaction) in block.iter().enumerate() {
        let (count, size) = (chain.max_sidecars, chain.max_sidecar_size);
        Sidecar::check(transaction.sidecars(), count, size)
            .map_err(|source| BlockError::Sidecar { index, source })?;
    }
    Ok(())
}
