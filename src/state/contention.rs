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
//! It stands under the entry's lock; what was last published of it is read without, and without an order:
//! costs time if wrong, never correctness.

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
/// As long as it is not known how many, so many may have waited since the last change: if they do so in vain,
/// it is one after the other.
const FEW_WAIT: usize = 4;
/// More than that count as so many.
pub(super) const MOST_LOOKS: usize = 16;

/// How much a location is contended, and how many look for each one who changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contention(u32);

impl Contention {
    /// Whether there was a conflict of late.
    pub(super) fn is_contended(self) -> bool {
        self.0 & LEVEL != 0
    }

    /// Whether only few of those who look change what they find, so that nobody waits for those before him.
    pub(super) fn is_rarely_changed(self) -> bool {
        self.0 >> LOOKS >= FEW_CHANGE * UNIT
    }

    /// Whether whoever looks had better wait for the one before him who has looked.
    #[inline]
    pub(super) fn is_worth_waiting(self) -> bool {
        self.is_contended() && !self.is_rarely_changed()
    }

    /// How many may wait.
    pub(super) fn most_waiting(self) -> usize {
        match self.0 >> LOOKS {
            0 => FEW_WAIT,
            _ => usize::MAX,
        }
    }

    /// A change came too late for a reader.
    pub(super) fn came_too_late(self) -> Self {
        self.at_level(self.level().max(CONTENDED))
    }

    /// A wait is over. Was it for one who changed the location?
    pub(super) fn waited(self, worth_it: bool) -> Self {
        self.at_level(match worth_it {
            true => (self.level() + 1).min(MOST_CONTENDED),
            false => self.level().saturating_sub(1),
        })
    }

    /// The location was changed by one of so many who have looked at it since it was changed before.
    pub(super) fn changed_after(self, looks: usize) -> Self {
        let (old, new) = (self.0 >> LOOKS, looks.clamp(1, MOST_LOOKS) as u32 * UNIT);
        let looks = if old == 0 { new } else { (3 * old + new) / 4 };
        Self(self.level() | looks << LOOKS)
    }

    fn level(self) -> u32 {
        self.0 & LEVEL
    }

    fn at_level(self, level: u32) -> Self {
        Self(self.0 & !LEVEL | level)
    }
}

/// What is known of it to those without the lock.
#[derive(Default)]
pub(super) struct Published(AtomicU32);

impl Published {
    #[inline]
    pub(super) fn get(&self) -> Contention {
        Contention(self.0.load(Ordering::Relaxed))
    }

    /// Changes what stands under the lock, and what is known of it.
    pub(super) fn change(&self, locked: &mut Contention, next: Contention) {
        if *locked != next {
            *locked = next;
            self.0.store(next.0, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    fn times(
        contention: Contention,
        times: u32,
        step: impl Fn(Contention) -> Contention,
    ) -> Contention {
        (0..times).fold(contention, |contention, _| step(contention))
    }

    #[test]
    fn a_conflict_is_remembered_for_some_waits_in_vain() {
        let vain = |contention: Contention| contention.waited(false);
        let fresh = Contention::default();
        assert!(!fresh.is_worth_waiting());
        let late = fresh.came_too_late();
        assert!(vain(late).is_worth_waiting());
        assert!(!vain(vain(late)).is_contended());
        let often = times(late, 20, |contention| contention.waited(true));
        assert!(times(often, MOST_CONTENDED - 1, vain).is_worth_waiting());
        assert!(!times(often, MOST_CONTENDED + 1, vain).is_contended());
    }

    #[test]
    fn nobody_waits_where_few_of_many_change_what_they_look_at() {
        let rarely = Contention::default().came_too_late().changed_after(9);
        assert!(rarely.is_contended() && !rarely.is_worth_waiting());
        // The habit changes, and changes back.
        let often = times(rarely, 8, |contention| contention.changed_after(1));
        assert!(often.is_worth_waiting());
        let rarely = times(often, 8, |contention| contention.changed_after(usize::MAX));
        assert!(!rarely.is_worth_waiting() && rarely.waited(false).is_contended());
    }
}
