//! `context::shares`: the caller ends with every piece, whatever became of its helpers.

use chorus::{
    context::Shares,
    sync::{
        Arc, OnceCell,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
        time::Duration,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[Model {
    name: "the_caller_ends_with_every_piece_as_it_was_when_they_were_opened",
    threads: 3,
    bound: 3,
    weakenings: &["shares.make-again"],
    run: the_caller_ends_with_every_piece_as_it_was_when_they_were_opened,
}];

/// What the pieces are made of, and the pieces.
#[derive(Default)]
struct Work {
    value: AtomicU32,
    shares: OnceCell<Shares<u32>>,
}

impl Work {
    fn make(&self, at: usize) -> u32 {
        // Relaxed: that the pieces are open says that this was written.
        self.value.load(Relaxed) + at as u32
    }
}

/// Two helpers, who may come too early, in time, or too late.
fn the_caller_ends_with_every_piece_as_it_was_when_they_were_opened() {
    let work = Arc::new(Work::default());
    let helpers = [(); 2].map(|()| {
        let work = work.clone();
        thread::spawn(move || {
            if let Some(shares) = work.shares.get() {
                shares.help(|at| work.make(at));
            }
        })
    });
    work.value.store(7, Relaxed);
    let shares = work.shares.get_or_init(|| Shares::new(3));
    assert_eq!(shares.finish(Duration::ZERO, |at| work.make(at)), [7, 8, 9]);
    for helper in helpers {
        helper.join().unwrap();
    }
}
