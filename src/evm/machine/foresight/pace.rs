//! How far ahead transactions are read.
//!
//! As far as twice the window, where transactions wait: more of them wait at a time, and so overlap.
//! Where what they read is known before they start, that only has all of it leave the processor's cache
//! before it is used; half the way will do, and half of that, until they begin to wait. A way that was too
//! short is not tried again: every second transaction would wait half of the time.
//!
//! The way is counted from the transaction that starts next. While the frontier is held up, the other workers go on with
//! what follows, up to the window's end: counted from the frontier, they overtook a short way, and then waited for each
//! location, one after the other. At 100 µs a read one held up for a millisecond had a hundred others wait so.

/// How many transactions commit from one look to the next.
const EVERY: u32 = 64;
/// Never fewer than these: values lead to further reads, up to three times, and a worker looks after the store
/// between transactions only. Swaps at 100 µs a read, eight runs in turns, times at zero latency (counted from the frontier;
/// counted from what starts next, 64 and 96 were no better than 128):
///
/// | `LEAST` | `FEW`, `MANY` | median | mean |
/// |---|---|---|---|
/// | 32 | 8, 4 | 1.59 | 1.67 |
/// | 96 | 16, 8 | 1.63 | 1.60 |
/// | 128 | 16, 8 | 1.49 | 1.53 |
/// | 160 | 16, 8 | 1.51 | 1.60 |
const LEAST: u32 = 128;
/// Fewer waits than one per so many transactions: a shorter way will do.
const FEW: u32 = 16;
/// More than one per so many: a longer one is needed.
const MANY: u32 = 8;

/// The number of transactions, counted from the one that starts next.
#[derive(Debug)]
pub(in super::super) struct Pace {
    ahead: u32,
    /// No shorter than this.
    least: u32,
    /// Where the commit cursor was at the last look, and the number of waits by then.
    since: (u32, u32),
}

impl Default for Pace {
    fn default() -> Self {
        Self { ahead: u32::MAX, least: LEAST, since: (0, 0) }
    }
}

impl Pace {
    /// How many transactions to be ahead of what starts next, and at most, when those below `frontier` have committed
    /// and contexts have waited for the store so many times.
    pub(in super::super) fn ahead(&mut self, frontier: u32, waits: u32, most: u32) -> u32 {
        self.ahead = self.ahead.min(most);
        let (from, before) = self.since;
        let committed = frontier.saturating_sub(from);
        if committed >= EVERY {
            let waited = waits.wrapping_sub(before);
            if waited < committed / FEW {
                self.ahead = (self.ahead / 2).max(self.least).min(most);
            } else if waited > committed / MANY && self.ahead < most {
                self.ahead = self.ahead.saturating_mul(2).min(most);
                // The window may have been small.
                self.least = self.ahead.max(LEAST);
            }
            self.since = (frontier, waits);
        }
        self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_wait_the_shorter_the_way_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(0, 0, 2048), 2048);
        assert_eq!(pace.ahead(63, 0, 2048), 2048);
        assert_eq!(pace.ahead(64, 3, 2048), 1024);
        // Some wait.
        assert_eq!(pace.ahead(128, 3 + 8, 2048), 1024);
        assert_eq!(pace.ahead(192, 11, 2048), 512);
        assert_eq!(pace.ahead(256, 11, 2048), 256);
        // Many do.
        assert_eq!(pace.ahead(320, 11 + 20, 2048), 512);
        let after = (6..20).map(|look| pace.ahead(look * 64, 31, 2048)).last();
        assert_eq!(after, Some(512));
        assert_eq!(pace.ahead(10_000, 31, 8), 8);
    }

    #[test]
    fn where_none_wait_the_way_becomes_as_short_as_any() {
        let mut pace = Pace::default();
        // At first all do, and no way is longer.
        assert_eq!(pace.ahead(64, 60, 512), 512);
        let after = (2..20).map(|look| pace.ahead(look * 64, 60, 512)).last();
        assert_eq!(after, Some(LEAST));
    }
}
