//! Back end for production: std atomics and threads, parking_lot locks, crossbeam channels.

pub use std::sync::{Arc, OnceLock, Weak};

pub use parking_lot::{Mutex, MutexGuard};

/// Atomic integers and fences.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// Bounded and unbounded channels.
pub mod channel {
    pub use crossbeam_channel::{
        Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, bounded, unbounded,
    };
}

/// Threads.
pub mod thread {
    pub use std::thread::{Builder, JoinHandle, Thread, current, park, yield_now};
}

/// Spinning.
pub mod hint {
    pub use std::hint::spin_loop;
}

/// Time.
pub mod time {
    pub use std::time::{Duration, Instant};
}
