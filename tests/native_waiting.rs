//! Contexts that wait hold no thread, whatever they wait for.
// Tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

#[path = "common/event.rs"]
mod event;

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use chorus::{
    engine::SharedMemory,
    native::{Engine, Outcome, Path, Transaction, execute_sequential},
    region::{Address, Name, Permissions, RegionOptions, config::SharedMemoryConfig},
};
use event::Event;

const MANY: usize = 1_000;

type Tx = Transaction<usize, u64, u64, ()>;

fn execute(threads: usize, block: &[Tx]) -> Outcome<usize, u64, u64, ()> {
    let builder = Engine::builder().threads(threads).window(2_000).path(Path::Parallel);
    builder.build().unwrap().execute(block, HashMap::new()).unwrap()
}

#[test]
fn a_thousand_contexts_wait_for_an_event_at_once_on_one_worker_and_all_finish() {
    let (event, waiting) = (Event::default(), Arc::new(AtomicUsize::new(0)));
    let mut block: Vec<Tx> = (0..MANY)
        .map(|at| {
            let (event, waiting) = (event.clone(), waiting.clone());
            Tx::new(async move |view| {
                waiting.fetch_add(1, Ordering::Relaxed);
                event.wait().await;
                waiting.fetch_sub(1, Ordering::Relaxed);
                view.put(&at, 1);
                Ok(at as u64)
            })
        })
        .collect();
    let waiters = waiting.clone();
    // One worker: when this one runs, all the others are suspended.
    block.push(Tx::new(async move |_| {
        let seen = waiters.load(Ordering::Relaxed);
        event.fire();
        Ok(seen as u64)
    }));
    let outcome = execute(1, &block);
    assert_eq!(outcome.results[MANY], Ok(MANY as u64), "suspended at once");
    assert_eq!(outcome.results[..MANY], (0..MANY as u64).map(Ok).collect::<Vec<_>>());
    assert_eq!(outcome.changes.len(), MANY);
    assert_eq!(waiting.load(Ordering::Relaxed), 0);
    assert_eq!(outcome.statistics.incarnations, MANY as u64 + 1);
    assert_eq!(outcome.statistics.suspensions, MANY as u64);
}

/// Transaction 0 is hinted to write key 0 and finishes when the last transaction has run; all
/// between read key 0.
fn estimate_block() -> Vec<Tx> {
    let event = Event::default();
    let write = {
        let event = event.clone();
        Tx::new(async move |view| {
            event.wait().await;
            view.put(&0, 42);
            Ok(0)
        })
        .with_write_hints([0])
    };
    let read = |at: usize| {
        Tx::new(async move |view| {
            let value = view.get(&0).await.unwrap_or(0);
            view.put(&at, value);
            Ok(value)
        })
    };
    let fire = Tx::new(async move |_| {
        event.fire();
        Ok(0)
    });
    std::iter::once(write).chain((1..=MANY).map(read)).chain([fire]).collect()
}

#[test]
fn a_thousand_contexts_wait_for_one_estimate_at_once_on_one_worker_and_all_finish() {
    let outcome = execute(1, &estimate_block());
    assert_eq!(outcome.results[1..=MANY], vec![Ok(42); MANY]);
    assert_eq!(outcome.changes.len(), MANY + 1);
    // Nobody read too early, and every reader was suspended before the event was fired.
    assert_eq!(outcome.statistics.incarnations, MANY as u64 + 2);
    assert_eq!(outcome.statistics.suspensions, MANY as u64 + 1);
}

#[test]
fn a_thousand_contexts_wait_for_one_estimate_on_several_workers_and_all_finish() {
    for threads in [2, 4, 8] {
        let outcome = execute(threads, &estimate_block());
        assert_eq!(outcome.results[1..=MANY], vec![Ok(42); MANY], "{threads} threads");
        assert_eq!(outcome.statistics.incarnations, MANY as u64 + 2, "{threads} threads");
    }
}

#[test]
fn closures_await_other_threads_on_either_path() {
    let block: Vec<Tx> = (0..20)
        .map(|at| {
            Tx::new(async move |view| {
                let event = Event::default();
                let elsewhere = event.clone();
                std::thread::spawn(move || elsewhere.fire());
                event.wait().await;
                let sum = view.get(&0).await.unwrap_or(0) + at;
                view.put(&0, sum);
                Ok(sum)
            })
        })
        .collect();
    let reference = execute_sequential(&block, HashMap::new()).unwrap();
    assert_eq!(reference.changes, [(0, Some(190))]);
    for threads in [1, 2, 8] {
        let outcome = execute(threads, &block);
        assert_eq!(outcome.results, reference.results);
        assert_eq!(outcome.changes, reference.changes);
    }
}

/// Polls its part only when the part's own waker was called, as many combinators do.
async fn picky<T>(part: impl Future<Output = T>) -> T {
    struct Part {
        woken: AtomicUsize,
        whole: Waker,
    }
    impl Wake for Part {
        fn wake(self: Arc<Self>) {
            self.woken.store(1, Ordering::SeqCst);
            self.whole.wake_by_ref();
        }
    }
    let mut part = pin!(part);
    let mut inner: Option<Arc<Part>> = None;
    poll_fn(move |cx| {
        let inner = inner.get_or_insert_with(|| {
            Arc::new(Part { woken: AtomicUsize::new(1), whole: cx.waker().clone() })
        });
        if inner.woken.swap(0, Ordering::SeqCst) == 0 {
            return Poll::Pending;
        }
        part.as_mut().poll(&mut Context::from_waker(&Waker::from(inner.clone())))
    })
    .await
}

#[test]
fn a_read_wakes_the_combinator_that_polled_it() {
    let event = Event::default();
    let write = {
        let event = event.clone();
        Tx::new(async move |view| {
            event.wait().await;
            view.put(&0, 42);
            Ok(0)
        })
        .with_write_hints([0])
    };
    let read = Tx::new(async |view| Ok(picky(view.get(&0)).await.unwrap_or(0)));
    let fire = Tx::new(async move |_| {
        event.fire();
        Ok(0)
    });
    let outcome = execute(1, &[write, read, fire]);
    assert_eq!(outcome.results[1], Ok(42));
}

/// Polls both whenever it is polled, as a join does.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(move |cx| {
        if first.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            halves => {
                (first, second) = halves;
                Poll::Pending
            }
        }
    })
    .await
}

/// Each had cancelled the other's question to the registry, and the context asked for ever.
#[test]
fn two_lookups_side_by_side_are_both_answered() {
    let mut config = SharedMemoryConfig::production();
    config.chain.active_from = Some(0);
    let memory = SharedMemory::new(config).unwrap();
    let owner = Address::from_number(1);
    let [first, second] = ["first", "second"].map(|name| Name::new(name).unwrap());
    let all = (Permissions::ALL, RegionOptions::PERSISTENT);
    let handle = memory.create(owner, first, 64, all.0, all.1).unwrap();
    let block = [Tx::new(async move |view| {
        let regions = view.regions();
        let found = both(regions.open(owner, first), regions.open(owner, second)).await;
        assert_eq!(found, (Ok(Some(handle)), Ok(None)));
        Ok(1)
    })];
    let engine = Engine::builder().threads(1).path(Path::Parallel).shared_memory(memory);
    let outcome = engine.build().unwrap().execute(&block, HashMap::new()).unwrap();
    assert_eq!(outcome.results, [Ok(1)]);
}
