//! How many of the next transactions a worker takes together, where they are short.
//!
//! To pass a short transaction around costs about what it takes, so workers take several. But then what one of them
//! takes depends on what the other has at hand: of 1,000 calls that hand eight contracts round, each batch of eight
//! depends on all of the batch before, and 11 to 17 % of the gas was thrown away; four at a time, none, and the block took
//! 0.9 of the time. So whenever so much is thrown away, batches become half as large.

use super::super::Transaction;
use crate::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

/// Gas of a plain transfer.
pub(super) const TRANSFER_GAS: u64 = 21_000;
/// Gas that one worker takes together where nothing is known of times: eight transfers, some 10 µs.
const BATCH_GAS: u64 = 8 * TRANSFER_GAS;
/// Gas in vain that is too much: one part in so many of what was committed meanwhile ...
const MUCH: u64 = 16;
/// ... and what two transactions use, which may be chance.
const CHANCE: u64 = 2;

/// How many of these transactions are taken together, going by their gas.
pub(crate) fn batch(rest: &[Transaction]) -> u32 {
    // Gas limits are promises, not costs, but a transaction without input and with little gas is
    // nearly always a transfer.
    let mut gas = 0;
    let fits = rest.iter().take_while(|tx| {
        let cheap = tx.env.data.is_empty() && tx.env.gas_limit < 2 * TRANSFER_GAS;
        gas += if cheap { TRANSFER_GAS } else { tx.env.gas_limit.max(TRANSFER_GAS) };
        gas <= BATCH_GAS
    });
    fits.count() as u32
}

/// A size that is the same for all of a block's transactions.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// 0: there is none, each goes by its gas.
    size: AtomicU32,
    /// The user has chosen it.
    is_pinned: bool,
    /// What was so when it was last looked at.
    before: Mutex<Progress>,
}

/// How far a block is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) committed: u32,
    /// Gas of these.
    pub(super) gas: u64,
    /// Gas thrown away.
    pub(super) wasted: u64,
}

impl Batch {
    /// Of that size until gas is thrown away, and by gas if there is none.
    pub(crate) fn of(size: Option<u32>) -> Self {
        Self { size: AtomicU32::new(size.unwrap_or(0)), ..Self::default() }
    }

    /// Of that size, whatever comes of it.
    pub(crate) fn pinned(size: u32) -> Self {
        Self { is_pinned: true, ..Self::of(Some(size)) }
    }

    /// How many are taken together, if that does not go by their gas.
    #[inline]
    pub(super) fn size(&self) -> Option<u32> {
        // Relaxed: a guess that any worker may be late to hear of.
        Some(self.size.load(Ordering::Relaxed)).filter(|size| *size > 0)
    }

    /// Takes note of gas that has just been thrown away.
    pub(super) fn note_waste(&self, now: Progress) {
        if self.is_pinned || self.size.load(Ordering::Relaxed) < 2 {
            return;
        }
        let mut before = self.before.lock();
        // Whoever throws away beside others may be behind them. Before anything is committed nobody knows what is much.
        let gas = now.gas.saturating_sub(before.gas);
        let wasted = now.wasted.saturating_sub(before.wasted);
        if gas == 0 {
            return;
        }
        let mean = now.gas / u64::from(now.committed.max(1));
        if wasted > gas / MUCH + CHANCE * mean {
            let size = self.size.load(Ordering::Relaxed);
            self.size.store(size / 2, Ordering::Relaxed);
            *before = now;
        }
    }

    /// The block begins with what others have committed.
    pub(super) fn begin_after(&mut self, before: Progress) {
        *self.before.get_mut() = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(committed: u32, wasted: u64) -> Progress {
        Progress { committed, gas: u64::from(committed) * 50_000, wasted: wasted * 50_000 }
    }

    #[test]
    fn what_is_thrown_away_halves_batches_again_and_again() {
        let batch = Batch::of(Some(8));
        batch.note_waste(at(32, 3));
        assert_eq!(batch.size(), Some(8), "two by chance, and one of 16");
        batch.note_waste(at(32, 5));
        assert_eq!(batch.size(), Some(4));
        batch.note_waste(at(33, 6));
        assert_eq!(batch.size(), Some(4), "since then it was one");
        batch.note_waste(at(40, 8));
        batch.note_waste(at(64, 13));
        batch.note_waste(at(64, 40));
        assert_eq!(batch.size(), Some(1));
        batch.note_waste(at(64, 60));
        assert_eq!(batch.size(), Some(1));
    }

    #[test]
    fn what_the_user_has_chosen_stays_and_what_goes_by_gas_too() {
        let batch = Batch::pinned(8);
        batch.note_waste(at(32, 30));
        assert_eq!(batch.size(), Some(8));
        let batch = Batch::of(None);
        batch.note_waste(at(32, 30));
        assert_eq!(batch.size(), None);
    }

    #[test]
    fn what_is_much_is_known_when_something_is_committed() {
        let mut batch = Batch::of(Some(8));
        batch.note_waste(at(0, 9));
        assert_eq!(batch.size(), Some(8));
        batch.begin_after(at(160, 0));
        batch.note_waste(at(160, 9));
        assert_eq!(batch.size(), Some(8));
        batch.note_waste(at(176, 9));
        assert_eq!(batch.size(), Some(4), "what others did before is no work of the workers");
    }

    #[test]
    fn a_little_waste_in_a_long_block_is_nothing() {
        let batch = Batch::of(Some(8));
        (1..100).for_each(|hundreds| batch.note_waste(at(hundreds * 100, u64::from(hundreds) * 6)));
        assert_eq!(batch.size(), Some(8));
    }
}
