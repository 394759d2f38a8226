//! Several blocks on one engine: one after the other, and what happens to those that wait when the
//! engine goes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread,
};

use chorus::native::{Base, BaseError, BlockError, Transaction};

use crate::{
    event::Event,
    patience::in_time,
    world::{Options, Tx, WAYS, add, adds, block_on, engine, expected, waits},
};

/// State that goes from block to block.
#[derive(Clone, Default)]
struct Chain(Arc<Mutex<HashMap<usize, u64>>>);

impl Base<usize, u64> for Chain {
    fn get(&self, key: &usize) -> Result<Option<u64>, BaseError> {
        Ok(self.0.lock().unwrap().get(key).copied())
    }
}

#[test]
fn blocks_run_in_the_order_in_which_they_came_each_over_the_state_of_the_one_before() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let chain = Chain::default();
            let blocks: Vec<_> = (0..30)
                .map(|_| {
                    let state = chain.clone();
                    let options = Options::new()
                        .on_commit(move |outcome| outcome.apply_to(&mut state.0.lock().unwrap()));
                    engine.submit(adds(10), chain.clone(), options)
                })
                .collect();
            for (at, block) in blocks.into_iter().enumerate() {
                let before = 55 * at as u64;
                let results = block.wait().unwrap().results;
                let expected =
                    expected(&adds(10)).into_iter().map(|sum| sum.map(|sum| sum + before));
                assert_eq!(results, expected.collect::<Vec<_>>(), "block {at}");
            }
            assert_eq!(chain.0.lock().unwrap()[&0], 55 * 30);
        });
    }
}

#[test]
fn a_block_begins_when_the_former_has_committed_and_not_before() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let log = Arc::new(Mutex::new(Vec::new()));
            let note = |what: &'static str| {
                let log = log.clone();
                move || log.lock().unwrap().push(what)
            };
            let event = Event::default();
            let done = note("first committed");
            let options = Options::new().on_commit(move |_| done());
            let first = engine.submit([waits(&event)], HashMap::new(), options);
            let runs = note("second runs");
            let second = Transaction::new(async move |_| {
                runs();
                Ok(0)
            });
            let second = engine.submit([second], HashMap::new(), Options::new());
            thread::sleep(std::time::Duration::from_millis(5));
            log.lock().unwrap().push("fired");
            event.fire();
            assert!(second.wait().is_ok() && first.wait().is_ok());
            assert_eq!(*log.lock().unwrap(), ["fired", "first committed", "second runs"]);
        });
    }
}

#[test]
fn a_block_that_fails_leaves_the_next_one_its_turn() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let panics = engine.submit(
                [Tx::new(async |_| panic!("a closure"))],
                HashMap::new(),
                Options::new(),
            );
            let callback = Options::new().on_commit(|_| panic!("a callback"));
            let callback = engine.submit(adds(3), HashMap::new(), callback);
            let good = engine.submit(adds(3), HashMap::new(), Options::new());
            assert!(matches!(panics.wait(), Err(BlockError::Panic { index: 0, .. })));
            match callback.wait() {
                Err(BlockError::Host { message }) => assert_eq!(message, "a callback"),
                other => panic!("{:?}", other.map(|outcome| outcome.results)),
            }
            assert_eq!(good.wait().unwrap().results, expected(&adds(3)));
        });
    }
}

#[test]
fn dropping_the_engine_cancels_its_blocks_in_order_and_hangs_nobody() {
    for way in WAYS {
        in_time(move || {
            for queued in [0, 1, 5] {
                let engine = engine(way);
                let (begun, order) = (Event::default(), Arc::new(Mutex::new(Vec::new())));
                let begins = begun.clone();
                let stuck = Tx::new(async move |_| {
                    begins.fire();
                    Event::default().wait().await;
                    Ok(0)
                });
                let mut blocks =
                    vec![engine.submit([stuck], HashMap::new(), Options::new().stream(4))];
                blocks
                    .extend((0..queued).map(|_| {
                        engine.submit([add(1)], HashMap::new(), Options::new().stream(4))
                    }));
                block_on(begun.wait());
                let consumers: Vec<_> = blocks
                    .iter_mut()
                    .enumerate()
                    .map(|(at, block)| {
                        let (outcomes, order) = (block.outcomes().unwrap(), order.clone());
                        thread::spawn(move || {
                            assert_eq!(outcomes.blocking().count(), 0);
                            order.lock().unwrap().push(at);
                        })
                    })
                    .collect();
                drop(engine);
                for block in blocks {
                    assert!(matches!(block.wait(), Err(BlockError::Cancelled { .. })));
                }
                for consumer in consumers {
                    consumer.join().unwrap();
                }
                // Consumers are threads, which come as they come; what counts is that all do.
                assert_eq!(order.lock().unwrap().len(), queued + 1);
            }
        });
    }
}

#[test]
fn an_engine_may_be_dropped_by_its_own_threads() {
    for way in WAYS {
        in_time(move || {
            let shared = Arc::new(Mutex::new(Some(Arc::new(engine(way)))));
            let gone = Event::default();
            let (inner, goes) = (shared.clone(), gone.clone());
            let options = Options::new().on_commit(move |_| {
                // The last one, on the thread that executes submitted blocks.
                drop(inner.lock().unwrap().take());
                goes.fire();
            });
            let engine = shared.lock().unwrap().clone().unwrap();
            let block = engine.submit(adds(4), HashMap::new(), options);
            drop(engine);
            block_on(gone.wait());
            // It was done by then.
            assert_eq!(block.wait().unwrap().results, expected(&adds(4)));
        });
    }
}

#[test]
fn blocks_are_submitted_and_executed_from_several_threads_at_once() {
    for way in WAYS {
        in_time(move || {
            let engine = Arc::new(engine(way));
            let threads: Vec<_> = (0..4)
                .map(|at| {
                    let engine = engine.clone();
                    thread::spawn(move || {
                        for _ in 0..20 {
                            let block = adds(20);
                            let outcome = if at % 2 == 0 {
                                engine
                                    .submit(block.clone(), HashMap::new(), Options::new())
                                    .wait()
                                    .unwrap()
                            } else {
                                engine.execute(&block, HashMap::new()).unwrap()
                            };
                            assert_eq!(outcome.results, expected(&block));
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
