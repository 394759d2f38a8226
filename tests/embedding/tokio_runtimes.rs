//! The same future on each flavour of tokio's runtime. The engine knows none of them.

use std::{collections::HashMap, time::Duration};

use chorus::native::BlockError;
use tokio::{
    runtime::{Builder, Runtime},
    task::{LocalSet, spawn_local},
};

use crate::{
    event::Event,
    patience::in_time,
    world::{Options, WAYS, adds, engine, expected, waits},
};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

#[test]
fn a_block_is_awaited_on_every_flavour() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            let block = adds(40);
            let results = expected(&block);
            let submit = || engine.submit(block.clone(), HashMap::new(), Options::new());
            for runtime in [current_thread(), multi_thread()] {
                let outcome = runtime.block_on(submit()).unwrap();
                assert_eq!(outcome.results, results);
                // In a task of its own, which may move between threads.
                let task = runtime.spawn(submit());
                assert_eq!(runtime.block_on(task).unwrap().unwrap().results, results);
                let local = LocalSet::new();
                let outcome = local
                    .block_on(&runtime, async { spawn_local(submit()).await.unwrap().unwrap() });
                assert_eq!(outcome.results, results);
            }
        });
    }
}

#[test]
fn tokios_own_timeout_cancels_the_block_by_dropping_it() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for runtime in [current_thread(), multi_thread()] {
                let stuck = [waits(&Event::default())];
                runtime.block_on(async {
                    let execution = engine.submit(stuck, HashMap::new(), Options::new());
                    let ended = tokio::time::timeout(Duration::from_millis(20), execution).await;
                    assert!(ended.is_err(), "it never ends by itself");
                    let next = engine.submit(adds(9), HashMap::new(), Options::new()).await;
                    assert_eq!(next.unwrap().results, expected(&adds(9)));
                });
            }
        });
    }
}

#[test]
fn tasks_of_a_runtime_are_what_closures_wait_for() {
    for way in WAYS {
        in_time(move || {
            let engine = engine(way);
            for runtime in [current_thread(), multi_thread()] {
                let event = Event::default();
                runtime.block_on(async {
                    let execution = engine.submit([waits(&event)], HashMap::new(), Options::new());
                    let fires = tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        event.fire();
                    });
                    assert_eq!(execution.await.unwrap().results, [Ok(0)]);
                    fires.await.unwrap();
                });
            }
        });
    }
}

#[test]
fn a_deadline_of_the_engines_own_needs_no_runtime() {
    in_time(|| {
        let engine = engine(WAYS[2]);
        let options = Options::new().timeout(Duration::from_millis(10));
        let execution = engine.submit([waits(&Event::default())], HashMap::new(), options);
        let ended = Builder::new_current_thread().build().unwrap().block_on(execution);
        assert!(matches!(ended, Err(BlockError::DeadlineExceeded { .. })));
    });
}
