//! What the lock of an entry guards: the committed value, and the changes on top of it.

use smallvec::SmallVec;

use super::{
    Cell, TxIndex,
    contention::{Contention, MOST_LOOKS},
    line::{Line, Pending},
};

/// What a read finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<V> {
    /// The value as of all lower transactions that have published.
    Value(V),
    /// A lower transaction is known to write here and has not done so yet.
    Blocked(TxIndex),
    /// The value before the block is not known yet, and no lower transaction replaced it: ask the
    /// store, then [`Entry::fill`](super::Entry::fill).
    Unknown,
}

/// What the lock of an entry guards.
///
/// All but what is rare stands in the entry, though most locations are only read: with the changes in a box of
/// their own, an entry of a slot took 128 bytes instead of 224 (192 now), and blocks took 2 % longer on one worker
/// (ERC-20 transfers 5 %), since to make the box costs more than to pass over its place.
///
/// In this order: see `Entry`.
#[repr(C)]
pub(super) struct Inner<C: Cell> {
    pub(super) readers: SmallVec<[TxIndex; 4]>,
    /// Whether to wait for others who look.
    pub(super) contention: Contention,
    /// How many of the changes that are not committed are worth waiting for.
    pub(super) weighty: u32,
    /// Who changed the committed value last.
    pub(super) last_writer: Option<TxIndex>,
    /// What is not committed yet.
    pub(super) pending: Line<C>,
    /// The committed value, once a commit changed it.
    pub(super) now: Option<C::Value>,
    /// What few entries have: apart, because a block has many entries.
    pub(super) rare: Option<Box<Rare<C>>>,
}

/// What few entries have.
pub(super) struct Rare<C: Cell> {
    /// What counts as the value before the block, if that is not `first`.
    pub(super) rebased: Option<C::Value>,
    /// Transactions that wait for a rival here. They have read nothing, so no change is news to them.
    pub(super) queue: Vec<TxIndex>,
}

impl<C: Cell> Default for Rare<C> {
    fn default() -> Self {
        Self { rebased: None, queue: Vec::new() }
    }
}

impl<C: Cell> Default for Inner<C> {
    fn default() -> Self {
        Self {
            now: None,
            pending: Line::default(),
            weighty: 0,
            contention: Contention::default(),
            last_writer: None,
            readers: SmallVec::new(),
            rare: None,
        }
    }
}

impl<C: Cell> Inner<C> {
    /// Folds the changes below `reader` over the committed value, which is `first` if no commit
    /// changed it.
    pub(super) fn resolve(&self, first: Option<&C::Value>, reader: TxIndex) -> Read<C::Value> {
        let committed = self.now.as_ref().or(first);
        if self.pending.is_empty() {
            return committed.map_or(Read::Unknown, |value| Read::Value(value.clone()));
        }
        let mut value: Option<C::Value> = None;
        for pending in self.pending.iter() {
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
                match committed {
                    Some(committed) => value = Some(committed.clone()),
                    None => return Read::Unknown,
                }
            }
            if let Some(value) = &mut value {
                C::apply(value, &pending.change);
            }
        }
        match value.or_else(|| committed.cloned()) {
            Some(value) => Read::Value(value),
            None => Read::Unknown,
        }
    }

    /// Puts a change in its place, which is that of the writer's earlier one if there is such.
    pub(super) fn put(&mut self, change: Pending<C>) {
        self.weighty += u32::from(C::worth_waiting(&change.change));
        if let Some(earlier) = self.pending.put(change) {
            self.weighty -= u32::from(C::worth_waiting(&earlier.change));
        }
    }

    /// Takes the writer's change out.
    pub(super) fn take(&mut self, writer: TxIndex) -> Option<Pending<C>> {
        let taken = self.pending.take(writer)?;
        self.weighty -= u32::from(C::worth_waiting(&taken.change));
        Some(taken)
    }

    /// How many transactions up to `committed` have looked at this entry since others left it, as far as
    /// that matters. Who has run again is there more than once, and counts once.
    pub(super) fn looks(&self, committed: TxIndex) -> usize {
        let mut met = SmallVec::<[TxIndex; MOST_LOOKS]>::new();
        for reader in self.readers.iter().filter(|reader| **reader <= committed) {
            if !met.contains(reader) {
                met.push(*reader);
            }
            if met.len() == MOST_LOOKS {
                break;
            }
        }
        met.len()
    }

    /// Transactions up to `committed` are done with this entry.
    pub(super) fn leave(&mut self, committed: TxIndex) {
        match self.readers.as_slice() {
            // Nearly always nobody else has looked.
            [] => {}
            [only] if *only <= committed => self.readers.clear(),
            _ => self.readers.retain(|reader| *reader > committed),
        }
        if let Some(rare) = &mut self.rare {
            rare.queue.retain(|reader| *reader > committed);
        }
    }

    /// Appends the readers above `writer` to `told`; says whether there are any.
    pub(super) fn tell(&self, writer: TxIndex, told: &mut Vec<TxIndex>) -> bool {
        let before = told.len();
        told.extend(self.readers.iter().copied().filter(|reader| *reader > writer));
        told.len() > before
    }
}
