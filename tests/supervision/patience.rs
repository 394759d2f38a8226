//! A hang is a failure that says so.

// Each test binary uses what it needs of this module.
#![allow(dead_code)]

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long anything here may take; most of it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `f`, and panics if it has not returned after a long while.
pub(crate) fn in_time<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(f()));
    receiver.recv_timeout(PATIENCE).expect("it returns, and does not panic")
}

/// Calls `f`, and says how long it took.
pub(crate) fn timed<R>(f: impl FnOnce() -> R) -> (R, Duration) {
    let begin = Instant::now();
    let result = f();
    (result, begin.elapsed())
}
