//! `scheduler::phase`: a context is resumed once per wait, and no message to it is lost.

use chorus::{
    scheduler::{Finish, Phase, Stale, Suspend, Wake},
    state::{Entry, Read, TxIndex},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        thread,
    },
};

use crate::{
    models::Model,
    state_entry::{Number, Set},
};

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_context_is_resumed_once_per_wait",
        threads: 3,
        bound: 3,
        weakenings: &["phase.suspend-flags", "phase.raise-rmw", "phase.transition-order"],
        run: a_context_is_resumed_once_per_wait,
    },
    Model {
        name: "news_reach_the_context_or_its_revalidator",
        threads: 3,
        bound: 3,
        weakenings: &["phase.suspend-flags", "phase.transition-rmw"],
        run: news_reach_the_context_or_its_revalidator,
    },
    Model {
        name: "a_late_revalidation_leaves_the_next_incarnation_its_news",
        threads: 2,
        bound: 4,
        weakenings: &["phase.revalidation-phase"],
        run: a_late_revalidation_leaves_the_next_incarnation_its_news,
    },
    Model {
        name: "one_of_commit_and_abort_wins_and_one_worker_starts",
        threads: 3,
        bound: 3,
        weakenings: &["phase.transition-rmw"],
        run: one_of_commit_and_abort_wins_and_one_worker_starts,
    },
];

/// Resume messages on their way to the one who waits for them.
#[derive(Default)]
pub(crate) struct Post {
    messages: Mutex<usize>,
    left: Condvar,
}

impl Post {
    pub(crate) fn send(&self) {
        *self.messages.lock() += 1;
        self.left.notify_one();
    }

    pub(crate) fn receive(&self) {
        let mut messages = self.messages.lock();
        while *messages == 0 {
            self.left.wait(&mut messages);
        }
        *messages -= 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self.messages.lock() == 0
    }
}

/// A context and what it waits for: relaxed flags, which order nothing by themselves.
struct Waiting<const FLAGS: usize> {
    phase: Phase,
    flags: [AtomicBool; FLAGS],
    post: Post,
}

impl<const FLAGS: usize> Waiting<FLAGS> {
    fn new() -> Self {
        let flags = std::array::from_fn(|_| AtomicBool::new(false));
        Self { phase: Phase::default(), flags, post: Post::default() }
    }

    fn raise(&self, flag: usize) {
        self.flags[flag].store(true, Relaxed);
        if self.phase.wake() == Wake::Deliver {
            self.post.send();
        }
    }

    /// Runs the context, which `looks` at each poll, until all flags are up.
    fn run(&self, mut look: impl FnMut()) {
        loop {
            look();
            if self.flags.iter().all(|flag| flag.load(Relaxed)) {
                return;
            }
            if self.phase.suspend() == Suspend::Parked {
                self.post.receive();
                assert!(self.phase.resume(), "the message is for this wait");
            }
        }
    }
}

fn a_context_is_resumed_once_per_wait() {
    let context = Arc::new(Waiting::<2>::new());
    assert_eq!(context.phase.start(), Some(0));
    let wakers = [0, 1].map(|flag| {
        let context = context.clone();
        thread::spawn(move || context.raise(flag))
    });
    context.run(|| {});
    assert_eq!(context.phase.finish(), Finish::Executed);
    for waker in wakers {
        waker.join().unwrap();
    }
    assert!(context.post.is_empty(), "one message for each wait");
}

/// A lower transaction publishes what the context reads, while another wakes it and it finishes.
fn news_reach_the_context_or_its_revalidator() {
    const WRITER: TxIndex = TxIndex(0);
    const READER: TxIndex = TxIndex(1);
    struct Scene {
        context: Waiting<1>,
        entry: Entry<Number>,
        taken: AtomicUsize,
    }
    impl Scene {
        /// Takes the news, if there are any, and sees what they were about.
        fn take(&self, take: impl FnOnce(&Phase) -> bool) {
            if take(&self.context.phase) {
                assert_eq!(self.entry.read(READER), Read::Value(1));
                self.taken.fetch_add(1, Relaxed);
            }
        }
    }
    let scene =
        Scene { context: Waiting::new(), entry: Entry::default(), taken: AtomicUsize::new(0) };
    let scene = Arc::new(scene);
    scene.entry.fill(0);
    assert_eq!(scene.context.phase.start(), Some(0));

    let waker = thread::spawn({
        let scene = scene.clone();
        move || scene.context.raise(0)
    });
    let publisher = thread::spawn({
        let scene = scene.clone();
        move || {
            let mut told = Vec::new();
            scene.entry.publish(WRITER, Set(1), &mut told);
            if told.is_empty() {
                return false;
            }
            match scene.context.phase.mark_stale() {
                Stale::Deliver => scene.context.post.send(),
                Stale::Revalidate => scene.take(Phase::take_revalidation),
                Stale::Nothing => {}
            }
            true
        }
    });
    let first = scene.entry.read(READER);
    scene.context.run(|| {
        if scene.context.phase.is_stale() {
            scene.take(Phase::take_stale);
        }
    });
    if scene.context.phase.finish() == Finish::Stale {
        scene.take(Phase::take_revalidation);
    }
    waker.join().unwrap();
    let told = publisher.join().unwrap();
    assert_eq!(told, first == Read::Value(0), "told if and only if it read the old value");
    assert_eq!(scene.taken.load(Relaxed), usize::from(told), "the news were taken once");
    assert!(scene.context.post.is_empty(), "one message for each wait");
}

/// A re-validation was offered; before it is accepted the incarnation is aborted, and the next one
/// gets news of its own.
fn a_late_revalidation_leaves_the_next_incarnation_its_news() {
    let phase = Arc::new(Phase::default());
    assert_eq!(phase.start(), Some(0));
    assert_eq!(phase.finish(), Finish::Executed);
    assert_eq!(phase.mark_stale(), Stale::Revalidate);
    let revalidator = thread::spawn({
        let phase = phase.clone();
        move || phase.take_revalidation()
    });
    assert!(phase.abort());
    assert_eq!(phase.start(), Some(1));
    assert_eq!(phase.mark_stale(), Stale::Nothing);
    assert!(phase.take_stale(), "the running context finds its own news");
    revalidator.join().unwrap();
}

fn one_of_commit_and_abort_wins_and_one_worker_starts() {
    let phase = Arc::new(Phase::default());
    assert_eq!(phase.start(), Some(0));
    assert_eq!(phase.finish(), Finish::Executed);
    let revalidator = thread::spawn({
        let phase = phase.clone();
        move || phase.abort()
    });
    // The ready queue may offer an index twice: the offer of an earlier abort may be left over.
    let starter = thread::spawn({
        let phase = phase.clone();
        move || phase.start()
    });
    let committed = phase.commit();
    let aborted = revalidator.join().unwrap();
    assert_ne!(committed, aborted);
    let starts: Vec<_> = [starter.join().unwrap(), phase.start()].into_iter().flatten().collect();
    assert_eq!(starts, if aborted { vec![1] } else { vec![] }, "it is started once, if at all");
}
