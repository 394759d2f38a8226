//! A submitted block is a future that needs no runtime.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use chorus::native::{BlockError, CancelToken};

use crate::{
    event::Event,
    patience::in_time,
    world::{Options, Tx, WAYS, add, adds, block_on, engine, expected, waits},
};

#[test]
fn a_submitted_block_has_the_outcome_of_an_executed_one() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for count in [0, 1, 50] {
                let block = adds(count);
                let results = expected(&block);
                let awaited = engine.submit(block.clone(), HashMap::new(), Options::new());
                let waited = engine.submit(block, HashMap::new(), Options::new());
                assert_eq!(block_on(awaited).unwrap().results, results);
                assert_eq!(waited.wait().unwrap().results, results);
            }
        });
    }
}

#[test]
fn dropping_the_future_midway_cancels_the_block() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for _ in 0..20 {
                let (begun, dropped) = (Event::default(), Arc::new(AtomicUsize::new(0)));
                /// Counts when a closure's future is dropped before its end.
                struct Guard(Arc<AtomicUsize>);
                impl Drop for Guard {
                    fn drop(&mut self) {
                        self.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
                let (begins, guard) = (begun.clone(), dropped.clone());
                let stuck = Tx::new(async move |_| {
                    let _guard = Guard(guard.clone());
                    begins.fire();
                    Event::default().wait().await;
                    Ok(0)
                });
                let mut execution = engine.submit([stuck], HashMap::new(), Options::new());
                let mut context = Context::from_waker(Waker::noop());
                let future = std::pin::Pin::new(&mut execution);
                assert!(future.poll(&mut context).is_pending());
                block_on(begun.wait());
                drop(execution);
                // The engine is free for the next one.
                let block = adds(20);
                let next = engine.submit(block.clone(), HashMap::new(), Options::new());
                assert_eq!(block_on(next).unwrap().results, expected(&block));
                while dropped.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
            }
        });
    }
}

#[test]
fn a_future_that_is_cancelled_ends_with_what_was_committed() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let begun = Event::default();
            let begins = begun.clone();
            let stuck = Tx::new(async move |view| {
                // As soon as it sees the sum, it is its turn.
                if view.get(&0).await == Some(6) {
                    begins.fire();
                }
                Event::default().wait().await;
                Ok(0)
            });
            let mut block = adds(3);
            block.push(stuck);
            let options = Options::new().keep_committed();
            let execution = engine.submit(block, HashMap::new(), options);
            block_on(begun.wait());
            execution.cancel();
            let Err(BlockError::Cancelled { committed: Some(partial) }) = block_on(execution)
            else {
                panic!("it was cancelled")
            };
            let stands = partial.results.len();
            assert!(stands <= 3);
            assert_eq!(partial.results, expected(&adds(3))[..stands]);
        });
    }
}

#[test]
fn a_block_that_waits_in_the_queue_is_stopped_without_its_turn() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let event = Event::default();
            let running = engine.submit([waits(&event)], HashMap::new(), Options::new());
            let token = CancelToken::new();
            let options = Options::new().cancel(&token);
            let by_token = engine.submit([add(1)], HashMap::new(), options);
            let late = Options::new().timeout(Duration::from_millis(10));
            let too_late = engine.submit([add(1)], HashMap::new(), late);
            let by_hand = engine.submit([add(1)], HashMap::new(), Options::new());
            let dropped = engine.submit([add(1)], HashMap::new(), Options::new());
            token.cancel();
            by_hand.cancel();
            drop(dropped);
            let ended = block_on(by_token);
            assert!(matches!(ended, Err(BlockError::Cancelled { .. })));
            assert!(matches!(by_hand.wait(), Err(BlockError::Cancelled { .. })));
            assert!(matches!(block_on(too_late), Err(BlockError::DeadlineExceeded { .. })));
            event.fire();
            assert_eq!(running.wait().unwrap().results, [Ok(0)]);
        });
    }
}

#[test]
fn a_finished_block_keeps_its_outcome_until_it_is_asked_for_and_no_cancel_takes_it() {
    let engine = engine(WAYS[2]);
    let mut execution = engine.submit(adds(5), HashMap::new(), Options::new());
    let last = engine.submit(adds(1), HashMap::new(), Options::new());
    assert!(last.wait().is_ok());
    execution.cancel();
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::Pin::new(&mut execution).poll(&mut context) {
        Poll::Ready(Ok(outcome)) => assert_eq!(outcome.results, expected(&adds(5))),
        other => panic!("{:?}", other.is_ready()),
    }
}
