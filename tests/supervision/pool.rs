//! Workers that panic and threads that die, below any façade.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use chorus::{
    context::{Attempt, Conclusion, Machine, Run},
    engine::WorkerPool,
    state::TxIndex,
};

use crate::patience::in_time;

/// Transactions without state, which panic where they are told to.
struct Block {
    transactions: u32,
    panics: Option<Place>,
    committed: Mutex<Vec<u32>>,
    threads: Mutex<Vec<thread::ThreadId>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Start,
    Poll,
    Publish,
    Validate,
    Commit,
    Retire,
    EndBlock,
    Assist,
}

/// Panics when its thread ends it, if it has been in a panic; a second panic kills the thread.
#[derive(Default)]
struct Worker {
    fatal: bool,
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Worker {
    fn drop(&mut self) {
        if self.fatal {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            panic!("the worker's state cannot be dropped");
        }
    }
}

impl Block {
    fn new(panics: Option<Place>) -> Self {
        let (committed, threads) = Default::default();
        Self { transactions: 40, panics, committed, threads }
    }

    fn at(&self, place: Place, tx: u32) {
        assert!(self.panics != Some(place) || tx != 9, "told to panic: {place:?}");
    }
}

thread_local! {
    static ENDS: std::cell::Cell<Option<Place>> = const { std::cell::Cell::new(None) };
}

impl Machine for Block {
    type Trace = u32;
    type Task = u32;
    type Worker = Worker;
    type Error = usize;

    fn transactions(&self) -> u32 {
        self.transactions
    }

    fn start(run: &Arc<Run<Self>>, worker: &mut Worker, tx: TxIndex) -> u32 {
        let me = thread::current().id();
        let mut threads = run.machine.threads.lock().unwrap();
        if !threads.contains(&me) {
            threads.push(me);
        }
        drop(threads);
        worker.fatal |= run.machine.panics.is_some() && thread::current().name() != Some("caller");
        ENDS.set(run.machine.panics.filter(|_| tx.0 == 9));
        run.machine.at(Place::Start, tx.0);
        tx.0
    }

    fn poll(run: &Arc<Run<Self>>, _: &mut Worker, task: &mut u32) -> Poll<Attempt<u32>> {
        run.machine.at(Place::Poll, *task);
        // Long enough for everybody to get some.
        thread::yield_now();
        Poll::Ready(Attempt::Finished(*task))
    }

    fn retire(_: &mut Worker, task: u32, _: bool) {
        assert!(ENDS.get() != Some(Place::Retire) || task != 9, "told to panic");
    }

    fn worker_died(worker: usize) -> usize {
        worker
    }

    fn end_block(_: &mut Worker) {
        assert!(ENDS.take() != Some(Place::EndBlock), "told to panic");
    }

    fn assist(run: &Arc<Run<Self>>) -> Duration {
        run.machine.at(Place::Assist, 9);
        Duration::from_micros(50)
    }

    fn validate(&self, tx: TxIndex, _: &u32) -> bool {
        self.at(Place::Validate, tx.0);
        true
    }

    fn may_hold(&self, _: TxIndex, _: &u32) -> bool {
        true
    }

    fn publish(&self, tx: TxIndex, _: &mut u32, _: Option<u32>, _: &mut Vec<TxIndex>) {
        self.at(Place::Publish, tx.0);
    }

    fn retract(&self, _: TxIndex, _: &u32) {}

    fn commit(
        &self,
        tx: TxIndex,
        _: u32,
        _: bool,
        _: Option<u32>,
        _: &mut Vec<TxIndex>,
    ) -> Result<(), usize> {
        self.at(Place::Commit, tx.0);
        self.committed.lock().unwrap().push(tx.0);
        Ok(())
    }

    fn work(_: &u32) -> u64 {
        1
    }
}

fn execute(pool: &WorkerPool<Block>, panics: Option<Place>) -> (Conclusion<usize>, Vec<u32>) {
    let run = Arc::new(Run::new(Block::new(panics), pool.workers(), 64));
    pool.execute(&run);
    let conclusion = run.conclude();
    let committed = std::mem::take(&mut *run.machine.committed.lock().unwrap());
    (conclusion, committed)
}

#[test]
fn a_panic_at_any_place_ends_the_block_and_not_the_pool() {
    for workers in [1, 2, 8] {
        let caller = thread::Builder::new().name("caller".into());
        let test = move || {
            let pool = WorkerPool::new(workers).unwrap();
            for place in [
                Place::Start,
                Place::Poll,
                Place::Publish,
                Place::Validate,
                Place::Commit,
                Place::Retire,
                Place::EndBlock,
                Place::Assist,
            ] {
                for _ in 0..10 {
                    let (ended, committed) = execute(&pool, Some(place));
                    // Some places are not passed in every run.
                    match ended {
                        Conclusion::Failed(worker) => assert!(worker < workers),
                        Conclusion::Complete => {
                            assert!(matches!(
                                place,
                                Place::Publish | Place::Validate | Place::EndBlock | Place::Assist
                            ));
                        }
                        other => panic!("{place:?}: {other:?}"),
                    }
                    let whole = committed.len() == 40;
                    assert!(committed.iter().copied().eq(0..if whole {
                        40
                    } else {
                        committed.len() as u32
                    }));
                    // A worker that died is replaced: a whole block follows.
                    let (ended, committed) = execute(&pool, None);
                    assert!(matches!(ended, Conclusion::Complete), "after {place:?}: {ended:?}");
                    assert!(committed.into_iter().eq(0..40));
                }
            }
        };
        in_time(move || caller.spawn(test).unwrap().join().unwrap());
    }
}

#[test]
fn a_thread_that_died_is_replaced_before_the_next_block() {
    in_time(|| {
        let test = || {
            let pool = WorkerPool::new(2).unwrap();
            let mut died = 0;
            for _ in 0..2_000 {
                let before = DROPPED.load(Ordering::Relaxed);
                let _ = execute(&pool, Some(Place::Poll));
                died += DROPPED.load(Ordering::Relaxed) - before;
                if died > 2 {
                    break;
                }
            }
            assert!(died > 2, "the other worker ran the fatal transaction");
            // Both take part again.
            let both = (0..10_000).any(|_| {
                let run = Arc::new(Run::new(Block::new(None), pool.workers(), 64));
                pool.execute(&run);
                assert!(matches!(run.conclude(), Conclusion::Complete));
                run.machine.threads.lock().unwrap().len() == 2
            });
            assert!(both, "the replaced worker takes part");
        };
        let caller = thread::Builder::new().name("caller".into());
        caller.spawn(test).unwrap().join().unwrap();
    });
}

/// Says when it is dropped.
struct Remains(Arc<AtomicUsize>);

impl Drop for Remains {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_call_without_a_block_and_what_a_block_leaves_behind_harm_nobody() {
    in_time(|| {
        for workers in [1, 2, 4] {
            let pool = WorkerPool::new(workers).unwrap();
            let [freed, given, done] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
            for round in 0..200 {
                for _ in 0..round % 3 {
                    // More than there are, too.
                    pool.call(workers + round % 2);
                }
                if round % 5 > 0 {
                    let (ended, committed) = execute(&pool, None);
                    assert!(matches!(ended, Conclusion::Complete), "{ended:?}");
                    assert!(committed.into_iter().eq(0..40));
                }
                let (errand, done) = (Remains(given.clone()), done.clone());
                pool.entrust(move || {
                    let _errand = errand;
                    done.fetch_add(1, Ordering::Relaxed);
                });
                pool.discard(Remains(freed.clone()));
            }
            drop(pool);
            let [freed, given, done] = [freed, given, done].map(|all| all.load(Ordering::Relaxed));
            assert_eq!((freed, given), (200, 200), "each of them once, done or not");
            assert!(done == 0 || workers > 1, "nobody but worker 1 does errands: {done}");
        }
    });
}
