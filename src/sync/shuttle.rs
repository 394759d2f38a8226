//! Back end for randomised schedules: shuttle runs one thread at a time and picks the next one.
//!
//! Shuttle is sequentially consistent whatever ordering is named; orderings are loom's business.

pub use std::sync::{Arc, Weak};

pub use super::twin::channel;
pub use super::twin::{ArcSwap, ArcSwapGuard, Condvar, Mutex, MutexGuard};

/// A cell that is written once; the standard one, see the module's documentation.
pub type OnceLock<T> = std::sync::OnceLock<T>;
/// The same: this explorer follows no memory.
pub type OnceCell<T> = std::sync::OnceLock<T>;

/// Atomics and cells that explorers may pass over; this one does not.
pub mod brief {
    pub use super::{
        super::turns::{Turn, Turns},
        OnceCell,
        atomic::AtomicU64,
    };
}

/// What tables of keys hash with: alike in each run, as an explorer that repeats a schedule needs.
pub type RandomState = foldhash::fast::FixedState;

/// Whether the named place in the code is to be weakened; only loom weakens.
#[inline(always)]
#[must_use]
pub const fn weakened(_place: &'static str) -> bool {
    false
}

/// Memory that safe references reach, made visible to an explorer; only loom looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Witness(());

impl Witness {
    /// The data is read.
    #[inline(always)]
    pub fn read(&self) {}

    /// The data is written by its only holder: all reads from now on must be ordered after this.
    #[inline(always)]
    pub fn renew(&mut self) {}

    /// The data would be written while others hold it. Only a weakened place does that.
    #[inline(always)]
    pub fn overwrite(&self) {}
}

/// Atomic integers and fences.
pub mod atomic {
    pub use shuttle::sync::atomic::{
        AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// A token that stays until it is taken, for one waiter.
#[derive(Debug, Default)]
pub(super) struct Token {
    there: Mutex<bool>,
    changed: Condvar,
}

impl Token {
    pub(super) fn wait(&self) {
        let mut there = self.there.lock();
        while !*there {
            self.changed.wait(&mut there);
        }
        *there = false;
    }

    pub(super) fn notify(&self) {
        *self.there.lock() = true;
        self.changed.notify_one();
    }
}

/// Threads.
pub mod thread {
    pub use shuttle::thread::{Builder, JoinHandle, Thread, current, park, spawn, yield_now};

    /// Whether that is the calling thread.
    #[must_use]
    pub fn is_current(thread: &Thread) -> bool {
        thread.id() == current().id()
    }

    /// A run names its own number of threads; code that asks gets two.
    #[must_use]
    pub fn available_parallelism() -> usize {
        2
    }
}

/// Spinning.
pub mod hint {
    pub use shuttle::hint::spin_loop;
}

/// Time.
pub mod time {
    pub use std::time::Duration;

    /// A point on the monotonic clock; a schedule must not depend on it.
    pub type Instant = std::time::Instant;
}
