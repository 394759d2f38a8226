//! Transactions that call the same contract, and whether that makes them wait for one another.
//!
//! Most transactions to one contract do not conflict, or conflict only now and then, and run side by
//! side. Where incarnations keep being thrown away, running them so wastes more than it gains: then
//! the group goes in line for a while, each transaction starting when the one before it has
//! published. What is learned holds for the block; it decides when a transaction runs, never what
//! it results in.

use alloy_primitives::{
    TxKind,
    map::{AddressMap, Entry},
};

use crate::{
    evm::Block,
    state::TxIndex,
    sync::atomic::{AtomicU32, Ordering},
};

/// An abort puts a group in line for this many commits at first; each further one for twice as many,
/// up to [`MOST_PENALTY`]. A pool that every transaction trades on is soon in line for good but for
/// one probe in 64, a token whose holders meet once in a while loses next to nothing.
const LEAST_PENALTY: u32 = 2;
const MOST_PENALTY: u32 = 64;
/// Commits side by side after which the penalty is halved.
const FORGIVEN_AFTER: u32 = 16;

/// The groups of a block.
pub(crate) struct Rivals {
    /// Group of each transaction, and the one before it in the group.
    members: Box<[(u32, Option<TxIndex>)]>,
    groups: Box<[Group]>,
}

struct Group {
    /// Commits until members run side by side again.
    in_line: AtomicU32,
    /// For how many commits the next abort puts the group in line.
    penalty: AtomicU32,
    /// Commits side by side since the last abort.
    clean: AtomicU32,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            in_line: AtomicU32::new(0),
            penalty: AtomicU32::new(LEAST_PENALTY),
            clean: AtomicU32::new(0),
        }
    }
}

impl Rivals {
    pub(crate) fn of(block: &Block) -> Self {
        let count = block.transactions.len();
        let mut last: AddressMap<(u32, TxIndex)> =
            AddressMap::with_capacity_and_hasher(count, Default::default());
        let mut groups = 0;
        let members = block.transactions.iter().enumerate().map(|(at, tx)| {
            let TxKind::Call(to) = tx.env.kind else { return (u32::MAX, None) };
            let at = TxIndex(at as u32);
            match last.entry(to) {
                Entry::Occupied(mut entry) => {
                    let (group, before) = *entry.get();
                    entry.insert((group, at));
                    (group, Some(before))
                }
                Entry::Vacant(entry) => {
                    entry.insert((groups, at));
                    groups += 1;
                    (groups - 1, None)
                }
            }
        });
        let members = members.collect();
        Self { members, groups: (0..groups).map(|_| Group::default()).collect() }
    }

    /// The transaction that `tx` should let go first, if its group conflicts often.
    pub(crate) fn let_first(&self, tx: TxIndex) -> Option<TxIndex> {
        let (group, before) = self.members[tx.get()];
        let before = before?;
        let group = self.groups.get(group as usize)?;
        (group.in_line.load(Ordering::Relaxed) > 0).then_some(before)
    }

    /// An incarnation of `tx` was thrown away.
    pub(crate) fn aborted(&self, tx: TxIndex) {
        let Some(group) = self.groups.get(self.members[tx.get()].0 as usize) else { return };
        // Relaxed, and read and written apart: statistics, on which no result depends.
        let penalty = group.penalty.load(Ordering::Relaxed);
        group.in_line.store(penalty, Ordering::Relaxed);
        group.penalty.store((penalty * 2).min(MOST_PENALTY), Ordering::Relaxed);
        group.clean.store(0, Ordering::Relaxed);
    }

    /// `tx` was committed.
    pub(crate) fn committed(&self, tx: TxIndex) {
        let Some(group) = self.groups.get(self.members[tx.get()].0 as usize) else { return };
        let in_line = group.in_line.load(Ordering::Relaxed);
        if in_line > 0 {
            group.in_line.store(in_line - 1, Ordering::Relaxed);
            return;
        }
        let clean = group.clean.load(Ordering::Relaxed) + 1;
        if clean >= FORGIVEN_AFTER {
            let penalty = group.penalty.load(Ordering::Relaxed) / 2;
            group.penalty.store(penalty.max(LEAST_PENALTY), Ordering::Relaxed);
        }
        group.clean.store(clean % FORGIVEN_AFTER, Ordering::Relaxed);
    }
}
