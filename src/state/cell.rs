//! What a versioned location holds.

use std::{
    fmt::Debug,
    hash::{BuildHasher, Hash},
};

use crate::sync::RandomState;

/// The type of a versioned location: its key, its value, how transactions change it and what they
/// remember of having looked at it.
pub trait Cell: Sized + 'static {
    /// Names the location.
    type Key: Clone + Eq + Hash + Debug + Send + Sync;
    /// What a reader gets.
    type Value: Clone + Send + Sync;
    /// What a transaction does to the location: absolute, partial or a delta.
    type Change: Clone + Send + Sync;
    /// What a transaction depended on: a value, some fields of it, or a predicate.
    type Seen: Send;

    /// The hash of a key, for a table with that seed. For keys whose own way to hash costs more than it
    /// need.
    #[inline]
    fn hash(key: &Self::Key, seed: &RandomState) -> u64 {
        seed.hash_one(key)
    }

    /// Applies a change. Changes reach a value in block order. `apply` must be total: it is also
    /// called speculatively, on values that the change's author never saw.
    fn apply(value: &mut Self::Value, change: &Self::Change);

    /// Whether the observation would have been the same had `value` been read.
    fn holds(value: &Self::Value, seen: &Self::Seen) -> bool;

    /// Whether the observation may yet hold at the commit cursor, where `value` is what lower
    /// transactions have published so far. Differs from [`Cell::holds`] for predictions: what has
    /// not come true yet is not refuted.
    fn may_hold(value: &Self::Value, seen: &Self::Seen) -> bool {
        Self::holds(value, seen)
    }

    /// Whether a reader should wait for the transaction whose aborted incarnation made `change`.
    /// `false` for a change that most readers do not depend on; a wrong answer costs time only.
    fn worth_waiting(change: &Self::Change) -> bool {
        let _ = change;
        true
    }

    /// Whether readers above should be told that `change` was published, so that a doomed one stops
    /// early. `false` leaves the discovery to the commit cursor.
    fn worth_telling(change: &Self::Change) -> bool {
        let _ = change;
        true
    }

    /// Whether `value` is one that hardly any transaction changes in a way worth telling, though many
    /// read it. Nobody is told who does not ask for it: the commit cursor finds who read too early.
    fn hardly_changes(value: &Self::Value) -> bool {
        let _ = value;
        false
    }
}
