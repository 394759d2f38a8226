//! How far ahead transactions are read.
//!
//! As far as twice the window, where transactions wait: more of them wait at a time, and so overlap.
//! Where what they read is known before they start, that only has all of it leave the processor's cache
//! before it is used; half the way will do, and half of that, until they begin to wait.

/// How many transactions commit from one look to the next.
const EVERY: u32 = 64;
/// Never fewer than these.
const LEAST: u32 = 32;
/// Fewer waits than one per so many transactions: a shorter way will do.
const FEW: u32 = 8;
/// More than one per so many: a longer one is needed.
const MANY: u32 = 2;

/// The number of transactions, counted from the lowest that is not committed.
#[derive(Debug)]
pub(in super::super) struct Pace {
    ahead: u32,
    /// Where the commit cursor was at the last look, and the number of waits by then.
    since: (u32, u32),
}

impl Default for Pace {
    fn default() -> Self {
        Self { ahead: u32::MAX, since: (0, 0) }
    }
}

impl Pace {
    /// How many transactions to be ahead of `frontier`, and at most; contexts have waited for the store
    /// so many times.
    pub(in super::super) fn ahead(&mut self, frontier: u32, waits: u32, most: u32) -> u32 {
        self.ahead = self.ahead.min(most);
        let (from, before) = self.since;
        let committed = frontier.saturating_sub(from);
        if committed >= EVERY {
            let waited = waits.wrapping_sub(before);
            if waited < committed / FEW {
                self.ahead = (self.ahead / 2).max(LEAST).min(most);
            } else if waited > committed / MANY {
                self.ahead = self.ahead.saturating_mul(2).min(most);
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
        assert_eq!(pace.ahead(0, 0, 512), 512);
        assert_eq!(pace.ahead(63, 0, 512), 512);
        assert_eq!(pace.ahead(64, 7, 512), 256);
        // Some wait.
        assert_eq!(pace.ahead(128, 7 + 20, 512), 256);
        assert_eq!(pace.ahead(192, 27, 512), 128);
        // Most do.
        assert_eq!(pace.ahead(256, 27 + 40, 512), 256);
        let after = (5..20).map(|look| pace.ahead(look * 64, 67, 512)).last();
        assert_eq!(after, Some(LEAST));
        assert_eq!(pace.ahead(10_000, 67, 8), 8);
    }
}
