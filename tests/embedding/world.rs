//! Blocks that the tests of this binary share.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread,
};

use chorus::native::{Engine, ExecuteOptions, Path, Transaction, execute_sequential};

use crate::event::Event;

pub(crate) type Tx = Transaction<usize, u64, u64, ()>;
pub(crate) type Options = ExecuteOptions<usize, u64, u64, ()>;
pub(crate) type Native = Engine<usize, u64, u64, ()>;

pub(crate) const WAYS: [(Path, usize); 4] =
    [(Path::Direct, 1), (Path::Parallel, 1), (Path::Parallel, 2), (Path::Parallel, 8)];

pub(crate) fn engine((path, threads): (Path, usize)) -> Native {
    Engine::builder().threads(threads).window(64).path(path).build().unwrap()
}

/// Adds its number to key 0, and returns what it found there.
pub(crate) fn add(at: usize) -> Tx {
    Tx::new(async move |view| {
        let sum = view.get(&0).await.unwrap_or(0);
        view.put(&0, sum + at as u64);
        Ok(sum)
    })
}

pub(crate) fn adds(count: usize) -> Vec<Tx> {
    (1..=count).map(add).collect()
}

/// Waits for the event.
pub(crate) fn waits(event: &Event) -> Tx {
    let event = event.clone();
    Tx::new(async move |_| {
        event.wait().await;
        Ok(0)
    })
}

/// What a block of [`adds`] returns.
pub(crate) fn expected(block: &[Tx]) -> Vec<Result<u64, ()>> {
    execute_sequential(block, HashMap::new()).unwrap().results
}

/// The smallest executor there is.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
