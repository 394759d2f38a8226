//! Back end for production: std atomics and threads, parking_lot locks, crossbeam channels.

use std::ops::Deref;
pub use std::sync::{Arc, Weak};

/// A cell that is written once.
pub type OnceLock<T> = std::sync::OnceLock<T>;
/// A cell that is written once, in no time, and whose contents an explorer follows from the thread that wrote
/// them to those that read.
pub type OnceCell<T> = brief::OnceCell<T>;

/// Atomics and cells that explorers may pass over.
pub mod brief {
    pub use super::super::turns::{Turn, Turns};

    /// A `u64` shared between threads.
    pub type AtomicU64 = std::sync::atomic::AtomicU64;

    /// A cell that is written once, in no time: who comes meanwhile does not sleep but looks again, so
    /// the writer has nobody to wake.
    ///
    /// That is what most of a write of the standard one costs: two read-modify-writes and 90
    /// instructions, where this takes one and 30, and a block's transactions write six of them each.
    #[derive(Debug)]
    pub struct OnceCell<T>(spin::once::Once<T, spin::Yield>);

    impl<T> OnceCell<T> {
        /// An empty cell.
        #[must_use]
        pub const fn new() -> Self {
            Self(spin::once::Once::new())
        }

        /// What was written, if anything was.
        #[inline]
        pub fn get(&self) -> Option<&T> {
            self.0.get()
        }

        /// Writes, unless somebody has.
        ///
        /// # Errors
        ///
        /// The value, if somebody has.
        #[inline]
        pub fn set(&self, value: T) -> Result<(), T> {
            let mut value = Some(value);
            self.0.call_once(|| value.take().unwrap_or_else(|| unreachable!("called once")));
            value.map_or(Ok(()), Err)
        }

        /// What was written, which is what `make` makes if nothing was.
        #[inline]
        pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            self.0.call_once(make)
        }
    }

    impl<T> Default for OnceCell<T> {
        fn default() -> Self {
            Self::new()
        }
    }
}

/// What tables of keys hash with: a seed of its own for each.
pub type RandomState = foldhash::fast::RandomState;
/// A lock without poisoning: a panic under the guard releases it.
pub type Mutex<T> = parking_lot::Mutex<T>;
/// The guard of a [`Mutex`].
pub type MutexGuard<'a, T> = parking_lot::MutexGuard<'a, T>;
/// A condition variable that never wakes spuriously.
pub type Condvar = parking_lot::Condvar;

/// A place for an [`Arc`] that is replaced whole, and read without a lock.
///
/// A wrapper rather than an alias: what it offers is what the explorers' twin promises.
#[derive(Debug)]
pub struct ArcSwap<T>(arc_swap::ArcSwap<T>);

/// A short loan of what an [`ArcSwap`] holds. It is cheaper than an [`Arc`] while a thread has few
/// of them, because it writes to memory of its own thread alone.
#[derive(Debug)]
pub struct ArcSwapGuard<T>(arc_swap::Guard<Arc<T>>);

impl<T> ArcSwap<T> {
    /// A place that holds `value`.
    #[must_use]
    pub fn new(value: Arc<T>) -> Self {
        Self(arc_swap::ArcSwap::new(value))
    }

    /// What it holds, on loan.
    #[must_use]
    pub fn load(&self) -> ArcSwapGuard<T> {
        ArcSwapGuard(self.0.load())
    }

    /// What it holds, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces what it holds.
    pub fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}

impl<T> Deref for ArcSwapGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Whether the named place in the code is to be weakened, to show that a model notices.
///
/// Always false here, so the optimiser removes the weakened branch. Under loom it is true for the
/// name that `cargo loom --weaken` is checking.
#[inline(always)]
#[must_use]
pub const fn weakened(_place: &'static str) -> bool {
    false
}

/// Memory that safe references reach, made visible to an explorer. Nothing here.
///
/// Loom sees atomics and locks, not plain data. A type whose claim is "this never changes once it is
/// shared" holds one of these: whoever reads the data reads the witness, and whoever has the data
/// for itself renews the witness when it writes. Under loom a read that is not ordered after the
/// last write fails the model, and so does a write to what others hold.
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
    pub use std::sync::atomic::Ordering;

    /// A `bool` shared between threads.
    pub type AtomicBool = std::sync::atomic::AtomicBool;
    /// A `u32` shared between threads.
    pub type AtomicU32 = std::sync::atomic::AtomicU32;
    /// A `u64` shared between threads.
    pub type AtomicU64 = std::sync::atomic::AtomicU64;
    /// A `usize` shared between threads.
    pub type AtomicUsize = std::sync::atomic::AtomicUsize;

    /// Orders what is before it against what is after it; `SeqCst` fences have one total order.
    #[inline(always)]
    pub fn fence(order: Ordering) {
        std::sync::atomic::fence(order);
    }
}

/// Bounded and unbounded channels.
pub mod channel {
    pub use crossbeam_channel::{RecvError, SendError, TryRecvError, TrySendError};

    /// The sending half of a channel.
    pub type Sender<T> = crossbeam_channel::Sender<T>;
    /// The receiving half of a channel.
    pub type Receiver<T> = crossbeam_channel::Receiver<T>;

    /// A channel that holds at most `capacity` messages. A capacity of zero is not modelled by the
    /// explorers, so nothing in the library uses it.
    #[must_use]
    pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
        crossbeam_channel::bounded(capacity)
    }

    /// A channel without a limit. Only for what is bounded elsewhere; the caller says where.
    #[must_use]
    pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
        crossbeam_channel::unbounded()
    }
}

/// Threads.
pub mod thread {
    /// Names and starts a thread.
    pub type Builder = std::thread::Builder;
    /// The right to wait for a thread's end.
    pub type JoinHandle<T> = std::thread::JoinHandle<T>;
    /// A handle to a thread, by which it is unparked.
    pub type Thread = std::thread::Thread;

    /// Starts a thread without a name.
    pub fn spawn<F, T>(f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        std::thread::spawn(f)
    }

    /// The handle of the calling thread.
    #[must_use]
    pub fn current() -> Thread {
        std::thread::current()
    }

    /// Whether that is the calling thread.
    #[must_use]
    pub fn is_current(thread: &Thread) -> bool {
        thread.id() == current().id()
    }

    /// Blocks until the calling thread's token is there, or spuriously; takes the token.
    pub fn park() {
        std::thread::park();
    }

    /// Lets another thread run.
    pub fn yield_now() {
        std::thread::yield_now();
    }

    /// How many threads the machine runs at once; 1 where it cannot be told.
    #[must_use]
    pub fn available_parallelism() -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }
}

/// Spinning.
pub mod hint {
    /// Tells the processor, or the explorer, that the caller polls in a loop.
    #[inline(always)]
    pub fn spin_loop() {
        std::hint::spin_loop();
    }
}

/// Time.
pub mod time {
    pub use std::time::Duration;

    /// A point on the monotonic clock.
    pub type Instant = std::time::Instant;
}
