//! Transactions that call the same contract, and whether that makes them wait for one another.
//!
//! Most transactions to one contract do not conflict, or conflict only now and then, and run side by
//! side. Where incarnations keep being thrown away, running them so wastes more than it gains: from
//! then on a transaction of the group starts when the one before it has published. What is learned
//! holds for the block; it decides when a transaction runs, never what it results in.

use alloy_primitives::{Address, TxKind};
use hashbrown::HashMap;

use crate::{
    evm::Block,
    state::TxIndex,
    sync::atomic::{AtomicU32, Ordering},
};

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
}

impl Rivals {
    pub(crate) fn of(block: &Block) -> Self {
        let mut last: HashMap<Address, (u32, TxIndex), foldhash::fast::RandomState> =
            HashMap::default();
        let mut count = 0;
        let members = block
            .transactions
            .iter()
            .enumerate()
            .map(|(at, tx)| {
                let at = TxIndex(at as u32);
                match tx.env.kind {
                    TxKind::Call(to) => {
                        let fresh = count;
                        let (group, before) = *last.entry(to).or_insert((fresh, at));
                        last.insert(to, (group, at));
                        count += u32::from(group == fresh && before == at);
                        (group, (before != at).then_some(before))
                    }
                    TxKind::Create => (u32::MAX, None),
                }
            })
            .collect();
        Self { members, groups: (0..count).map(|_| Group::default()).collect() }
    }

    /// The transaction that `tx` should let go first, if its group conflicts often.
    pub(crate) fn let_first(&self, tx: TxIndex) -> Option<TxIndex> {
        let (group, before) = self.members[tx.get()];
        let before = before?;
        let group = self.groups.get(group as usize)?;
        // Relaxed: statistics.
        let aborted = group.aborted.load(Ordering::Relaxed);
        let committed = group.committed.load(Ordering::Relaxed);
        (aborted > 0 && aborted * 3 >= committed).then_some(before)
    }

    /// An incarnation of `tx` was thrown away.
    pub(crate) fn aborted(&self, tx: TxIndex) {
        if let Some(group) = self.groups.get(self.members[tx.get()].0 as usize) {
            group.aborted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `tx` was committed.
    pub(crate) fn committed(&self, tx: TxIndex) {
        if let Some(group) = self.groups.get(self.members[tx.get()].0 as usize) {
            group.committed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
