//! What panics where a closure's own protection does not reach: in methods of keys and values.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use chorus::native::{BlockError, Engine, Path, Transaction};

use crate::patience::in_time;

/// A value whose copies panic when told so.
#[derive(Debug, Default)]
struct Fragile {
    broken: Arc<AtomicBool>,
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.broken.load(Ordering::Relaxed), "a fragile value broke");
        Self { broken: self.broken.clone() }
    }
}

impl PartialEq for Fragile {
    fn eq(&self, _: &Self) -> bool {
        assert!(!self.broken.load(Ordering::Relaxed), "a fragile value broke");
        true
    }
}

impl Eq for Fragile {}

/// A key that cannot be found a second time when it is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key(u32, bool);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert!(!self.1, "a key broke");
        self.0.hash(state);
    }
}

type Tx = Transaction<Key, Fragile, (), ()>;

fn engine(threads: usize) -> Engine<Key, Fragile, (), ()> {
    Engine::builder().threads(threads).path(Path::Parallel).build().unwrap()
}

fn assert_works(engine: &Engine<Key, Fragile, (), ()>) {
    let block: Vec<_> = (0..20)
        .map(|at| {
            Tx::new(async move |view| {
                let _ = view.get(&Key(at, false)).await;
                view.put(&Key(at, false), Fragile::default());
                Ok(())
            })
        })
        .collect();
    assert_eq!(engine.execute(&block, HashMap::new()).unwrap().results, vec![Ok(()); 20]);
}

#[test]
fn a_worker_that_panics_ends_its_block_with_an_error_and_the_next_block_runs() {
    for threads in [1, 2, 8] {
        in_time(move || {
            let engine = engine(threads);
            for _ in 0..20 {
                // The key breaks when the trace looks its entry up, outside of the closure.
                let block: Vec<_> = (0..20)
                    .map(|at| {
                        Tx::new(async move |view| {
                            if at == 7 {
                                let broken = Arc::new(AtomicBool::new(false));
                                view.put(&Key(0, false), Fragile { broken: broken.clone() });
                                broken.store(true, Ordering::Relaxed);
                            } else {
                                let _ = view.get(&Key(0, false)).await;
                            }
                            Ok(())
                        })
                    })
                    .collect();
                match engine.execute(&block, HashMap::new()) {
                    Err(BlockError::Worker { worker }) => assert!(worker < threads),
                    Err(BlockError::Panic { .. }) => {}
                    other => panic!("{threads} threads: {:?}", other.map(|_| ())),
                }
                assert_works(&engine);
            }
        });
    }
}

#[test]
fn a_closure_that_panics_ends_its_block_with_its_index_and_the_next_block_runs() {
    for threads in [1, 2, 8] {
        in_time(move || {
            let engine = engine(threads);
            for _ in 0..20 {
                let block: Vec<_> = (0..20)
                    .map(|at| {
                        Tx::new(async move |view| {
                            let _ = view.get(&Key(at, at == 11)).await;
                            Ok(())
                        })
                    })
                    .collect();
                let ended = engine.execute(&block, HashMap::new());
                assert!(matches!(ended, Err(BlockError::Panic { index: 11, .. })), "{ended:?}");
                assert_works(&engine);
            }
        });
    }
}
