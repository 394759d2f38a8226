//! Back end for model checks: loom explores every interleaving of the operations below.
//!
//! Loom gives `SeqCst` accesses no more than acquire and release, so a protocol that is proved
//! here takes its total order from a read-modify-write or from a `SeqCst` fence.

pub use std::sync::{Arc, Weak};

pub use super::twin::channel;
pub use super::twin::{ArcSwap, ArcSwapGuard, Condvar, Mutex, MutexGuard};

/// A cell that is written once; the standard one, see the module's documentation.
pub type OnceLock<T> = std::sync::OnceLock<T>;

/// A cell that is written once, which orders whoever reads it after whoever wrote it, as the standard one
/// does; only that loom sees it here. Needed where what is written holds something of loom's.
#[derive(Debug)]
pub struct OnceCell<T> {
    written: atomic::AtomicBool,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceCell<T> {
    /// An empty cell.
    #[must_use]
    pub fn new() -> Self {
        Self { written: atomic::AtomicBool::new(false), value: std::sync::OnceLock::new() }
    }

    /// What was written, if anything was.
    pub fn get(&self) -> Option<&T> {
        if self.written.load(atomic::Ordering::Acquire) { self.value.get() } else { None }
    }

    /// Writes, unless somebody has.
    ///
    /// # Errors
    ///
    /// The value, if somebody has.
    pub fn set(&self, value: T) -> Result<(), T> {
        // Loom changes threads before the swap and not after it, so both are one step.
        self.written.swap(true, atomic::Ordering::AcqRel);
        self.value.set(value)
    }

    /// What was written, which is what `make` makes if nothing was.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            let _ = self.set(make());
        }
        self.value.get_or_init(|| unreachable!("it has just been written"))
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[path = "loom_brief.rs"]
pub mod brief;

/// What tables of keys hash with: alike in each run, as an explorer that repeats a schedule needs.
pub type RandomState = foldhash::fast::FixedState;

/// Whether the named place in the code is to be weakened, to show that a model notices.
///
/// The name comes from `CHORUS_WEAKEN`, so that one build serves all weakenings.
#[must_use]
pub fn weakened(place: &'static str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("CHORUS_WEAKEN").ok()).as_deref() == Some(place)
}

/// Memory that safe references reach, made visible to the search.
///
/// The std back end says what it is for. Loom lets nobody touch an atomic who is not ordered after
/// its creation, so a renewed witness is a new atomic. That the writer is the only holder is not
/// checked here: `Arc::get_mut` and `Arc::make_mut` say so, and they order the writer after whoever
/// held the data before, which is std's promise and not part of a model.
#[derive(Debug, Default)]
pub struct Witness {
    /// How often the data was written while it was shared.
    overwritten: atomic::AtomicU32,
}

impl Clone for Witness {
    /// The witness of a copy, which nobody else has seen.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Witness {
    /// The data is read.
    ///
    /// # Panics
    ///
    /// Unless this is ordered after the last write, or if the data was written while it was shared.
    pub fn read(&self) {
        let overwritten = self.overwritten.load(atomic::Ordering::Relaxed);
        assert_eq!(overwritten, 0, "shared data was written while it was held");
    }

    /// The data is written by its only holder: all reads from now on must be ordered after this.
    pub fn renew(&mut self) {
        *self = Self::default();
    }

    /// The data would be written while others hold it. Only a weakened place does that.
    pub fn overwrite(&self) {
        self.overwritten.fetch_add(1, atomic::Ordering::Relaxed);
    }
}

/// Atomic integers and fences.
pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// One thread's parking place: a token that stays until it is taken.
///
/// Loom's own `park` is invisible to its search, and its `unpark` also wakes a thread that waits
/// for a lock. `Notify` is neither, and it returns spuriously in some of the interleavings, which
/// std allows.
#[derive(Debug, Default)]
pub(super) struct Token(loom::sync::Notify);

impl Token {
    pub(super) fn wait(&self) {
        self.0.wait();
    }

    pub(super) fn notify(&self) {
        self.0.notify();
    }
}

/// Threads.
pub mod thread {
    use std::{cell::RefCell, io, sync::Arc};

    use super::Token;

    pub use loom::thread::yield_now;

    loom::thread_local! {
        static CURRENT: RefCell<Option<Thread>> = RefCell::new(None);
    }

    /// A handle to a thread, by which it is unparked.
    #[derive(Clone, Debug)]
    pub struct Thread(Arc<Inner>);

    /// Which thread it is, among those that have not been forgotten.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ThreadId(usize);

    #[derive(Debug)]
    struct Inner {
        name: Option<String>,
        token: Token,
    }

    impl Thread {
        fn new(name: Option<String>) -> Self {
            Self(Arc::new(Inner { name, token: Token::default() }))
        }

        /// Leaves a token for the thread, which ends its current or next `park`.
        pub fn unpark(&self) {
            self.0.token.notify();
        }

        /// Which thread it is. Valid as long as a handle is held.
        #[must_use]
        pub fn id(&self) -> ThreadId {
            ThreadId(Arc::as_ptr(&self.0).addr())
        }

        /// The name it was given.
        #[must_use]
        pub fn name(&self) -> Option<&str> {
            self.0.name.as_deref()
        }
    }

    /// The handle of the calling thread.
    #[must_use]
    pub fn current() -> Thread {
        CURRENT
            .with(|current| current.borrow_mut().get_or_insert_with(|| Thread::new(None)).clone())
    }

    /// Whether that is the calling thread.
    #[must_use]
    pub fn is_current(thread: &Thread) -> bool {
        Arc::ptr_eq(&thread.0, &current().0)
    }

    /// Blocks until the calling thread's token is there, or spuriously; takes the token.
    pub fn park() {
        current().0.token.wait();
    }

    /// The right to wait for a thread's end.
    #[derive(Debug)]
    pub struct JoinHandle<T> {
        inner: loom::thread::JoinHandle<T>,
        thread: Thread,
    }

    impl<T> JoinHandle<T> {
        /// Waits for the thread's end.
        ///
        /// # Errors
        ///
        /// Never under loom: a panic of any thread ends the model.
        pub fn join(self) -> std::thread::Result<T> {
            self.inner.join()
        }

        /// The thread's handle.
        #[must_use]
        pub fn thread(&self) -> &Thread {
            &self.thread
        }
    }

    /// Names and starts a thread.
    #[derive(Debug, Default)]
    pub struct Builder {
        name: Option<String>,
    }

    impl Builder {
        /// A thread without a name.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// Names it.
        #[must_use]
        pub fn name(mut self, name: String) -> Self {
            self.name = Some(name);
            self
        }

        /// Accepted and ignored: a model's thread has the stack that loom gives it.
        #[must_use]
        pub fn stack_size(self, _bytes: usize) -> Self {
            self
        }

        /// Starts it.
        ///
        /// # Errors
        ///
        /// Never under loom.
        pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            let thread = Thread::new(self.name);
            let own = thread.clone();
            let inner = loom::thread::spawn(move || {
                CURRENT.with(|current| *current.borrow_mut() = Some(own));
                f()
            });
            Ok(JoinHandle { inner, thread })
        }
    }

    /// Starts a thread without a name.
    pub fn spawn<F, T>(f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Builder::new().spawn(f).expect("loom starts every thread")
    }

    /// A model names its own number of threads; code that asks gets two.
    #[must_use]
    pub fn available_parallelism() -> usize {
        2
    }
}

/// Spinning.
pub mod hint {
    /// Lets another thread run: without it a loop that polls would have no end.
    pub fn spin_loop() {
        loom::thread::yield_now();
    }
}

/// Time.
pub mod time {
    pub use std::time::Duration;

    /// A point on the monotonic clock; a model must not branch on it.
    pub type Instant = std::time::Instant;
}
