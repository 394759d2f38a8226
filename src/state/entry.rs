//! One versioned location. `loom-tests/state_entry.rs` explores it.
//!
//! ```text
//!  first     the value before the block: set once, read without the lock
//!  touched   up from before the first change is known of until the block ends
//!  inner     the lock: what is committed since, what is pending, who has looked
//! ```
//!
//! As long as nobody has touched an entry, its value is `first`, and whoever needs no more than that
//! does without the lock. To load `touched` before it goes up is to look before the change: a reader
//! that has to be told of changes takes the lock all the same, where it is put down in `readers`.
//! The commit step sees it up whenever a lower transaction has committed a change: one holder of the
//! cursor's token hands it to the next.
//!
//! Hardly any transaction changes what others read of a contract's account, and most of a block's
//! transactions read one of a few. So those readers are not put down
//! ([`Cell::hardly_changes`]): a lock and a list that all workers write to, for each call, to tell of
//! what the commit cursor finds as well. Those are who depend on what does change, and say so ([`Entry::read_noted`]).

use super::{Cell, Read, TxIndex, contention::Published, inner::Inner, line::Pending};
use crate::sync::{
    Mutex, OnceCell,
    atomic::{AtomicBool, Ordering},
    weakened,
};

/// A versioned location: the committed value, and what uncommitted transactions did to it.
///
/// In this order, for those who only read: what they look at, `first` to the readers in `inner`, is of a slot in two cache
/// lines, where it would be in four, and of an account in three.
#[repr(C, align(16))]
pub struct Entry<C: Cell> {
    /// The value before the block, from when it is known, or what a blind write found for it.
    first: OnceCell<C::Value>,
    pub(super) contention: Published,
    /// There is, or was, more to the entry than `first`. Goes up under the lock, and stays.
    touched: AtomicBool,
    /// Says nothing: written so that its cache line comes, which is that of the lock's word in three slots of four.
    wanted: AtomicBool,
    pub(super) inner: Mutex<Inner<C>>,
}

impl<C: Cell> Default for Entry<C> {
    fn default() -> Self {
        Self {
            first: OnceCell::new(),
            touched: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            contention: Published::default(),
            inner: Mutex::default(),
        }
    }
}

impl<C: Cell> Entry<C>
where
    C::Value: Default,
{
    /// The value, as long as it is known and nobody has touched the entry. Whoever goes by it is not told
    /// of the first change: the commit cursor finds those who did so too early.
    #[inline]
    pub fn untouched(&self) -> Option<&C::Value> {
        // Acquire, though nothing that was written before is read after it: see the module.
        if self.touched.load(Ordering::Acquire) { None } else { self.first.get() }
    }

    /// Has the processor get the first value and the line with the lock for a worker that will take that soon, from
    /// whichever core has it. A write is not waited for; to take the lock would be.
    #[inline]
    pub(super) fn get_ready(&self) {
        std::hint::black_box(self.first.get().is_some());
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Makes it known that there is more to the entry than its first value. Under the lock.
    fn touch(&self) {
        // Relaxed: written under the lock only.
        if !self.touched.load(Ordering::Relaxed) && !weakened("entry.touch") {
            self.touched.store(true, Ordering::Release);
        }
    }

    /// Applies a change to the committed value. A location of which nobody knows the value before
    /// the block is taken to have held the default: the change does not build on it.
    fn change_committed(&self, inner: &mut Inner<C>, change: &C::Change) {
        let value = match &mut inner.now {
            Some(value) => value,
            now => now.insert(self.first.get_or_init(C::Value::default).clone()),
        };
        C::apply(value, change);
    }

    /// Reads as transaction `reader`, which is told of later changes below it, unless the value is
    /// one that hardly changes.
    #[inline]
    pub fn read(&self, reader: TxIndex) -> Read<C::Value> {
        self.read_by(reader, C::Value::clone)
    }

    /// The same, for a reader with a way of its own to clone a value that hardly changes, as it was before
    /// the block: whatever such a value shares, most transactions clone.
    #[inline]
    pub fn read_by(
        &self,
        reader: TxIndex,
        clone: impl FnOnce(&C::Value) -> C::Value,
    ) -> Read<C::Value> {
        if !self.touched.load(Ordering::Acquire) {
            match self.first.get() {
                // The reader asks the store and looks again: whatever comes up meanwhile, it finds then.
                None => return Read::Unknown,
                Some(value) if C::hardly_changes(value) => return Read::Value(clone(value)),
                Some(_) => {}
            }
        }
        self.read_locked(reader, |value| !C::hardly_changes(value))
    }

    /// Reads as transaction `reader`, which is told of later changes whatever the value.
    pub fn read_noted(&self, reader: TxIndex) -> Read<C::Value> {
        if weakened("entry.noted") {
            return self.read(reader);
        }
        self.read_locked(reader, |_| true)
    }

    fn read_locked(
        &self,
        reader: TxIndex,
        is_told: impl FnOnce(&C::Value) -> bool,
    ) -> Read<C::Value> {
        let mut inner = self.inner.lock();
        // Relaxed: written under the lock only. What nobody has touched is not looked for in the rest of the entry,
        // which another core may have.
        let read = match self.touched.load(Ordering::Relaxed) {
            true => inner.resolve(self.first.get(), reader),
            false => self.first.get().map_or(Read::Unknown, |value| Read::Value(value.clone())),
        };
        if weakened("entry.reader-locked") {
            drop(inner);
            inner = self.inner.lock();
        }
        if let Read::Value(value) = &read
            && inner.readers.last() != Some(&reader)
            && is_told(value)
        {
            inner.readers.push(reader);
        }
        read
    }

    /// Reads as transaction `reader`, which is not told of later changes: for those that depend on
    /// the outcome of a check that hardly any change turns.
    pub fn peek(&self, reader: TxIndex) -> Read<C::Value> {
        match self.untouched() {
            Some(value) => Read::Value(value.clone()),
            None => self.inner.lock().resolve(self.first.get(), reader),
        }
    }

    /// The committed value, unless a pending change is worth waiting for. For those who predict what the
    /// other changes come to, and depend on a check that they hardly ever turn.
    pub fn glance(&self) -> Read<C::Value> {
        if let Some(value) = self.untouched() {
            return Read::Value(value.clone());
        }
        let inner = self.inner.lock();
        match (inner.now.as_ref().or(self.first.get()), inner.pending.first()) {
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
        if !inner.pending.has(writer) {
            self.touch();
            inner.put(Pending { writer, estimate: true, change });
        }
    }

    /// Provides the value before the block, unless somebody else did or a commit replaced it. A change
    /// that builds on the value, such as a delta, is committed only after this.
    pub fn fill(&self, value: C::Value) {
        if weakened("entry.fill-once") {
            self.inner.lock().now = Some(value.clone());
        }
        // Somebody else's is the same value; a commit's default stands for one nobody asked for.
        let _ = self.first.set(value);
    }

    /// Whether the observation holds at the commit cursor: against the committed value, when every
    /// transaction below the reader has committed.
    pub fn holds(&self, seen: &C::Seen) -> bool {
        self.with_committed(|value| C::holds(value, seen)).unwrap_or(false)
    }

    /// Whether the observation may yet hold, going by what is published below `reader`. An estimate
    /// that stands in the way is no verdict: its writer will tell the reader when it publishes.
    pub fn may_hold(&self, reader: TxIndex, seen: &C::Seen) -> bool {
        if let Some(value) = self.untouched() {
            return C::may_hold(value, seen);
        }
        match self.inner.lock().resolve(self.first.get(), reader) {
            Read::Value(value) => C::may_hold(&value, seen),
            Read::Blocked(_) => true,
            Read::Unknown => false,
        }
    }

    /// Publishes a change, replacing the estimate of an earlier incarnation. Readers above `writer`
    /// are appended to `told`.
    pub fn publish(&self, writer: TxIndex, change: C::Change, told: &mut Vec<TxIndex>) {
        let mut inner = self.inner.lock();
        self.touch();
        if C::worth_telling(&change) && !weakened("entry.publish-tells") {
            self.tell(&mut inner, writer, told);
        }
        inner.put(Pending { writer, estimate: false, change });
    }

    /// Tells those for whom the change came too late.
    fn tell(&self, inner: &mut Inner<C>, writer: TxIndex, told: &mut Vec<TxIndex>) {
        if inner.tell(writer, told) {
            let next = inner.contention.came_too_late();
            self.contention.change(&mut inner.contention, next);
        }
    }

    /// Turns the writer's published change into an estimate.
    pub fn retract(&self, writer: TxIndex) {
        let mut inner = self.inner.lock();
        if let Some(published) = inner.pending.get_mut(writer) {
            published.estimate = !weakened("entry.estimate");
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
    /// alone, in block order. Who need wait here no longer is appended to `told`.
    pub fn commit(&self, writer: TxIndex, told: &mut Vec<TxIndex>) {
        let mut inner = self.inner.lock();
        debug_assert!(
            inner.pending.first().is_none_or(|first| first.writer >= writer),
            "a lower transaction is uncommitted"
        );
        if let Some(pending) = inner.take(writer) {
            debug_assert!(!pending.estimate, "an estimate is not a result");
            self.change_committed(&mut inner, &pending.change);
            self.note_change(&mut inner, writer, told);
        }
        inner.leave(writer);
    }

    /// Applies a change at the commit cursor without publishing it first, and tells the readers.
    pub fn commit_change(&self, writer: TxIndex, change: &C::Change, told: &mut Vec<TxIndex>) {
        self.commit_to(&mut self.inner.lock(), writer, change, told);
    }

    /// The same, with what `decide` makes of the committed value. `false`: nothing, or it is not known.
    #[must_use]
    pub fn commit_if(
        &self,
        writer: TxIndex,
        told: &mut Vec<TxIndex>,
        decide: impl FnOnce(&C::Value) -> Option<C::Change>,
    ) -> bool {
        let mut inner = self.inner.lock();
        let change = inner.now.as_ref().or(self.first.get()).and_then(decide);
        if let Some(change) = &change {
            self.commit_to(&mut inner, writer, change, told);
        }
        change.is_some()
    }

    fn commit_to(
        &self,
        inner: &mut Inner<C>,
        writer: TxIndex,
        change: &C::Change,
        told: &mut Vec<TxIndex>,
    ) {
        self.touch();
        inner.take(writer);
        self.change_committed(inner, change);
        self.note_change(inner, writer, told);
        if C::worth_telling(change) && !weakened("entry.commit-tells") {
            self.tell(inner, writer, told);
        }
        inner.leave(writer);
    }

    /// Sets what the location held before the block, unless that is known, and what it holds now. For
    /// changes outside of any transaction, while none runs. Where nobody will ask for it, `base` may be anything.
    pub fn replace(&self, base: C::Value, value: C::Value) {
        let mut inner = self.inner.lock();
        self.touch();
        let _ = self.first.set(base);
        inner.now = Some(value);
    }

    /// Forgets that anything was changed: what is committed now counts as the value before the
    /// block.
    pub fn rebase(&self) {
        let mut inner = self.inner.lock();
        inner.rare.get_or_insert_default().rebased = inner.now.clone();
    }

    /// The committed value, if known.
    pub fn committed(&self) -> Option<C::Value> {
        self.with_committed(C::Value::clone)
    }

    /// Compares the value before the block with the committed one, if a commit changed the location.
    pub fn difference<T>(&self, compare: impl FnOnce(&C::Value, &C::Value) -> T) -> Option<T> {
        if self.untouched().is_some() {
            return None;
        }
        let inner = self.inner.lock();
        let rebased = inner.rare.as_ref().and_then(|rare| rare.rebased.as_ref());
        let base = rebased.or(self.first.get())?;
        Some(compare(base, inner.now.as_ref()?))
    }

    /// Looks at the committed value, if it is known.
    pub fn with_committed<T>(&self, look: impl FnOnce(&C::Value) -> T) -> Option<T> {
        // As in `untouched`: what nobody has touched has no other value, and if that is not known, none.
        if !self.touched.load(Ordering::Acquire) {
            return self.first.get().map(look);
        }
        let inner = self.inner.lock();
        inner.now.as_ref().or(self.first.get()).map(look)
    }
}
