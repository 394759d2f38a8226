//! Outcomes while the block runs.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use chorus::native::{BlockError, CancelToken, Outcomes};
use futures_core::Stream;

use crate::{
    event::Event,
    patience::in_time,
    world::{Options, Tx, WAYS, adds, block_on, engine, expected, waits},
};

async fn next<R>(outcomes: &mut Outcomes<R>) -> Option<R> {
    poll_fn(|context| Pin::new(&mut *outcomes).poll_next(context)).await
}

#[test]
fn outcomes_come_in_order_and_the_blocks_own_outcome_is_still_whole() {
    for way in WAYS {
        for buffer in [1, 3, 1_000] {
            in_time(move || {
                let engine = engine(way);
                let block = adds(200);
                let results = expected(&block);
                let options = Options::new().stream(buffer);
                let mut execution = engine.submit(block, HashMap::new(), options);
                let mut outcomes = execution.outcomes().unwrap();
                assert!(execution.outcomes().is_none(), "once");
                let mut streamed = Vec::new();
                block_on(async {
                    while let Some(outcome) = next(&mut outcomes).await {
                        streamed.push(outcome);
                    }
                });
                assert_eq!(streamed, results);
                assert_eq!(block_on(execution).unwrap().results, results);
            });
        }
    }
}

#[test]
fn outcomes_are_there_before_the_block_has_ended() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let event = Event::default();
            let mut block = adds(5);
            block.push(waits(&event));
            let mut options = Options::new().stream(100);
            let mut outcomes = options.outcomes().unwrap();
            let execution = engine.submit(block, HashMap::new(), options);
            let first = expected(&adds(5));
            block_on(async {
                for outcome in first {
                    assert_eq!(next(&mut outcomes).await, Some(outcome));
                }
                event.fire();
                assert_eq!(next(&mut outcomes).await, Some(Ok(0)));
                assert_eq!(next(&mut outcomes).await, None);
            });
            assert!(execution.wait().is_ok());
        });
    }
}

/// The commits stall at the buffer, the transactions run as far as the window reaches, and then
/// nothing more happens until somebody takes.
#[test]
fn a_slow_consumer_holds_commits_up_and_execution_goes_on_within_the_window() {
    const BUFFER: usize = 4;
    const WINDOW: usize = 64;
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let ran = Arc::new(AtomicUsize::new(0));
            let block: Vec<_> = (0..300)
                .map(|at| {
                    let ran = ran.clone();
                    Tx::new(async move |view| {
                        view.put(&at, 1);
                        ran.fetch_add(1, Ordering::Relaxed);
                        Ok(at as u64)
                    })
                })
                .collect();
            let options = Options::new().stream(BUFFER as u32);
            let mut execution = engine.submit(block, HashMap::new(), options);
            let mut outcomes = execution.outcomes().unwrap();
            let ahead = if way.0 == chorus::native::Path::Direct { 1 } else { WINDOW };
            for taken in 0..3 {
                // A moment later it still stands where it stands.
                thread::sleep(Duration::from_millis(30));
                let ran = ran.load(Ordering::Relaxed);
                assert!(ran <= taken + BUFFER + ahead, "{way:?}: {ran} ran, {taken} taken");
                assert!(ran >= taken + BUFFER, "{way:?}: {ran} ran, {taken} taken");
                assert_eq!(block_on(next(&mut outcomes)), Some(Ok(taken as u64)));
            }
            let rest: Vec<_> = outcomes.blocking().map(Result::unwrap).collect();
            assert!(rest.into_iter().eq(3..300));
            assert_eq!(execution.wait().unwrap().results.len(), 300);
        });
    }
}

#[test]
fn a_dropped_stream_holds_nothing_up() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let block = adds(100);
            for taken in [0, 1, 10] {
                let options = Options::new().stream(2);
                let mut execution = engine.submit(block.clone(), HashMap::new(), options);
                let mut outcomes = execution.outcomes().unwrap();
                for _ in 0..taken {
                    assert!(block_on(next(&mut outcomes)).is_some());
                }
                drop(outcomes);
                assert_eq!(execution.wait().unwrap().results, expected(&block));
            }
            // One that nobody took.
            let execution = engine.submit(block.clone(), HashMap::new(), Options::new().stream(1));
            assert_eq!(execution.wait().unwrap().results, expected(&block));
            let options = Options::new().stream(1);
            let outcome = engine.execute_with(&block, HashMap::new(), options).unwrap();
            assert_eq!(outcome.results, expected(&block));
        });
    }
}

#[test]
fn a_blocking_caller_streams_to_another_thread() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let block = adds(100);
            let mut options = Options::new().stream(2);
            let outcomes = options.outcomes().unwrap();
            let consumer = thread::spawn(move || outcomes.blocking().collect::<Vec<_>>());
            let outcome = engine.execute_with(&block, HashMap::new(), options).unwrap();
            assert_eq!(consumer.join().unwrap(), outcome.results);
        });
    }
}

/// A consumer that takes nothing does not keep a cancelled block from its end, and what it finds then
/// is the committed prefix.
#[test]
fn a_stalled_block_can_be_cancelled_and_its_stream_is_what_was_committed() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let block = adds(100);
            let token = CancelToken::new();
            let options = Options::new().stream(3).cancel(&token).keep_committed();
            let mut execution = engine.submit(block.clone(), HashMap::new(), options);
            let outcomes = execution.outcomes().unwrap();
            thread::sleep(Duration::from_millis(10));
            token.cancel();
            let Err(BlockError::Cancelled { committed: Some(partial) }) = execution.wait() else {
                panic!("it cannot have been done")
            };
            assert_eq!(partial.results, expected(&block)[..3], "{way:?}");
            assert_eq!(outcomes.blocking().collect::<Vec<_>>(), partial.results);
        });
    }
}
