//! An interval of unsigned integers that keeps a reader's decisions valid.
//!
//! A transaction that credits or debits a balance does not depend on the balance itself, only on
//! the outcome of its checks: "is there enough?", "does it overflow?". With `seen` the value that
//! was read and `current = seen + (credits − debits so far)`, each check holds for a whole interval
//! of values of `seen`; their intersection is what the transaction observed. Reading the value
//! itself narrows the interval to a point. All arithmetic saturates at the ends of the type, where
//! the constraint is void.

use crate::sync::weakened;

/// The integer operations that bounds need.
pub trait Word: Copy + Ord {
    /// Smallest value.
    const ZERO: Self;
    /// Largest value.
    const MAX: Self;
    /// The next value, or `MAX`.
    fn next(self) -> Self;
    /// Sum, or `MAX`.
    fn plus(self, other: Self) -> Self;
    /// Difference, or `ZERO`.
    fn minus(self, other: Self) -> Self;
    /// Whether the sum fits.
    fn fits(self, other: Self) -> bool;
}

macro_rules! word {
    ($($t:ty),*) => {$(
        impl Word for $t {
            const ZERO: Self = 0;
            const MAX: Self = <$t>::MAX;
            fn next(self) -> Self { self.saturating_add(1) }
            fn plus(self, other: Self) -> Self { self.saturating_add(other) }
            fn minus(self, other: Self) -> Self { self.saturating_sub(other) }
            fn fits(self, other: Self) -> bool { self.checked_add(other).is_some() }
        }
    )*};
}
word!(u64, u128);

/// The values of `seen` for which everything decided so far would be decided the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds<W> {
    low: W,
    high: W,
}

impl<W: Word> Default for Bounds<W> {
    fn default() -> Self {
        Self { low: W::ZERO, high: W::MAX }
    }
}

impl<W: Word> Bounds<W> {
    /// Whether `value` lies within.
    pub fn contains(&self, value: W) -> bool {
        self.low <= value && value <= self.high
    }

    /// The value itself was used.
    pub fn pin(&mut self, seen: W) {
        self.low = seen;
        self.high = seen;
    }

    /// Records the check "`current` ≥ `amount`" and returns its outcome.
    pub fn debit(&mut self, seen: W, current: W, amount: W) -> bool {
        if weakened("bounds.debit") {
            return current >= amount;
        }
        if current >= amount {
            self.low = self.low.max(seen.minus(current.minus(amount)));
            true
        } else {
            self.high = self.high.min(seen.plus(amount.minus(current).minus(W::ZERO.next())));
            false
        }
    }

    /// Records the check "`current + amount` fits" and returns its outcome.
    pub fn credit(&mut self, seen: W, current: W, amount: W) -> bool {
        let room = W::MAX.minus(current);
        if current.fits(amount) {
            self.high = self.high.min(seen.plus(room.minus(amount)));
            true
        } else {
            self.low = self.low.max(seen.minus(amount.minus(room).minus(W::ZERO.next())));
            false
        }
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    /// Replays a sequence of checks on every possible start value: the bounds recorded for one
    /// start contain exactly the starts whose outcomes are the same.
    #[test]
    fn bounds_hold_exactly_the_values_that_decide_alike() {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        struct Tiny(u8);
        impl PartialOrd for Tiny {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for Tiny {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }
        impl Word for Tiny {
            const ZERO: Self = Tiny(0);
            const MAX: Self = Tiny(15);
            fn next(self) -> Self {
                self.plus(Tiny(1))
            }
            fn plus(self, other: Self) -> Self {
                Tiny((self.0 + other.0).min(15))
            }
            fn minus(self, other: Self) -> Self {
                Tiny(self.0.saturating_sub(other.0))
            }
            fn fits(self, other: Self) -> bool {
                self.0 + other.0 <= 15
            }
        }
        fn run(start: u8, script: &[(bool, u8)]) -> (Vec<bool>, Bounds<Tiny>) {
            let (mut bounds, mut current, seen) = (Bounds::default(), Tiny(start), Tiny(start));
            let outcomes = script
                .iter()
                .map(|&(is_credit, amount)| {
                    let amount = Tiny(amount);
                    let ok = if is_credit {
                        bounds.credit(seen, current, amount)
                    } else {
                        bounds.debit(seen, current, amount)
                    };
                    if ok {
                        current.0 =
                            if is_credit { current.0 + amount.0 } else { current.0 - amount.0 };
                    }
                    ok
                })
                .collect();
            (outcomes, bounds)
        }
        for a in 0..32u8 {
            for b in 0..32u8 {
                let script = [(a & 1 == 0, a >> 1), (b & 1 == 0, b >> 1), (a & 1 == 1, 3)];
                for start in 0..16 {
                    let (outcomes, bounds) = run(start, &script);
                    for other in 0..16 {
                        assert_eq!(
                            bounds.contains(Tiny(other)),
                            run(other, &script).0 == outcomes,
                            "start {start}, other {other}, script {script:?}"
                        );
                    }
                }
            }
        }
    }
}
