//! `registry::reply`: every question ends, for both sides.
//!
//! An asker that is not woken stays parked for ever, which loom reports as a deadlock.

use std::task::{Poll, Wake, Waker};

use chorus::{
    registry::{Answered, Gone, ReplyReceiver, reply},
    sync::{Arc, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "whoever_waits_is_woken_with_the_answer",
        threads: 3,
        bound: 4,
        weakenings: &["reply.answer-rmw", "reply.waker-first", "reply.wait-compares"],
        run: whoever_waits_is_woken_with_the_answer,
    },
    Model {
        name: "a_dropped_question_wakes_its_asker",
        threads: 2,
        bound: 4,
        weakenings: &["reply.close"],
        run: a_dropped_question_wakes_its_asker,
    },
    Model {
        name: "a_cancelled_question_is_seen_and_its_answer_dropped",
        threads: 2,
        bound: 4,
        weakenings: &["reply.cancel"],
        run: a_cancelled_question_is_seen_and_its_answer_dropped,
    },
];

pub(crate) struct Unpark(thread::Thread);

impl Unpark {
    pub(crate) fn waker() -> Waker {
        Waker::from(Arc::new(Self(thread::current())))
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(receiver: &mut ReplyReceiver<T>) -> Result<T, Gone> {
    let waker = Unpark::waker();
    loop {
        match receiver.poll_take(&waker) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

/// Twice with one receiver, which reuses its slot where it can.
fn whoever_waits_is_woken_with_the_answer() {
    let (sender, mut receiver) = reply();
    let other = thread::spawn(move || {
        assert_eq!(sender.send(1), Answered::Delivered);
    });
    assert_eq!(wait(&mut receiver), Ok(1));
    let sender = receiver.again();
    // A waker of somebody else first: the last one counts.
    assert!(receiver.poll_take(Waker::noop()).is_pending());
    other.join().unwrap();
    let other = thread::spawn(move || sender.send(2));
    assert_eq!(wait(&mut receiver), Ok(2));
    assert_eq!(receiver.poll_take(Waker::noop()), Poll::Ready(Err(Gone)));
    other.join().unwrap();
}

fn a_dropped_question_wakes_its_asker() {
    let (sender, mut receiver) = reply::<u32>();
    let other = thread::spawn(move || drop(sender));
    assert_eq!(wait(&mut receiver), Err(Gone));
    other.join().unwrap();
}

fn a_cancelled_question_is_seen_and_its_answer_dropped() {
    let (sender, mut receiver) = reply();
    let value = Arc::new(());
    let other = thread::spawn({
        let value = value.clone();
        move || {
            let seen = sender.is_cancelled();
            let answered = sender.send(value);
            // What is seen stays.
            assert!(!seen || answered == Answered::Cancelled);
            answered
        }
    });
    let had = receiver.poll_take(Waker::noop()).is_ready();
    drop(receiver);
    let answered = other.join().unwrap();
    assert!(!had || answered == Answered::Delivered);
    assert_eq!(Arc::strong_count(&value), 1, "nobody kept the answer");
    // And when the drop is known, it is certain.
    let (sender, receiver) = reply();
    drop(receiver);
    assert!(sender.is_cancelled());
    assert_eq!(sender.send(1), Answered::Cancelled);
}
