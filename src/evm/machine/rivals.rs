//! Transactions that call the same contract, and whether that makes them wait for one another.
//!
//! Most transactions to one contract do not conflict, or conflict only now and then, and run side by
//! side. Where incarnations keep being thrown away, running them so wastes more than it gains: from
//! then on a transaction of the group starts when the one before it has published. What is learned
//! holds for the block; it decides when a transaction runs, never what it results in.

use alloy_primitives::{
    TxKind,
    map::{AddressMap, Entry},
};

use crate::{
    evm::Block,
    state::TxIndex,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

/// One abort for this many commits puts a group in line.
const ABORTS_PER_COMMIT: u32 = 3;

/// The groups of a block.
pub(crate) struct Rivals {
    /// Group of each transaction, and the one before it in the group.
    members: Box<[(u32, Option<TxIndex>)]>,
    groups: Box<[Group]>,
}

#[derive(Default)]
struct Group {
    aborted: AtomicU32,
    committed: AtomicU32,
    /// Set for good once aborts are frequent: while members wait for one another, nothing is
    /// learned of whether they still would conflict.
    in_line: AtomicBool,
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
        group.in_line.load(Ordering::Relaxed).then_some(before)
    }

    /// An incarnation of `tx` was thrown away.
    pub(crate) fn aborted(&self, tx: TxIndex) {
        if let Some(group) = self.groups.get(self.members[tx.get()].0 as usize) {
            // Relaxed: statistics.
            let aborted = group.aborted.fetch_add(1, Ordering::Relaxed) + 1;
            if aborted * ABORTS_PER_COMMIT >= group.committed.load(Ordering::Relaxed) {
                group.in_line.store(true, Ordering::Relaxed);
            }
        }
    }

    /// `tx` was committed.
    pub(crate) fn committed(&self, tx: TxIndex) {
        if let Some(group) = self.groups.get(self.members[tx.get()].0 as usize) {
            group.committed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
