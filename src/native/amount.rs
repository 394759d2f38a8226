//! Numbers that can be credited and debited without being read.
//!
//! Every number has a *rank*: its distance below the largest number of its type, subtracted from
//! `u128::MAX`. Ranks of all types overflow at the same place, so one interval type
//! ([`Bounds<u128>`](crate::state::Bounds)) records the checks of all of them. Adding to a rank
//! modulo 2^128 is the delta that commutes.

use super::Value;

/// An integer type.
pub trait Number: Copy + Send + Sync + 'static + sealed::Sealed {
    /// The number that an absent value stands for.
    const ZERO: Self;
    /// Rank of the smallest number.
    const FLOOR: u128;
    /// Position of the number in `FLOOR..=u128::MAX`.
    fn rank(self) -> u128;
    /// The number at that position; the smallest one for positions below `FLOOR`.
    fn from_rank(rank: u128) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

/// A value that holds a number, so that [`View::credit`](super::View::credit) and
/// [`View::debit`](super::View::debit) apply to it.
///
/// The integer types are amounts. A type of your own becomes one by saying where its number is:
///
/// ```
/// use chorus::native::Amount;
///
/// #[derive(Clone, PartialEq, Eq)]
/// enum Item {
///     Coins(u64),
///     Name(String),
/// }
///
/// impl Amount for Item {
///     type Number = u64;
///     fn number(&self) -> Option<u64> {
///         if let Item::Coins(coins) = self { Some(*coins) } else { None }
///     }
///     fn from_number(coins: u64) -> Self {
///         Item::Coins(coins)
///     }
/// }
/// ```
pub trait Amount: Value {
    /// The type of the number.
    type Number: Number;

    /// The number, or `None` if this value holds none.
    fn number(&self) -> Option<Self::Number>;

    /// The value that a credit makes where there was none.
    fn from_number(number: Self::Number) -> Self;

    /// Replaces the number. Override it if the value holds more than the number.
    fn set_number(&mut self, number: Self::Number) {
        *self = Self::from_number(number);
    }
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl sealed::Sealed for $t {}

        impl Number for $t {
            const ZERO: Self = 0;
            // The casts widen an unsigned distance, which loses nothing.
            const FLOOR: u128 = u128::MAX - <$t>::MAX.abs_diff(<$t>::MIN) as u128;

            fn rank(self) -> u128 {
                u128::MAX - <$t>::MAX.abs_diff(self) as u128
            }

            fn from_rank(rank: u128) -> Self {
                // Truncating and wrapping are exact here: the distance fits the unsigned type.
                <$t>::MAX.wrapping_sub((u128::MAX - rank.max(Self::FLOOR)) as Self)
            }
        }

        impl Amount for $t {
            type Number = Self;

            fn number(&self) -> Option<Self> {
                Some(*self)
            }

            fn from_number(number: Self) -> Self {
                number
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

/// The rank of the number at a location; absent counts as zero. `None` if what is there is not a
/// number.
pub(crate) fn rank_of<V: Amount>(value: &Option<V>) -> Option<u128> {
    match value {
        None => Some(V::Number::ZERO.rank()),
        Some(value) => value.number().map(Number::rank),
    }
}

/// Adds to the number at a location, which exists afterwards. A value without a number is left
/// alone: that happens on speculation only.
pub(crate) fn add_rank<V: Amount>(value: &mut Option<V>, delta: u128) {
    let Some(rank) = rank_of(value) else { return };
    let number = V::Number::from_rank(rank.wrapping_add(delta));
    match value {
        Some(value) => value.set_number(number),
        None => *value = Some(V::from_number(number)),
    }
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn ranks_keep_order_and_come_back() {
        fn check<N: Number + PartialEq + std::fmt::Debug>(ascending: &[N]) {
            for number in ascending {
                assert_eq!(N::from_rank(number.rank()), *number);
            }
            assert!(ascending.is_sorted_by_key(|number| number.rank()));
            assert_eq!(ascending[0].rank(), N::FLOOR);
            assert_eq!(ascending.last().map(|n| n.rank()), Some(u128::MAX));
            assert_eq!(N::from_rank(0), ascending[0]);
        }
        check(&[u8::MIN, 1, 200, u8::MAX]);
        check(&[u64::MIN, 1, u64::MAX]);
        check(&[u128::MIN, 1, u128::MAX]);
        check(&[i8::MIN, -1, 0, 1, i8::MAX]);
        check(&[i64::MIN, -1, 0, 1, i64::MAX]);
        check(&[i128::MIN, -1, 0, 1, i128::MAX]);
    }

    #[test]
    fn absent_counts_as_zero_and_exists_once_added_to() {
        let mut value: Option<i32> = None;
        add_rank(&mut value, 5u128.wrapping_neg());
        assert_eq!(value, Some(-5));
        add_rank(&mut value, 7);
        assert_eq!(value, Some(2));
    }
}
