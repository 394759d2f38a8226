//! Atomics and cells that loom follows only in the models that are about them; to all others, what is done with
//! them takes no time and no turn.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64 as StdAtomicU64},
};

use super::{
    Mutex, MutexGuard,
    atomic::{AtomicU64 as LoomAtomicU64, Ordering},
};

/// Whether what is made from now on is followed.
static FOLLOWED: AtomicBool = AtomicBool::new(false);

/// Has loom follow what is made from now on, in this process.
pub fn follow() {
    FOLLOWED.store(true, Ordering::Relaxed);
}

/// What is followed, or what takes its place.
#[derive(Debug)]
enum Either<F, P> {
    Followed(F),
    PassedOver(P),
}
use Either::{Followed, PassedOver};

impl<F, P> Either<F, P> {
    fn new(followed: impl FnOnce() -> F, passed_over: impl FnOnce() -> P) -> Self {
        match FOLLOWED.load(Ordering::Relaxed) {
            true => Followed(followed()),
            false => PassedOver(passed_over()),
        }
    }
}

/// A `u64` shared between threads.
#[derive(Debug)]
pub struct AtomicU64(Either<LoomAtomicU64, StdAtomicU64>);

impl AtomicU64 {
    /// One of that value.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self(Either::new(|| LoomAtomicU64::new(value), || StdAtomicU64::new(value)))
    }

    /// Its value.
    pub fn load(&self, order: Ordering) -> u64 {
        match &self.0 {
            Followed(word) => word.load(order),
            PassedOver(word) => word.load(order),
        }
    }

    /// Gives it a value.
    pub fn store(&self, value: u64, order: Ordering) {
        match &self.0 {
            Followed(word) => word.store(value, order),
            PassedOver(word) => word.store(value, order),
        }
    }

    /// Gives it another value, if it has this one.
    ///
    /// # Errors
    ///
    /// The value that it has instead.
    pub fn compare_exchange(
        &self,
        value: u64,
        other: u64,
        order: Ordering,
        or: Ordering,
    ) -> Result<u64, u64> {
        match &self.0 {
            Followed(word) => word.compare_exchange(value, other, order, or),
            PassedOver(word) => word.compare_exchange(value, other, order, or),
        }
    }
}

impl Default for AtomicU64 {
    fn default() -> Self {
        Self::new(0)
    }
}

/// A cell that is written once, in no time.
#[derive(Debug)]
pub struct OnceCell<T>(Either<super::OnceCell<T>, OnceLock<T>>);

impl<T> OnceCell<T> {
    /// An empty cell.
    #[must_use]
    pub fn new() -> Self {
        Self(Either::new(super::OnceCell::new, OnceLock::new))
    }

    /// What was written, if anything was.
    pub fn get(&self) -> Option<&T> {
        match &self.0 {
            Followed(cell) => cell.get(),
            PassedOver(cell) => cell.get(),
        }
    }

    /// Writes, unless somebody has.
    ///
    /// # Errors
    ///
    /// The value, if somebody has.
    pub fn set(&self, value: T) -> Result<(), T> {
        match &self.0 {
            Followed(cell) => cell.set(value),
            PassedOver(cell) => cell.set(value),
        }
    }

    /// What was written, which is what `make` makes if nothing was.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match &self.0 {
            Followed(cell) => cell.get_or_init(make),
            PassedOver(cell) => cell.get_or_init(make),
        }
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Where those take turns whom loom passes over, so that each is ordered after the former, as what is passed over
/// would order them.
#[derive(Debug)]
pub struct Turns(Either<(), Box<[Mutex<()>]>>);

/// One's turn.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Held to the end of it.
    _guard: Option<MutexGuard<'a, ()>>,
}

/// Turns that are taken beside each other.
const TURNS: u64 = 64;

impl Turns {
    /// Of all who come to one structure.
    #[must_use]
    pub fn new() -> Self {
        Self(Either::new(|| (), || (0..TURNS).map(|_| Mutex::new(())).collect()))
    }

    /// Waits for the turn of those who are about the same thing. Nobody waits where loom follows.
    pub fn take(&self, what: u64) -> Turn<'_> {
        let _guard = match &self.0 {
            Followed(()) => None,
            PassedOver(turns) => Some(turns[(what % TURNS) as usize].lock()),
        };
        Turn { _guard }
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}
