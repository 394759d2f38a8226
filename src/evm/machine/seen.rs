//! Where the accounts of a transfer are, from whoever has looked ahead at it to the commit step.
//!
//! Entries never move and are never removed, and what was seen of an account beyond that is looked at
//! again. So no result hangs on when the commit step learns of it, or whether it does.

use super::cells::AccountCell;
use crate::{
    state::{Entry, EntryId, Table, TxIndex},
    sync::atomic::{AtomicU64, Ordering},
};

/// No two accounts have these numbers.
const UNSEEN: u64 = u64::MAX;

/// The sender's and the recipient's entry, for each transfer that was looked at.
pub(crate) struct Seen(Box<[AtomicU64]>);

impl Seen {
    /// For as many transactions, none of them looked at.
    pub(super) fn new(transactions: usize) -> Self {
        Self((0..transactions).map(|_| AtomicU64::new(UNSEEN)).collect())
    }

    /// Notes that this is a transfer, from the one to the other.
    pub(super) fn note(&self, tx: TxIndex, from: EntryId, to: EntryId) {
        if let Some(seen) = self.0.get(tx.get()) {
            seen.store(u64::from(from.get()) << 32 | u64::from(to.get()), Ordering::Release);
        }
    }

    /// Between whom it is, if somebody has looked.
    #[inline]
    pub(super) fn recall<'a>(
        &self,
        tx: TxIndex,
        accounts: &'a Table<AccountCell>,
    ) -> Option<(&'a Entry<AccountCell>, &'a Entry<AccountCell>)> {
        // Acquire: the values before the block were filled in before.
        let seen = self.0.get(tx.get())?.load(Ordering::Acquire);
        if seen == UNSEEN {
            return None;
        }
        Some((accounts.by_number((seen >> 32) as u32)?, accounts.by_number(seen as u32)?))
    }
}
