//! Parking of idle workers, and why no wake-up is lost.
//!
//! A worker that finds nothing to do polls for a short while, then parks until somebody who made
//! work wakes it. Making work is frequent and a parked worker is rare, so the maker pays one fence
//! and one load when nobody is parked.
//!
//! # States of a worker
//!
//! | state | its bit in `announced` | its token | left by |
//! |---|---|---|---|
//! | awake | 0 | no | the worker: sets its bit |
//! | announced | 1 | no | the worker: clears its bit; or a notifier: clears the bit, a *claim* |
//! | claimed | 0 | no | the notifier that claimed it: leaves a token |
//! | woken | 0 | yes | the worker: takes the token |
//!
//! Exactly one side clears a set bit, because clearing is a read-modify-write. So a claim is owed
//! exactly one token, and a worker whose bit was cleared by another waits for exactly one.
//!
//! # The protocol
//!
//! ```text
//!   worker                                notifier
//!   W1  set own bit                       N1  publish the work
//!   W2  fence (SeqCst)                    N2  fence (SeqCst)
//!   W3  look for work again               N3  load the bits; none set: done
//!   W4  wait for a token                  N4  clear one bit (claim), leave a token
//! ```
//!
//! # No work is slept through
//!
//! The two fences have an order. If W2 is before N2, then N3 sees the bit of W1 (or that it was
//! claimed since, by another notifier, which will wake the worker after N1 as well as before), and
//! the worker is woken. If N2 is before W2, then W3 sees the work of N1, and the worker does not
//! park. The orderings of the bits themselves do not matter and are relaxed; what the worker reads
//! after it was woken is ordered by the lock of its token.
//!
//! A worker that is woken, or finds work at W3, looks at everything it serves before it parks
//! again, so a claim that serves two pieces of work loses neither. One case needs care: at W3 the
//! worker finds work that only it can do, while a notifier has claimed it for work that anybody
//! can do. The worker then hands the claim on to another.
//!
//! Closing is a kind of work: the flag is published at N1, all bits are claimed at N4, and W3
//! looks at the flag. It is never taken back, so after it nobody parks.
//!
//! `loom-tests/scheduler_sleep.rs` explores all of this.

use crossbeam_utils::CachePadded;

use crate::sync::{
    Condvar, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
    hint, weakened,
};

/// How many times an idle worker looks for work before it parks, unless told otherwise.
///
/// Waking a parked thread costs several microseconds, about as much as these looks.
/// A model does not look in vain: to look is to be scheduled once more, which an explorer does anyway.
pub const DEFAULT_SPINS: u32 = if cfg!(any(chorus_loom, chorus_shuttle)) { 0 } else { 128 };

/// The number of a worker, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub usize);

impl WorkerId {
    fn word(self) -> usize {
        self.0 / BITS
    }

    fn bit(self) -> u64 {
        1 << (self.0 % BITS)
    }
}

/// Workers per word of announcements.
const BITS: usize = u64::BITS as usize;

/// Why [`Sleepers::park_unless`] returned.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There is work; the worker did not park.
    Ready,
    /// The worker was parked and somebody woke it. There may be work.
    Notified,
    /// The workers are to end.
    Closed,
}

/// The parking place of a fixed number of workers.
#[derive(Debug)]
pub struct Sleepers {
    /// A bit per worker that is about to park or parked, and not claimed.
    announced: Box<[CachePadded<AtomicU64>]>,
    closed: AtomicBool,
    tokens: Box<[CachePadded<Token>]>,
    spins: u32,
}

impl Sleepers {
    /// A parking place for the workers `0..workers`.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self::with_spins(workers, DEFAULT_SPINS)
    }

    /// The same, with the number of looks for work before a worker parks.
    #[must_use]
    pub fn with_spins(workers: usize, spins: u32) -> Self {
        Self {
            announced: (0..workers.div_ceil(BITS)).map(|_| CachePadded::default()).collect(),
            closed: AtomicBool::new(false),
            tokens: (0..workers).map(|_| CachePadded::default()).collect(),
            spins,
        }
    }

    /// Waits until `has_work` holds or somebody wakes this worker.
    ///
    /// `has_work` is called several times and must not block. It has to see what a notifier wrote
    /// before it called `notify_*`; relaxed loads do. At most one thread at a time calls this for
    /// a worker.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    pub fn park_unless(&self, worker: WorkerId, has_work: impl Fn() -> bool) -> Woken {
        let look = || {
            if self.is_closed() { Some(Woken::Closed) } else { has_work().then_some(Woken::Ready) }
        };
        for _ in 0..self.spins {
            if let Some(found) = look() {
                return found;
            }
            hint::spin_loop();
        }
        if let Some(found) = self.announce_unless(worker, look) {
            return found;
        }
        self.tokens[worker.0].take();
        if self.is_closed() { Woken::Closed } else { Woken::Notified }
    }

    /// The part of [`park_unless`](Self::park_unless) before the wait: `true`, and from now on the
    /// worker counts as parked, until [`is_woken`](Self::is_woken) says that it is not. For whoever has
    /// workers that are no threads.
    #[must_use]
    pub fn lie_down_unless(&self, worker: WorkerId, has_work: impl Fn() -> bool) -> bool {
        let look = || (self.is_closed() || has_work()).then_some(Woken::Ready);
        self.announce_unless(worker, look).is_none()
    }

    /// Whether somebody has woken this worker since it lay down. Says so once.
    #[must_use]
    pub fn is_woken(&self, worker: WorkerId) -> bool {
        std::mem::take(&mut *self.tokens[worker.0].there.lock())
    }

    /// Announces the worker and looks for work once more. What it finds takes the announcement back.
    #[inline]
    fn announce_unless(&self, worker: WorkerId, look: impl Fn() -> Option<Woken>) -> Option<Woken> {
        self.announce(worker);
        let found = if weakened("sleep.recheck") { None } else { look() };
        if found.is_some() && !self.clear(worker) {
            self.tokens[worker.0].take();
            if !weakened("sleep.hand-on") {
                self.notify_one();
            }
        }
        found
    }

    /// Wakes one parked worker, if there is any. Call it after the work is published.
    pub fn notify_one(&self) {
        if !weakened("sleep.notify-fence") {
            fence(Ordering::SeqCst);
        }
        for (index, word) in self.announced.iter().enumerate() {
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                // The lowest one, so that few workers stay warm rather than all lukewarm.
                let worker = WorkerId(index * BITS + bits.trailing_zeros() as usize);
                if self.claim(worker) {
                    return;
                }
                bits &= !worker.bit();
            }
        }
    }

    /// Whether a worker is parked or about to be. A hint, without the fence of
    /// [`notify_one`](Self::notify_one): it may be out of date either way.
    #[must_use]
    pub fn any_asleep(&self) -> bool {
        self.announced.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Wakes one worker, if it is parked: what was published is for it alone.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    pub fn notify(&self, worker: WorkerId) {
        fence(Ordering::SeqCst);
        if self.announced[worker.word()].load(Ordering::Relaxed) & worker.bit() != 0 {
            self.claim(worker);
        }
    }

    /// Wakes every parked worker. Call it after the work is published.
    pub fn notify_all(&self) {
        fence(Ordering::SeqCst);
        for worker in (0..self.tokens.len()).map(WorkerId) {
            if self.announced[worker.word()].load(Ordering::Relaxed) & worker.bit() != 0 {
                self.claim(worker);
            }
        }
    }

    /// Wakes every worker for good: from now on nobody parks.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.notify_all();
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.tokens.len()
    }

    fn announce(&self, worker: WorkerId) {
        let word = &self.announced[worker.word()];
        if weakened("sleep.announce-rmw") {
            word.store(word.load(Ordering::Relaxed) | worker.bit(), Ordering::Relaxed);
        } else {
            word.fetch_or(worker.bit(), Ordering::Relaxed);
        }
        if !weakened("sleep.announce-fence") {
            fence(Ordering::SeqCst);
        }
    }

    /// Clears the worker's bit; returns whether it was set.
    fn clear(&self, worker: WorkerId) -> bool {
        let word = &self.announced[worker.word()];
        let before = if weakened("sleep.clear-rmw") {
            let before = word.load(Ordering::Relaxed);
            word.store(before & !worker.bit(), Ordering::Relaxed);
            before
        } else {
            word.fetch_and(!worker.bit(), Ordering::Relaxed)
        };
        before & worker.bit() != 0
    }

    /// Wakes the worker if its bit is still set.
    fn claim(&self, worker: WorkerId) -> bool {
        let claimed = self.clear(worker);
        if claimed {
            self.tokens[worker.0].leave();
        }
        claimed
    }
}

/// What a notifier leaves and the woken worker takes.
#[derive(Debug, Default)]
struct Token {
    there: Mutex<bool>,
    left: Condvar,
}

impl Token {
    fn leave(&self) {
        *self.there.lock() = true;
        self.left.notify_one();
    }

    fn take(&self) {
        let mut there = self.there.lock();
        while !*there {
            self.left.wait(&mut there);
        }
        *there = false;
    }
}
