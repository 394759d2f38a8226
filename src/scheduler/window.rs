//! How far above the commit cursor transactions may be taken up.
//!
//! A started transaction holds a context, or a trace, until it commits, and what it ran on is the older
//! the higher it is. So at most `size` transactions at and above the frontier are started. One that is
//! reserved for the commit step ([`super::Turn`]) has neither a context nor a trace, and to look ahead at it makes
//! nothing stale. It does not count: hundreds of transfers behind one long call would else keep the next
//! long call from running beside it.
//!
//! ```text
//!   frontier            near                             far
//!   ├─ size transactions ─┤                                │
//!   ├─ size that nobody has reserved, among others ────────┤  at most DISTANCE beyond near
//! ```
//!
//! | transaction | starts |
//! |---|---|
//! | never reserved | below far |
//! | was reserved, until a worker found that it is not so cheap | below near |
//! | came back: aborted, or to be validated again | below near |
//!
//! So at most `size` of the first kind are started and uncommitted, and at most `size` of the others, which
//! is what the mailboxes have places for ([`Window::contexts`]). The frontier is below both ends, so it
//! can always run. Both only move up as long as the size stays; they shrink with it, and what is started
//! goes on.
//!
//! Without a reservation the two ends are one, and nothing is looked up.

use crate::sync::atomic::{AtomicU32, Ordering};

/// How far beyond its near end a window reaches at most. What is looked at ahead is to be in a cache still when
/// its turn comes. Two workers over seven real and made blocks of transfers, geometric mean of the ratios to
/// sequential: 1.57 without, 1.60 with 256, 1.72 with this.
const DISTANCE: u32 = 2048;

/// The window of a block.
#[derive(Debug)]
pub struct Window {
    len: u32,
    /// What it began with.
    most: u32,
    size: AtomicU32,
    open: Option<Open>,
}

/// Which transactions nobody has reserved.
#[derive(Debug)]
struct Open {
    /// How many there are below each transaction.
    below: Box<[u32]>,
    /// Which they are.
    indices: Box<[u32]>,
}

impl Window {
    /// A window of `size` transactions over a block of `len`.
    pub fn new(len: u32, size: u32) -> Self {
        let size = size.max(1);
        Self { len, most: size, size: AtomicU32::new(size), open: None }
    }

    /// Does not count the transactions of which `reserved` is true. Without any it is what it was.
    #[must_use]
    pub fn without(self, reserved: &[bool]) -> Self {
        if !reserved.contains(&true) {
            return self;
        }
        let mut indices = Vec::new();
        let mut below = Vec::with_capacity(reserved.len());
        for (at, reserved) in reserved.iter().enumerate() {
            below.push(indices.len() as u32);
            if !reserved {
                indices.push(at as u32);
            }
        }
        Self { open: Some(Open { below: below.into(), indices: indices.into() }), ..self }
    }

    /// First index that may not start, when all below `frontier` are committed, unless nobody has ever
    /// reserved it.
    #[inline]
    pub fn near(&self, frontier: u32) -> u32 {
        // Relaxed: how far speculation may go, which no correctness hangs on.
        frontier.saturating_add(self.size.load(Ordering::Relaxed)).min(self.len)
    }

    /// First index that nobody may take up.
    #[inline]
    pub fn far(&self, frontier: u32) -> u32 {
        match &self.open {
            None => self.near(frontier),
            Some(open) => self.far_of(open, frontier),
        }
    }

    fn far_of(&self, open: &Open, frontier: u32) -> u32 {
        let size = self.size.load(Ordering::Relaxed);
        let near = frontier.saturating_add(size).min(self.len);
        let Some(below) = open.below.get(frontier as usize) else { return near };
        if size == 1 {
            // Speculation has ended.
            return near;
        }
        let end = open.indices.get(below.saturating_add(size) as usize);
        end.map_or(self.len, |end| *end).min(near.saturating_add(DISTANCE))
    }

    /// From now on it is of `size`, but never more than it began with, and 1 is for good.
    pub fn restrain(&self, size: u32) {
        if !self.is_restrained() {
            self.size.store(size.clamp(1, self.most), Ordering::Relaxed);
        }
    }

    /// Whether it was made 1.
    pub fn is_restrained(&self) -> bool {
        self.most > 1 && self.size.load(Ordering::Relaxed) == 1
    }

    /// Whether transactions are reserved.
    #[inline]
    pub fn has_reserved(&self) -> bool {
        self.open.is_some()
    }

    /// How many contexts there can be at once.
    pub fn contexts(&self) -> u32 {
        let times = if self.has_reserved() { 2 } else { 1 };
        self.most.saturating_mul(times)
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn without_a_reservation_both_ends_are_one() {
        let window = Window::new(10, 4).without(&[false; 10]);
        assert_eq!((window.near(3), window.far(3)), (7, 7));
        assert_eq!((window.near(8), window.far(8)), (10, 10));
        assert_eq!(window.contexts(), 4);
    }

    #[test]
    fn what_is_reserved_does_not_count() {
        let reserved = [false, true, true, true, false, true, false, false];
        let window = Window::new(8, 2).without(&reserved);
        let ends: Vec<_> = (0..=8).map(|at| (window.near(at), window.far(at))).collect();
        let far = [6, 7, 7, 7, 7, 8, 8, 8, 8];
        let near = [2, 3, 4, 5, 6, 7, 8, 8, 8];
        assert!(ends.iter().copied().eq(near.into_iter().zip(far)), "{ends:?}");
        assert_eq!(window.contexts(), 4);
    }

    #[test]
    fn it_ends_somewhere() {
        let len = 4 * DISTANCE;
        let window = Window::new(len, 16).without(&vec![true; len as usize]);
        assert_eq!(window.far(5), 5 + 16 + DISTANCE);
        assert_eq!(window.far(len - 1), len);
    }

    #[test]
    fn it_shrinks_and_one_is_for_good() {
        let reserved = [true, true, false, true, false, false, true, false];
        let window = Window::new(8, 3).without(&reserved);
        assert_eq!(window.far(0), 7);
        window.restrain(2);
        assert_eq!((window.near(0), window.far(0)), (2, 5));
        window.restrain(9);
        assert_eq!(window.far(0), 7, "no more than it began with");
        window.restrain(1);
        assert_eq!((window.near(0), window.far(0)), (1, 1));
        window.restrain(3);
        assert!(window.is_restrained());
        assert_eq!((window.near(7), window.far(7)), (8, 8), "the frontier is always in it");
    }
}
