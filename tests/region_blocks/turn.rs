//! A wait that ends when another thread has had its turn, so that a context is really suspended.

use std::{
    future::poll_fn,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    task::{Poll, Waker},
};

/// Takes wakers, and calls them, the last one first.
static OTHER: LazyLock<Sender<(Arc<AtomicBool>, Waker)>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<(Arc<AtomicBool>, Waker)>();
    std::thread::spawn(move || {
        while let Ok(first) = receiver.recv() {
            let mut waiting = vec![first];
            waiting.extend(receiver.try_iter());
            for (done, waker) in waiting.into_iter().rev() {
                done.store(true, Ordering::SeqCst);
                waker.wake();
            }
        }
    });
    sender
});

pub(crate) async fn elsewhere() {
    let done = Arc::new(AtomicBool::new(false));
    let mut sent = false;
    poll_fn(|cx| {
        if done.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut sent, true) {
            OTHER.send((done.clone(), cx.waker().clone())).unwrap();
        }
        Poll::Pending
    })
    .await;
}
