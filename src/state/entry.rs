//! One versioned location. `loom-tests/state_entry.rs` explores it.

use smallvec::SmallVec;

use super::{Cell, TxIndex};
use crate::sync::{Mutex, weakened};

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
}

struct Inner<C: Cell> {
    committed: Option<C::Value>,
    /// The value before the block; `Some` once a commit changed the location.
    base: Option<Box<C::Value>>,
    pending: Vec<Pending<C>>,
    readers: SmallVec<[TxIndex; 4]>,
}

impl<C: Cell> Default for Entry<C> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                committed: None,
                base: None,
                pending: Vec::new(),
                readers: SmallVec::new(),
            }),
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
        match self.pending.last() {
            None => Err(0),
            Some(last) if last.writer < writer => Err(self.pending.len()),
            Some(last) if last.writer == writer => Ok(self.pending.len() - 1),
            Some(_) => self.pending.binary_search_by_key(&writer, |pending| pending.writer),
        }
    }

    fn tell(&self, writer: TxIndex, told: &mut Vec<TxIndex>) {
        told.extend(self.readers.iter().copied().filter(|reader| *reader > writer));
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

    /// Makes readers above `writer` wait for it before it has started. `change` stands for what it
    /// will write and is never applied; it says whether that is worth waiting for. Whoever hints
    /// withdraws the hint if `writer` turns out not to write here.
    pub fn hint(&self, writer: TxIndex, change: C::Change) {
        let mut inner = self.inner.lock();
        if let Err(at) = inner.position(writer) {
            inner.pending.insert(at, Pending { writer, estimate: true, change });
        }
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
            inner.tell(writer, told);
        }
        let pending = Pending { writer, estimate: false, change };
        match inner.position(writer) {
            Ok(at) => inner.pending[at] = pending,
            Err(at) => inner.pending.insert(at, pending),
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
        if let Ok(at) = inner.position(writer) {
            inner.pending.remove(at);
            if !weakened("entry.withdraw-tells") {
                inner.tell(writer, told);
            }
        }
    }

    /// Makes the writer's published change part of the committed value. Called by the commit step
    /// alone, in block order.
    pub fn commit(&self, writer: TxIndex) {
        let mut inner = self.inner.lock();
        if let Ok(at) = inner.position(writer) {
            let pending = inner.pending.remove(at);
            debug_assert_eq!(at, 0, "a lower transaction is uncommitted");
            debug_assert!(!pending.estimate, "an estimate is not a result");
            inner.change_committed(&pending.change);
        }
        // Transactions up to the writer are done with this entry.
        inner.readers.retain(|reader| *reader > writer);
    }

    /// Applies a change at the commit cursor without publishing it first, and tells the readers.
    pub fn commit_change(&self, writer: TxIndex, change: &C::Change, told: &mut Vec<TxIndex>) {
        let mut inner = self.inner.lock();
        if let Ok(at) = inner.position(writer) {
            inner.pending.remove(at);
        }
        inner.change_committed(change);
        if C::worth_telling(change) {
            inner.tell(writer, told);
        }
        inner.readers.retain(|reader| *reader > writer);
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
