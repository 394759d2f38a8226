//! One answer on its way, and everybody who waits for it.
//!
//! | state | `answer` | wakers | left by |
//! |---|---|---|---|
//! | in flight | none | of those who asked and went to wait | [`land`](Flight::land), once |
//! | landed | the answer | none | – |
//!
//! A waiter registers and looks in one step under the lock, and landing puts the answer down and takes
//! the wakers in one step, so each waker was registered before the answer (and is woken) or its
//! owner saw the answer. Wakers are called without the lock: what they wake may look at once.

use std::task::{Wake, Waker};

use smallvec::SmallVec;

use crate::sync::{
    Arc, Condvar, Mutex, hint,
    time::{Duration, Instant},
    weakened,
};

/// An answer that one party will give and any number may wait for.
#[derive(Debug)]
pub struct Flight<V> {
    inner: Mutex<Inner<V>>,
}

#[derive(Debug)]
struct Inner<V> {
    answer: Option<V>,
    wakers: SmallVec<[Waker; 1]>,
}

impl<V> Default for Flight<V> {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { answer: None, wakers: SmallVec::new() }) }
    }
}

impl<V: Clone> Flight<V> {
    /// The answer, or else a promise to wake.
    pub fn poll(&self, waker: &Waker) -> Option<V> {
        let mut inner = self.inner.lock();
        if weakened("flight.register-locked") && inner.answer.is_none() {
            drop(inner);
            inner = self.inner.lock();
            inner.wakers.push(waker.clone());
            return None;
        }
        if inner.answer.is_none() && !inner.wakers.iter().any(|known| known.will_wake(waker)) {
            inner.wakers.push(waker.clone());
        }
        inner.answer.clone()
    }

    /// The answer, if it is there.
    pub fn peek(&self) -> Option<V> {
        self.inner.lock().answer.clone()
    }

    /// Gives the answer and wakes whoever waits. The first answer stands.
    pub fn land(&self, answer: V) {
        let wakers = {
            let mut inner = self.inner.lock();
            if inner.answer.is_none() || weakened("flight.first-stands") {
                inner.answer = Some(answer);
            }
            std::mem::take(&mut inner.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes whoever waits without an answer: there may be another reason to go on.
    pub fn stir(&self) {
        let wakers = std::mem::take(&mut self.inner.lock().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Blocks the calling thread until the answer is there, or `gone` says that none will come; whoever
    /// makes it say so calls [`stir`](Self::stir) next. `drive` is called first and as long as it
    /// returns `true`, which says that the answer hangs on being called again.
    pub fn wait(&self, drive: impl FnMut() -> bool, gone: impl Fn() -> bool) -> Option<V> {
        self.wait_looking(drive, gone, None)
    }

    /// The same, for a `gone` of which nobody tells: asked at least once per `every`, if that is
    /// given.
    pub fn wait_looking(
        &self,
        mut drive: impl FnMut() -> bool,
        gone: impl Fn() -> bool,
        every: Option<Duration>,
    ) -> Option<V> {
        let alarm = Arc::new(Alarm::default());
        let waker = Waker::from(alarm.clone());
        loop {
            if let Some(answer) = self.poll(&waker) {
                return Some(answer);
            }
            if gone() && !weakened("flight.gone") {
                return None;
            }
            if drive() {
                hint::spin_loop();
            } else {
                alarm.sleep(every);
            }
        }
    }
}

/// The waker of a thread that blocks.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Alarm {
    /// Sleeps until rung, once per ring, and no longer than `most`, if that is given.
    pub(crate) fn sleep(&self, most: Option<Duration>) {
        let mut rung = self.rung.lock();
        let end = most.and_then(|most| Instant::now().checked_add(most));
        while !*rung {
            match end {
                None => self.bell.wait(&mut rung),
                Some(end) if Instant::now() < end => {
                    let _ = self.bell.wait_until(&mut rung, end);
                }
                Some(_) => break,
            }
        }
        *rung = false;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.bell.notify_one();
    }
}
