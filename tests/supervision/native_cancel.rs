//! Blocks of closures that are cancelled, or past their deadline.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chorus::native::{
    BlockError, CancelToken, Engine, ExecuteOptions, Path, Transaction, execute_sequential,
};

use crate::{
    event::Event,
    patience::{in_time, timed},
};

type Tx = Transaction<usize, u64, u64, ()>;
type Options = ExecuteOptions<usize, u64, u64, ()>;

const WAYS: [(Path, usize); 4] =
    [(Path::Direct, 1), (Path::Parallel, 1), (Path::Parallel, 2), (Path::Parallel, 8)];

fn engine((path, threads): (Path, usize)) -> Engine<usize, u64, u64, ()> {
    Engine::builder().threads(threads).window(2_000).path(path).build().unwrap()
}

/// Adds its number to key 0, and puts what it found there under its own key.
fn add(at: usize) -> Tx {
    Tx::new(async move |view| {
        let sum = view.get(&0).await.unwrap_or(0);
        view.put(&0, sum + at as u64);
        view.put(&at, sum);
        Ok(sum)
    })
}

/// Waits for something that never happens. Counts those that wait.
fn stuck(waiting: &Arc<AtomicUsize>) -> Tx {
    let waiting = waiting.clone();
    Tx::new(async move |_| {
        waiting.fetch_add(1, Ordering::Relaxed);
        Event::default().wait().await;
        Ok(0)
    })
}

/// What each engine must still be able to do.
fn assert_works(engine: &Engine<usize, u64, u64, ()>) {
    let block: Vec<_> = (1..50).map(add).collect();
    let expected = execute_sequential(&block, HashMap::new()).unwrap();
    let actual = engine.execute(&block, HashMap::new()).unwrap();
    assert_eq!(actual.results, expected.results);
    let sorted = |mut changes: Vec<(usize, Option<u64>)>| {
        changes.sort_unstable();
        changes
    };
    assert_eq!(sorted(actual.changes), sorted(expected.changes));
}

#[test]
fn a_block_whose_closures_wait_for_ever_is_cancelled_and_the_engine_goes_on() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for _ in 0..20 {
                let (token, waiting) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
                let block: Vec<_> = (0..20).map(|_| stuck(&waiting)).collect();
                let canceller = thread::spawn({
                    let token = token.clone();
                    move || {
                        while waiting.load(Ordering::Relaxed) == 0 {
                            thread::yield_now();
                        }
                        token.cancel();
                    }
                });
                let options = Options::new().cancel(&token);
                let ended = engine.execute_with(&block, HashMap::new(), options);
                assert!(matches!(ended, Err(BlockError::Cancelled { committed: None })));
                canceller.join().unwrap();
                assert_works(&engine);
            }
        });
    }
}

#[test]
fn a_thousand_suspended_contexts_are_cancelled_at_once() {
    for threads in [1, 2, 8] {
        in_time(move || {
            let engine = engine((Path::Parallel, threads));
            let (token, waiting) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
            let block: Vec<_> = (0..1_000).map(|_| stuck(&waiting)).collect();
            let canceller = thread::spawn({
                let token = token.clone();
                move || {
                    while waiting.load(Ordering::Relaxed) < 1_000 {
                        thread::yield_now();
                    }
                    token.cancel();
                    Instant::now()
                }
            });
            let options = Options::new().cancel(&token);
            let ended = engine.execute_with(&block, HashMap::new(), options);
            let end = Instant::now();
            assert!(matches!(ended, Err(BlockError::Cancelled { .. })));
            let took = end.saturating_duration_since(canceller.join().unwrap());
            assert!(took < Duration::from_secs(2), "{threads} threads took {took:?}");
            assert_works(&engine);
        });
    }
}

#[test]
fn what_was_committed_before_the_deadline_is_exactly_the_first_transactions() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for stands in [0, 1, 7, 40] {
                let waiting = Arc::new(AtomicUsize::new(0));
                let mut block: Vec<_> = (1..=stands).map(add).collect();
                block.push(stuck(&waiting));
                block.extend((stands + 2..stands + 30).map(add));
                let options = Options::new().timeout(Duration::from_millis(40)).keep_committed();
                let ended = engine.execute_with(&block, HashMap::new(), options);
                let Err(BlockError::DeadlineExceeded { allowed, committed: Some(partial) }) = ended
                else {
                    panic!("{way:?}: {:?}", ended.map(|outcome| outcome.results.len()))
                };
                assert_eq!(allowed, Duration::from_millis(40));
                let expected = execute_sequential(&block[..stands], HashMap::new()).unwrap();
                assert_eq!(partial.results, expected.results, "{way:?}");
                let map = |changes: Vec<_>| changes.into_iter().collect::<HashMap<_, _>>();
                assert_eq!(map(partial.changes), map(expected.changes), "{way:?}");
                assert_works(&engine);
            }
        });
    }
}

/// The cancellation comes from one of the transactions, first to last, early incarnations too.
#[test]
fn a_cancelled_block_leaves_an_exact_prefix_whenever_it_is_cancelled() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let block: Vec<_> = (1..300).map(add).collect();
            let whole = execute_sequential(&block, HashMap::new()).unwrap();
            let mut stopped = 0;
            for round in 0..60 {
                let token = CancelToken::new();
                let mut block = block.clone();
                let (at, from) = (round * 4, token.clone());
                block[at] = Tx::new(async move |view| {
                    let sum = view.get(&0).await.unwrap_or(0);
                    from.cancel();
                    view.put(&0, sum + at as u64 + 1);
                    view.put(&(at + 1), sum);
                    Ok(sum)
                });
                let options = Options::new().cancel(&token).keep_committed();
                match engine.execute_with(&block, HashMap::new(), options) {
                    Ok(outcome) => assert_eq!(outcome.results, whole.results),
                    Err(BlockError::Cancelled { committed }) => {
                        stopped += 1;
                        let partial = committed.map(|partial| *partial);
                        let results = partial.as_ref().map_or(&[][..], |partial| &partial.results);
                        assert!(results.len() < block.len(), "all of it is no part of it");
                        assert_eq!(results, &whole.results[..results.len()]);
                        if let Some(partial) = partial {
                            let sum: u64 = (1..=partial.results.len() as u64).sum();
                            let changes: HashMap<_, _> = partial.changes.into_iter().collect();
                            assert_eq!(changes.get(&0).copied().flatten().unwrap_or(0), sum);
                            let own = usize::from(sum > 0);
                            assert_eq!(changes.len(), partial.results.len() + own);
                        }
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            assert!(stopped > 0, "{way:?}: none was cancelled in time");
        });
    }
}

#[test]
fn a_block_handed_in_after_the_cancellation_or_the_deadline_does_not_begin() {
    for way in WAYS {
        let engine = engine(way);
        let token = CancelToken::new();
        token.cancel();
        let begun = Arc::new(AtomicUsize::new(0));
        let block = [stuck(&begun)];
        let options = Options::new().cancel(&token).keep_committed();
        let ended = engine.execute_with(&block, HashMap::new(), options);
        assert!(matches!(ended, Err(BlockError::Cancelled { committed: None })));
        let options = Options::new().deadline(Instant::now());
        let ended = engine.execute_with(&block, HashMap::new(), options);
        assert!(matches!(ended, Err(BlockError::DeadlineExceeded { .. })));
        assert_eq!(begun.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_deadline_that_is_met_changes_nothing() {
    for way in WAYS {
        let engine = engine(way);
        let block: Vec<_> = (1..50).map(add).collect();
        let expected = execute_sequential(&block, HashMap::new()).unwrap();
        let options = Options::new().timeout(Duration::from_secs(3_600)).keep_committed();
        let (ended, took) = timed(|| engine.execute_with(&block, HashMap::new(), options));
        assert_eq!(ended.unwrap().results, expected.results);
        assert!(took < Duration::from_secs(10));
        // A time beyond the clock's end is no deadline.
        let options = Options::new().timeout(Duration::MAX);
        assert!(engine.execute_with(&block, HashMap::new(), options).is_ok());
    }
}

/// A closure that computes for ever holds its worker. The block ends without it, if another is the
/// calling thread's.
#[test]
fn a_block_ends_although_a_worker_does_not_come_back() {
    in_time(|| {
        let engine = engine((Path::Parallel, 2));
        let token = CancelToken::new();
        let caller = thread::current().id();
        let release = Arc::new(AtomicUsize::new(0));
        let lost = Arc::new(AtomicUsize::new(0));
        let block: Vec<_> = (0..2)
            .map(|_| {
                let (token, release, lost) = (token.clone(), release.clone(), lost.clone());
                Tx::new(async move |view| {
                    if thread::current().id() == caller {
                        while lost.load(Ordering::Relaxed) == 0 {
                            thread::yield_now();
                        }
                        token.cancel();
                        Event::default().wait().await;
                    } else {
                        lost.store(1, Ordering::Relaxed);
                        while release.load(Ordering::Relaxed) == 0 {
                            thread::yield_now();
                        }
                    }
                    Ok(view.get(&0).await.unwrap_or(0))
                })
            })
            .collect();
        let options = Options::new().cancel(&token);
        let ended = engine.execute_with(&block, HashMap::new(), options);
        assert!(matches!(ended, Err(BlockError::Cancelled { .. })));
        // The next blocks do without the lost worker.
        assert_works(&engine);
        release.store(1, Ordering::Relaxed);
        assert_works(&engine);
    });
}
