//! `scheduler::cursor`: each transaction is committed once, in order, and none is left lying.

use chorus::{
    scheduler::{Closed, CommitCursor, Finish, Phase, Step},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "what_two_finishers_bring_is_committed_once_and_in_order",
        threads: 3,
        bound: 3,
        weakenings: &["cursor.word", "cursor.word-acquire"],
        run: what_two_finishers_bring_is_committed_once_and_in_order,
    },
    Model {
        name: "a_closed_cursor_has_committed_what_it_shows_and_commits_nothing_more",
        threads: 3,
        bound: 3,
        weakenings: &["cursor.close"],
        run: a_closed_cursor_has_committed_what_it_shows_and_commits_nothing_more,
    },
    Model {
        name: "the_frontier_shows_what_is_committed_below_it",
        threads: 3,
        bound: 3,
        weakenings: &["cursor.frontier-release"],
        run: the_frontier_shows_what_is_committed_below_it,
    },
];

/// Transactions that have nothing but a phase.
struct Block {
    cursor: CommitCursor,
    phases: Vec<Phase>,
    committed: Mutex<Vec<u32>>,
}

impl Block {
    /// All of them running.
    fn new(transactions: usize) -> Self {
        let phases: Vec<_> = (0..transactions).map(|_| Phase::default()).collect();
        assert!(phases.iter().all(|phase| phase.start().is_some()));
        Self { cursor: CommitCursor::new(), phases, committed: Mutex::new(Vec::new()) }
    }

    fn finish(&self, tx: usize) {
        assert_eq!(self.phases[tx].finish(), Finish::Executed);
        self.cursor.advance(|at| {
            let Some(phase) = self.phases.get(at.get()) else { return Step::NotYet };
            if !phase.is_executed() {
                return Step::NotYet;
            }
            assert!(phase.commit(), "nobody else commits");
            self.committed.lock().push(at.0);
            Step::Committed
        });
    }

    fn assert_all_committed(&self) {
        let committed = self.committed.lock();
        assert!(committed.iter().copied().eq(0..self.phases.len() as u32), "{committed:?}");
        assert!(self.phases.iter().all(Phase::is_committed));
        assert_eq!(self.cursor.frontier().get(), self.phases.len());
    }
}

fn what_two_finishers_bring_is_committed_once_and_in_order() {
    let block = Arc::new(Block::new(3));
    let finishers = [1, 2].map(|tx| {
        let block = block.clone();
        thread::spawn(move || block.finish(tx))
    });
    block.finish(0);
    for finisher in finishers {
        finisher.join().unwrap();
    }
    block.assert_all_committed();
}

/// Two workers commit one each; a third looks at the frontier and at what lies below it.
fn the_frontier_shows_what_is_committed_below_it() {
    struct Scene {
        cursor: CommitCursor,
        written: [AtomicU32; 2],
    }
    impl Scene {
        fn commit_one(&self) {
            let mut left = 1;
            self.cursor.advance(|at| match self.written.get(at.get()) {
                Some(written) if left > 0 => {
                    left -= 1;
                    written.store(1, Relaxed);
                    Step::Committed
                }
                _ => Step::NotYet,
            });
        }
    }
    let written = [AtomicU32::new(0), AtomicU32::new(0)];
    let scene = Arc::new(Scene { cursor: CommitCursor::new(), written });
    let committer = thread::spawn({
        let scene = scene.clone();
        move || scene.commit_one()
    });
    // Who only looks comes last, see `main.rs`.
    let reader = thread::spawn({
        let scene = scene.clone();
        move || {
            for written in &scene.written[..scene.cursor.frontier().get()] {
                assert_eq!(written.load(Relaxed), 1);
            }
        }
    });
    scene.commit_one();
    committer.join().unwrap();
    reader.join().unwrap();
}

/// Two finishers, and one who wants to know.
fn a_closed_cursor_has_committed_what_it_shows_and_commits_nothing_more() {
    let block = Arc::new(Block::new(2));
    let finishers = [0, 1].map(|tx| {
        let block = block.clone();
        thread::spawn(move || block.finish(tx))
    });
    assert_eq!(block.cursor.close(), Closed::Exact);
    let frontier = block.cursor.frontier().0;
    let committed = block.committed.lock().clone();
    assert!(committed.iter().copied().eq(0..frontier), "{committed:?} up to {frontier}");
    for finisher in finishers {
        finisher.join().unwrap();
    }
    assert_eq!(*block.committed.lock(), committed);
}
