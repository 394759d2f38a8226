//! A model of arc-swap's place with no more order than its documentation gives.
//!
//! A load finds a value that was stored, whole, and sees what its storer did before; loads and stores
//! of one place follow one order, as those of any atomic do. The crate also documents a `SeqCst`
//! read-modify-write in each operation, hence an order across places, and reserves the right to
//! need fewer of them; the twin grants no order between a place and anything else, so that no
//! protocol of ours rests on it.
//!
//! | step | operation | order it grants |
//! |---|---|---|
//! | store | the value goes on a list; its number is stored with release | what preceded the store, to whoever loads this number |
//! | load | the number is loaded with acquire, perhaps an old one; the list gives its value | as above, and never an older number than this thread has seen |
//!
//! The list lies in a plain lock that the explorer does not see and that is never held across a
//! step it does see. It keeps every value until the place is dropped: when a replaced value goes is
//! not promised either, since a guard anywhere may hold it.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex as Plain, PoisonError},
};

use super::raw::atomic::{AtomicUsize, Ordering};
use crate::sync::weakened;

/// A place for an [`Arc`] that is replaced whole, and read without a lock.
pub struct ArcSwap<T> {
    /// The number of the value held.
    current: AtomicUsize,
    stored: Plain<Vec<Arc<T>>>,
}

/// A loan of what an [`ArcSwap`] holds.
pub struct ArcSwapGuard<T>(Arc<T>);

impl<T> ArcSwap<T> {
    /// A place that holds `value`.
    #[must_use]
    pub fn new(value: Arc<T>) -> Self {
        Self { current: AtomicUsize::new(0), stored: Plain::new(vec![value]) }
    }

    /// What it holds, on loan.
    #[must_use]
    pub fn load(&self) -> ArcSwapGuard<T> {
        ArcSwapGuard(self.load_full())
    }

    /// What it holds, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<T> {
        let order = if weakened("place.acquire") { Ordering::Relaxed } else { Ordering::Acquire };
        let number = self.current.load(order);
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)[number].clone()
    }

    /// Replaces what it holds.
    pub fn store(&self, value: Arc<T>) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let number = stored.len();
        stored.push(value);
        drop(stored);
        let order = if weakened("place.release") { Ordering::Relaxed } else { Ordering::Release };
        self.current.store(number, order);
    }
}

impl<T> Deref for ArcSwapGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for ArcSwap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Looking inside would be a step of the model.
        f.write_str("ArcSwap { .. }")
    }
}

impl<T: fmt::Debug> fmt::Debug for ArcSwapGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
