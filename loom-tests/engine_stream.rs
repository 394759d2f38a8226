//! `engine::stream`: commits stall at the consumer's credit, and go on when it is raised.

use chorus::{
    context::{Run, work},
    engine::{Outcomes, stream},
    sync::{Arc, thread},
};

use crate::{
    context_run::{Block, INCREMENT_AND_COPY, product},
    models::Model,
};

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_consumer_that_takes_one_wakes_the_stalled_worker",
        threads: 2,
        bound: 3,
        weakenings: &["scheduler.allow-wakes", "stream.end-wakes"],
        run: a_consumer_that_takes_one_wakes_the_stalled_worker,
    },
    Model {
        name: "a_dropped_stream_lets_the_stalled_worker_go_on",
        threads: 2,
        bound: 3,
        weakenings: &["scheduler.allow-wakes", "stream.drop-allows"],
        run: a_dropped_stream_lets_the_stalled_worker_go_on,
    },
];

/// Two transactions, and room for one outcome.
fn streamed(workers: usize) -> (Arc<Run<Block>>, Outcomes<u32>) {
    let (outlet, outcomes) = stream(1);
    let mut block = Block::new(INCREMENT_AND_COPY, 2);
    block.outlet = Some(outlet.clone());
    let run = Arc::new(Run::new(block, workers, 2));
    outlet.attach(Arc::downgrade(&run) as _, |limit| run.scheduler.limit_commits(limit));
    (run, outcomes)
}

fn execute(run: &Arc<Run<Block>>, worker: usize) {
    work(run, worker, &mut ());
}

fn end(run: &Run<Block>) {
    run.machine.outlet.as_ref().expect("it has one").end();
}

fn a_consumer_that_takes_one_wakes_the_stalled_worker() {
    let (run, outcomes) = streamed(1);
    let worker = thread::spawn({
        let run = run.clone();
        move || {
            execute(&run, 0);
            end(&run);
        }
    });
    assert!(outcomes.blocking().eq([1, 6]));
    worker.join().unwrap();
    assert_eq!(product(&run), [1, 6]);
}

fn a_dropped_stream_lets_the_stalled_worker_go_on() {
    let (run, outcomes) = streamed(1);
    let consumer = thread::spawn(move || drop(outcomes));
    execute(&run, 0);
    consumer.join().unwrap();
    assert_eq!(product(&run), [1, 6]);
}
