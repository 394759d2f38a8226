//! Whether to wait at a location for those who look at it earlier in the block.
//!
//! Two numbers tell, in one word, guesses both:
//!
//! | number | up | down |
//! |---|---|---|
//! | how much the location is *contended* | a change came too late for a reader; a wait was worth it | a wait was in vain |
//! | how many *look* at it for each one who changes it | at a change, the average of late | the same |
//!
//! Where most who look also change what they find (a counter, a pool), whoever looks next had better wait.
//! Where few do (a price that one writes and many read), he would wait for readers, one after the
//! other, and so would all behind him: of ten lookers with one writer among them a wait is in vain nine
//! times, while one who does not wait runs in vain only if the writer happens to run beside him.
//!
//! Written under the entry's lock, read without it, and without an order: costs time if wrong, never
//! correctness.

use crate::sync::atomic::{AtomicU32, Ordering};

/// How many waits in vain a location stays contended for after a conflict.
const CONTENDED: u32 = 2;
/// The same, at most, however many waits were worth it.
const MOST_CONTENDED: u32 = 8;
/// Bits of that number.
const LEVEL: u32 = 0xff;
/// Where the other number begins, ...
const LOOKS: u32 = 8;
/// ... which counts sixteenths.
const UNIT: u32 = 16;
/// With so many who look for each one who changes, nobody waits. With 2, real blocks took 3 to 4 % longer.
const FEW_CHANGE: u32 = 3;
/// As long as it is not known how many, so many wait at a time: if they do so in vain, it is one after the
/// other.
const FEW_WAIT: usize = 4;
/// More than that count as so many.
pub(super) const MOST_LOOKS: usize = 16;

/// How much a location is contended, and how many look for each one who changes it.
#[derive(Default)]
pub(super) struct Contention(AtomicU32);

impl Contention {
    /// Whether there was a conflict of late.
    #[inline]
    pub(super) fn is_contended(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LEVEL != 0
    }

    /// Whether only few of those who look change what they find, so that nobody waits for those before him.
    #[inline]
    pub(super) fn is_rarely_changed(&self) -> bool {
        self.0.load(Ordering::Relaxed) >> LOOKS >= FEW_CHANGE * UNIT
    }

    /// Whether whoever looks had better wait for the one before him who has looked.
    #[inline]
    pub(super) fn is_worth_waiting(&self) -> bool {
        self.is_contended() && !self.is_rarely_changed()
    }

    /// How many may wait at a time.
    pub(super) fn most_waiting(&self) -> usize {
        match self.0.load(Ordering::Relaxed) >> LOOKS {
            0 => FEW_WAIT,
            _ => usize::MAX,
        }
    }

    /// A change came too late for a reader.
    pub(super) fn came_too_late(&self) {
        self.set_level(|level| level.max(CONTENDED));
    }

    /// A wait is over. Was it for one who changed the location?
    pub(super) fn waited(&self, worth_it: bool) {
        self.set_level(|level| {
            if worth_it { (level + 1).min(MOST_CONTENDED) } else { level.saturating_sub(1) }
        });
    }

    /// The location was changed by one of so many who have looked at it since it was changed before.
    pub(super) fn changed_after(&self, looks: usize) {
        let word = self.0.load(Ordering::Relaxed);
        let (old, new) = (word >> LOOKS, looks.clamp(1, MOST_LOOKS) as u32 * UNIT);
        let looks = if old == 0 { new } else { (3 * old + new) / 4 };
        self.0.store(word & LEVEL | looks << LOOKS, Ordering::Relaxed);
    }

    fn set_level(&self, next: impl FnOnce(u32) -> u32) {
        let word = self.0.load(Ordering::Relaxed);
        let level = next(word & LEVEL);
        if level != word & LEVEL {
            self.0.store(word & !LEVEL | level, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_remembered_for_some_waits_in_vain() {
        let contention = Contention::default();
        assert!(!contention.is_worth_waiting());
        contention.came_too_late();
        contention.waited(false);
        assert!(contention.is_worth_waiting());
        contention.waited(false);
        assert!(!contention.is_contended());
        contention.came_too_late();
        (0..20).for_each(|_| contention.waited(true));
        (1..MOST_CONTENDED).for_each(|_| contention.waited(false));
        assert!(contention.is_worth_waiting());
        contention.waited(false);
        contention.waited(false);
        assert!(!contention.is_contended());
    }

    #[test]
    fn nobody_waits_where_few_of_many_change_what_they_look_at() {
        let contention = Contention::default();
        contention.came_too_late();
        contention.changed_after(9);
        assert!(contention.is_contended() && !contention.is_worth_waiting());
        // The habit changes, and changes back.
        (0..8).for_each(|_| contention.changed_after(1));
        assert!(contention.is_worth_waiting());
        (0..8).for_each(|_| contention.changed_after(usize::MAX));
        assert!(!contention.is_worth_waiting());
        contention.waited(false);
        assert!(contention.is_contended());
    }
}
