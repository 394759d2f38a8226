//! Something a test fires and a transaction awaits.

// Each test binary uses what it needs of this module, and tests may use std.
#![allow(dead_code, clippy::disallowed_types)]

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

/// Fires once; whoever awaits it goes on from then on.
#[derive(Clone, Default)]
pub(crate) struct Event(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    fired: bool,
    wakers: Vec<Waker>,
}

impl Event {
    pub(crate) fn fire(&self) {
        let wakers = {
            let mut state = self.0.lock().unwrap();
            state.fired = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.fired {
                return Poll::Ready(());
            }
            state.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Suspends once and is woken at once.
pub(crate) async fn pause() {
    let mut paused = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
