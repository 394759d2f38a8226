//! The state before the block.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
};

use crate::sync::Arc;

/// Why a [`Base`] could not answer.
pub type BaseError = Box<dyn std::error::Error + Send + Sync>;

/// Where the values from before the block come from. It must not change while a block runs.
///
/// Maps are bases, and so is an [`Arc`] of one, for a snapshot that several blocks read.
pub trait Base<K, V>: Send + Sync {
    /// The value of `key` before the block.
    ///
    /// # Errors
    ///
    /// An error is the outcome of the incarnation that asked. It ends the block if that incarnation
    /// turns out to be the right one.
    fn get(&self, key: &K) -> Result<Option<V>, BaseError>;
}

impl<K, V, S> Base<K, V> for HashMap<K, V, S>
where
    K: Eq + Hash + Send + Sync,
    V: Clone + Send + Sync,
    S: BuildHasher + Send + Sync,
{
    fn get(&self, key: &K) -> Result<Option<V>, BaseError> {
        Ok(HashMap::get(self, key).cloned())
    }
}

impl<K, V> Base<K, V> for BTreeMap<K, V>
where
    K: Ord + Send + Sync,
    V: Clone + Send + Sync,
{
    fn get(&self, key: &K) -> Result<Option<V>, BaseError> {
        Ok(BTreeMap::get(self, key).cloned())
    }
}

impl<K, V, B: Base<K, V> + ?Sized> Base<K, V> for Arc<B> {
    fn get(&self, key: &K) -> Result<Option<V>, BaseError> {
        (**self).get(key)
    }
}
