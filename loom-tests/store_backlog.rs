//! `store::backlog`: servers come and go, and no work is left without one.
//!
//! Work that nobody takes is missing at the end.

use chorus::{
    store::{Backlog, Server},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "work_put_in_beside_a_leaving_server_is_taken",
        threads: 3,
        bound: 3,
        weakenings: &["backlog.leave-at-once"],
        run: work_put_in_beside_a_leaving_server_is_taken,
    },
    Model {
        name: "work_whose_servers_are_dropped_is_taken_or_dropped",
        threads: 3,
        bound: 3,
        weakenings: &["backlog.last-takes-along"],
        run: work_whose_servers_are_dropped_is_taken_or_dropped,
    },
];

/// Work that tells when it is gone.
struct Work(Arc<AtomicU32>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// What a task on a runtime does.
fn serve(mut server: Server<Work>) {
    while server.take(1).pop().is_some() {}
}

fn work_put_in_beside_a_leaving_server_is_taken() {
    let (backlog, gone) = (Backlog::new(1), Arc::new(AtomicU32::new(0)));
    let others = [(); 2].map(|()| {
        let (backlog, work) = (backlog.clone(), Work(gone.clone()));
        thread::spawn(move || backlog.push([(0, work)]).into_iter().for_each(serve))
    });
    for other in others {
        other.join().unwrap();
    }
    // The backlog is still there: what is in it counts as left.
    assert_eq!((gone.load(Relaxed), backlog.waiting()), (2, 0));
}

/// One of them runs on a runtime that drops its tasks.
fn work_whose_servers_are_dropped_is_taken_or_dropped() {
    let (backlog, gone) = (Backlog::new(2), Arc::new(AtomicU32::new(0)));
    let [one, other] = [(); 2].map(|()| (backlog.clone(), Work(gone.clone())));
    let dropping = thread::spawn(move || drop(one.0.push([(0, one.1)])));
    let serving = thread::spawn(move || other.0.push([(0, other.1)]).into_iter().for_each(serve));
    dropping.join().unwrap();
    serving.join().unwrap();
    assert_eq!((gone.load(Relaxed), backlog.waiting()), (2, 0));
}
