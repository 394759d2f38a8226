//! What a location of the native machine holds: a value or nothing.

use std::{fmt::Debug, hash::Hash, marker::PhantomData};

use crate::state::{Bounds, Cell};

/// What names a location. Implemented for every type that can.
pub trait Key: Clone + Eq + Hash + Debug + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Debug + Send + Sync + 'static> Key for K {}

/// What a location holds. Implemented for every type that can.
///
/// `Eq`, not `PartialEq`: a value that differs from itself, such as a NaN, would never validate.
pub trait Value: Clone + Eq + Send + Sync + 'static {}

impl<V: Clone + Eq + Send + Sync + 'static> Value for V {}

/// Locations named by a `K` that hold a `V` or nothing.
pub(crate) struct Location<K, V>(PhantomData<(K, V)>);

/// What a transaction does to a location.
///
/// The arithmetic comes along as a function, so that only those who use it need a number.
#[derive(Clone, Debug)]
pub(crate) enum Change<V> {
    /// Writes a value, or deletes what is there.
    Set(Option<V>),
    /// Adds to the number that is there.
    Add {
        /// Modulo 2^128; a debit is the complement.
        delta: u128,
        /// [`add_rank`](super::amount::add_rank) of the type.
        apply: fn(&mut Option<V>, u128),
    },
}

impl<V: Clone> Change<V> {
    pub(crate) fn apply(&self, value: &mut Option<V>) {
        match self {
            Self::Set(new) => value.clone_from(new),
            Self::Add { delta, apply } => apply(value, *delta),
        }
    }
}

/// What a transaction wants of a location.
#[derive(Debug)]
pub(crate) enum Interest<V> {
    /// The value.
    Value,
    /// The outcome of checks of the number that is there, whose rank the function gives:
    /// [`rank_of`](super::amount::rank_of) of the type.
    Number(fn(&Option<V>) -> Option<u128>),
}

// By hand, because neither variant holds a value.
impl<V> Clone for Interest<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Interest<V> {}

/// What a transaction saw of a location.
#[derive(Clone, Debug)]
pub(crate) struct Seen<V> {
    pub(crate) value: Option<V>,
    pub(crate) interest: Interest<V>,
    /// The ranks for which every check went the same way.
    pub(crate) bounds: Bounds<u128>,
}

impl<K: Key, V: Value> Cell for Location<K, V> {
    type Key = K;
    type Value = Option<V>;
    type Change = Change<V>;
    type Seen = Seen<V>;

    fn apply(value: &mut Option<V>, change: &Change<V>) {
        change.apply(value);
    }

    fn holds(value: &Option<V>, seen: &Seen<V>) -> bool {
        match seen.interest {
            Interest::Value => *value == seen.value,
            Interest::Number(rank) => rank(value).is_some_and(|rank| seen.bounds.contains(rank)),
        }
    }

    fn worth_waiting(change: &Change<V>) -> bool {
        // Credits and debits of one location run side by side; they are why it is contended.
        matches!(change, Change::Set(_))
    }
}
