//! A level that goes up and down, and the highest it has been.
//!
//! The level is one atomic and not sharded: the peak of a sum is not the sum of the shards' peaks.
//! So it is for what changes rarely (pages made and dropped, not bytes read).
//!
//! ```text
//!  add                                   read
//!  A1  now = level += amount             R1  now = level
//!  A2  peak = max(peak, now)             R2  peak = max(peak, now)
//! ```
//!
//! Additions have one order, and the level is highest directly after one of them, whose A1 returned
//! that very level. So the peak is exact as soon as no addition is between its two steps. In between,
//! a reader may see a level whose adder has yet to do A2, which is why R2 also writes: with a mere
//! `max` of what was read, a second reader that comes after the level has fallen again would report a
//! peak below what the first one saw.
//!
//! No ordering is needed. Both rules speak of one atomic at a time, whose modifications have one
//! order; and two readers, of whom one comes after the other, meet at the peak.

use crate::sync::{
    atomic::{AtomicU64, Ordering::Relaxed},
    weakened,
};

/// A level and its peak. Levels up to 2⁶³ − 1 are told from levels below zero.
#[derive(Debug)]
pub struct Gauge {
    /// Wraps, so that what is taken away before it was added is not lost.
    level: AtomicU64,
    peak: AtomicU64,
}

/// What a [`Gauge`] showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The level at the time.
    pub current: u64,
    /// The highest level until then.
    pub peak: u64,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { level: AtomicU64::new(0), peak: AtomicU64::new(0) }
    }
}

impl Gauge {
    /// Raises the level.
    pub fn add(&self, amount: u64) {
        let before = self.level.fetch_add(amount, Relaxed);
        // The level that this addition made: read again it might have fallen already.
        self.raise(shown(before.wrapping_add(amount)));
    }

    /// Lowers the level. If it is lowered before it was raised, which is the caller's mistake, it
    /// shows zero until the other half comes.
    pub fn sub(&self, amount: u64) {
        self.level.fetch_sub(amount, Relaxed);
    }

    /// The level now, and the highest until now: at least every level that was read before.
    #[must_use]
    pub fn read(&self) -> Level {
        let current = shown(self.level.load(Relaxed));
        if weakened("gauge.reader-raises") {
            return Level { current, peak: self.peak.load(Relaxed).max(current) };
        }
        Level { current, peak: self.raise(current) }
    }

    /// Makes the peak at least `level`, and returns it.
    fn raise(&self, level: u64) -> u64 {
        // A peak never falls, so what is high enough once stays so: mostly this only reads.
        let peak = self.peak.load(Relaxed);
        if level <= peak {
            return peak;
        }
        if weakened("gauge.max-rmw") {
            self.peak.store(level, Relaxed);
            return level;
        }
        self.peak.fetch_max(level, Relaxed).max(level)
    }
}

/// A level below zero shows as zero, and not as 16 EiB.
fn shown(level: u64) -> u64 {
    u64::try_from(level.cast_signed()).unwrap_or(0)
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_peak_stays_when_the_level_falls() {
        let gauge = Gauge::default();
        gauge.add(4096);
        gauge.add(4096);
        gauge.sub(8192);
        gauge.add(1);
        assert_eq!(gauge.read(), Level { current: 1, peak: 8192 });
    }

    #[test]
    fn what_is_taken_before_it_was_put_shows_as_zero() {
        let gauge = Gauge::default();
        gauge.sub(10);
        assert_eq!(gauge.read(), Level { current: 0, peak: 0 });
        gauge.add(4);
        assert_eq!(gauge.read(), Level { current: 0, peak: 0 });
        gauge.add(10);
        assert_eq!(gauge.read(), Level { current: 4, peak: 4 });
    }
}
