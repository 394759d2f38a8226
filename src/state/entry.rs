//! One versioned location. `loom-tests/state_entry.rs` explores it.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::{Cell, TxIndex};
use crate::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
    weakened,
};

/// How many waits in vain a location stays contended for after a conflict.
const CONTENDED: u32 = 2;
/// The same, at most, however many waits were worth it.
const MOST_CONTENDED: u32 = 8;

/// What a read finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<V> {
    /// The value as of all lower transactions that have published.
    Value(V),
    /// A lower transaction is known to write here and has not done so yet.
    Blocked(TxIndex),
    /// The value before the block is not known yet, and no lower transaction replaced it: ask the
    /// store, then [`Entry::fill`].
    Unknown,
}

/// A change by an uncommitted transaction.
struct Pending<C: Cell> {
    writer: TxIndex,
    estimate: bool,
    change: C::Change,
}

/// A versioned location: the committed value, and what uncommitted transactions did to it.
pub struct Entry<C: Cell> {
    inner: Mutex<Inner<C>>,
    /// How much the location is contended: raised when a change came too late for a reader, lowered
    /// when a reader waited in vain. A hint, read and written without an order.
    contended: AtomicU32,
}

struct Inner<C: Cell> {
    committed: Option<C::Value>,
    /// The value before the block; `Some` once a commit changed the location.
    base: Option<Box<C::Value>>,
    /// By writer. They leave in front, when they are committed.
    pending: VecDeque<Pending<C>>,
    /// How many of them are worth waiting for.
    weighty: usize,
    /// Who changed the committed value last.
    last_writer: Option<TxIndex>,
    readers: SmallVec<[TxIndex; 4]>,
    /// Transactions that wait for a rival here. They have read nothing, so no change is news to them.
    queue: Vec<TxIndex>,
}

impl<C: Cell> Default for Entry<C> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                committed: None,
                base: None,
                pending: VecDeque::new(),
                weighty: 0,
                last_writer: None,
                readers: SmallVec::new(),
                queue: Vec::new(),
            }),
            contended: AtomicU32::new(0),
        }
    }
}

impl<C: Cell> Inner<C> {
    /// Folds the changes below `reader` over the committed value.
    fn resolve(&self, reader: TxIndex) -> Read<C::Value> {
        let mut value: Option<C::Value> = None;
        for pending in &self.pending {
            if pending.writer >= reader {
                break;
            }
            if pending.estimate {
                if C::worth_waiting(&pending.change) {
                    return Read::Blocked(pending.writer);
                }
                continue;
            }
            if value.is_none() {
                match &self.committed {
                    Some(committed) => value = Some(committed.clone()),
                    None => return Read::Unknown,
                }
            }
            if let Some(value) = &mut value {
                C::apply(value, &pending.change);
            }
        }
        match value.or_else(|| self.committed.clone()) {
            Some(value) => Read::Value(value),
            None => Read::Unknown,
        }
    }

    fn position(&self, writer: TxIndex) -> Result<usize, usize> {
        // Nearly always the last, or the only one.
        match self.pending.back() {
            None => Err(0),
            Some(last) if last.writer < writer => Err(self.pending.len()),
            Some(last) if last.writer == writer => Ok(self.pending.len() - 1),
            Some(_) => self.pending.binary_search_by_key(&writer, |pending| pending.writer),
        }
    }

    /// Puts a change in its place, which is that of the writer's earlier one if there is such.
    fn put(&mut self, change: Pending<C>) {
        let weighs = usize::from(C::worth_waiting(&change.change));
        match self.position(change.writer) {
            Ok(at) => {
                self.weighty -= usize::from(C::worth_waiting(&self.pending[at].change));
                self.pending[at] = change;
            }
            Err(at) => self.pending.insert(at, change),
        }
        self.weighty += weighs;
    }

    /// Takes the writer's change out.
    fn take(&mut self, writer: TxIndex) -> Option<Pending<C>> {
        let at = self.position(writer).ok()?;
        let taken = self.pending.remove(at)?;
        self.weighty -= usize::from(C::worth_waiting(&taken.change));
        Some(taken)
    }

    /// Appends the readers above `writer` to `told`; says whether there are any.
    fn tell(&self, writer: TxIndex, told: &mut Vec<TxIndex>) -> bool {
        let before = told.len();
        told.extend(self.readers.iter().copied().filter(|reader| *reader > writer));
        told.len() > before
    }

    fn change_committed(&mut self, change: &C::Change)
    where
        C::Value: Default,
    {
        let mut value = self.committed.take().unwrap_or_default();
        if self.base.is_none() {
            self.base = Some(Box::new(value.clone()));
        }
        C::apply(&mut value, change);
        self.committed = Some(value);
    }
}

impl<C: Cell> Entry<C>
where
    C::Value: Default,
{
    /// Reads as transaction `reader`, which is told of later changes below it.
    pub fn read(&self, reader: TxIndex) -> Read<C::Value> {
        let mut inner = self.inner.lock();
        let read = inner.resolve(reader);
        if weakened("entry.reader-locked") {
            drop(inner);
            inner = self.inner.lock();
        }
        if matches!(read, Read::Value(_)) && inner.readers.last() != Some(&reader) {
            inner.readers.push(reader);
        }
        read
    }

    /// Reads as transaction `reader`, which is not told of later changes: for those that depend on
    /// the outcome of a check that hardly any change turns.
    pub fn peek(&self, reader: TxIndex) -> Read<C::Value> {
        self.inner.lock().resolve(reader)
    }

    /// The committed value, unless a pending change is worth waiting for. For those who predict what the
    /// other changes come to, and depend on a check that they hardly ever turn.
    pub fn glance(&self) -> Read<C::Value> {
        let inner = self.inner.lock();
        match (&inner.committed, inner.pending.front()) {
            (Some(_), Some(first)) if inner.weighty > 0 => Read::Blocked(first.writer),
            (Some(committed), _) => Read::Value(committed.clone()),
            (None, _) => Read::Unknown,
        }
    }

    /// Makes readers above `writer` wait for it before it has started. `change` stands for what it
    /// will write and is never applied; it says whether that is worth waiting for. Whoever hints
    /// withdraws the hint if `writer` turns out not to write here.
    pub fn hint(&self, writer: TxIndex, change: C::Change) {
        let mut inner = self.inner.lock();
        if inner.position(writer).is_err() {
            inner.put(Pending { writer, estimate: true, change });
        }
    }

    /// A lower transaction that has looked at this contended location and not published yet, so will
    /// probably change it: better to wait for it than to read what it is about to replace. The reader
    /// itself counts as having looked from now on, which puts later ones behind it.
    ///
    /// `waited` is the rival that the reader waited for before, if it did: whether that was in vain
    /// decides how long the location stays contended. Costs time if wrong, never correctness.
    pub fn rival(
        &self,
        reader: TxIndex,
        waited: Option<TxIndex>,
        has_published: impl Fn(TxIndex) -> bool,
    ) -> Option<TxIndex> {
        // Relaxed: statistics.
        let contended = self.contended.load(Ordering::Relaxed);
        if contended == 0 {
            return None;
        }
        let mut inner = self.inner.lock();
        if let Some(rival) = waited.filter(|rival| has_published(*rival)) {
            let wrote = inner.last_writer == Some(rival) || inner.position(rival).is_ok();
            let next = if wrote { (contended + 1).min(MOST_CONTENDED) } else { contended - 1 };
            self.contended.store(next, Ordering::Relaxed);
        }
        let looked = inner.readers.iter().chain(&inner.queue).copied();
        let rival = looked.filter(|other| *other < reader && !has_published(*other)).max();
        if rival.is_some() && !inner.queue.contains(&reader) {
            inner.queue.push(reader);
        }
        rival
    }

    /// Provides the value before the block, unless somebody else did or a commit replaced it. A change
    /// that builds on the value, such as a delta, is committed only after this.
    pub fn fill(&self, value: C::Value) {
        let mut inner = self.inner.lock();
        if inner.committed.is_none() || weakened("entry.fill-once") {
            inner.committed = Some(value);
        }
    }

    /// Whether the observation holds at the commit cursor: against the committed value, when every
    /// transaction below the reader has committed.
    pub fn holds(&self, seen: &C::Seen) -> bool {
        let inner = self.inner.lock();
        inner.committed.as_ref().is_some_and(|value| C::holds(value, seen))
    }

    /// Whether the observation may yet hold, going by what is published below `reader`. An estimate
    /// that stands in the way is no verdict: its writer will tell the reader when it publishes.
    pub fn may_hold(&self, reader: TxIndex, seen: &C::Seen) -> bool {
        match self.inner.lock().resolve(reader) {
            Read::Value(value) => C::may_hold(&value, seen),
            Read::Blocked(_) => true,
            Read::Unknown => false,
        }
    }

    /// Publishes a change, replacing the estimate of an earlier incarnation. Readers above `writer`
    /// are appended to `told`.
    pub fn publish(&self, writer: TxIndex, change: C::Change, told: &mut Vec<TxIndex>) {
        let mut inner = self.inner.lock();
        if C::worth_telling(&change) && !weakened("entry.publish-tells") {
            self.raise(inner.tell(writer, told));
        }
        inner.put(Pending { writer, estimate: false, change });
    }

    /// Notes whether a change came too late for a reader.
    fn raise(&self, too_late: bool) {
        if too_late && self.contended.load(Ordering::Relaxed) < CONTENDED {
            self.contended.store(CONTENDED, Ordering::Relaxed);
        }
    }

    /// Turns the writer's published change into an estimate.
    pub fn retract(&self, writer: TxIndex) {
        let mut inner = self.inner.lock();
        if let Ok(at) = inner.position(writer) {
            inner.pending[at].estimate = !weakened("entry.estimate");
        }
    }

    /// Removes what the writer's earlier incarnation left. Readers above are appended to `told`.
    pub fn withdraw(&self, writer: TxIndex, told: &mut Vec<TxIndex>) {
        let mut inner = self.inner.lock();
        if inner.take(writer).is_some() && !weakened("entry.withdraw-tells") {
            inner.tell(writer, told);
        }
    }

    /// Makes the writer's published change part of the committed value. Called by the commit step
    /// alone, in block order.
    pub fn commit(&self, writer: TxIndex) {
        let mut inner = self.inner.lock();
        debug_assert!(
            inner.pending.front().is_none_or(|first| first.writer >= writer),
            "a lower transaction is uncommitted"
        );
        if let Some(pending) = inner.take(writer) {
            debug_assert!(!pending.estimate, "an estimate is not a result");
            inner.change_committed(&pending.change);
            // Most locations are written once: the next ones find this memory warm. A location that
            // is written again keeps it.
            if inner.last_writer.is_none() && inner.pending.is_empty() {
                inner.pending = VecDeque::new();
            }
            inner.last_writer = Some(writer);
        }
        // Transactions up to the writer are done with this entry.
        inner.readers.retain(|reader| *reader > writer);
        inner.queue.retain(|reader| *reader > writer);
    }

    /// Applies a change at the commit cursor without publishing it first, and tells the readers.
    pub fn commit_change(&self, writer: TxIndex, change: &C::Change, told: &mut Vec<TxIndex>) {
        let mut inner = self.inner.lock();
        inner.take(writer);
        inner.change_committed(change);
        inner.last_writer = Some(writer);
        if C::worth_telling(change) {
            self.raise(inner.tell(writer, told));
        }
        inner.readers.retain(|reader| *reader > writer);
        inner.queue.retain(|reader| *reader > writer);
    }

    /// Sets what the location held before the block and what it holds now. For changes outside of
    /// any transaction, while none runs.
    pub fn replace(&self, base: C::Value, value: C::Value) {
        let mut inner = self.inner.lock();
        if inner.base.is_none() {
            inner.base = Some(Box::new(base));
        }
        inner.committed = Some(value);
    }

    /// Forgets that anything was changed: what is committed now counts as the value before the
    /// block.
    pub fn rebase(&self) {
        self.inner.lock().base = None;
    }

    /// The committed value, if known.
    pub fn committed(&self) -> Option<C::Value> {
        self.inner.lock().committed.clone()
    }

    /// Compares the value before the block with the committed one, if a commit changed the location.
    pub fn difference<T>(&self, compare: impl FnOnce(&C::Value, &C::Value) -> T) -> Option<T> {
        let inner = self.inner.lock();
        Some(compare(inner.base.as_ref()?, inner.committed.as_ref()?))
    }

    /// Looks at the committed value, if it is known.
    pub fn with_committed<T>(&self, look: impl FnOnce(&C::Value) -> T) -> Option<T> {
        self.inner.lock().committed.as_ref().map(look)
    }
}
