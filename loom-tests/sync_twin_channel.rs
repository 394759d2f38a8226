//! `sync::twin::channel`: the stand-in for crossbeam's channels keeps what crossbeam documents.
//!
//! This is a check of an axiom's twin, not of a protocol: the models of the mailbox rest on it. That
//! it promises no more than the documents shows in `scheduler_mailbox`, whose weakenings would pass
//! on a channel that orders everything.

use chorus::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
    channel::{self, RecvError, TryRecvError, TrySendError},
    thread,
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_receive_sees_what_preceded_its_send",
        threads: 3,
        bound: 3,
        weakenings: &["channel.stamp"],
        run: a_receive_sees_what_preceded_its_send,
    },
    Model {
        name: "whoever_waits_is_woken",
        threads: 2,
        bound: 3,
        weakenings: &["channel.wake-receiver", "channel.wake-sender"],
        run: whoever_waits_is_woken,
    },
    Model {
        name: "the_end_of_one_side_is_seen_by_the_other",
        threads: 3,
        bound: 3,
        weakenings: &["channel.wake-at-end"],
        run: the_end_of_one_side_is_seen_by_the_other,
    },
];

fn a_receive_sees_what_preceded_its_send() {
    let (sender, receiver) = channel::unbounded();
    let written = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let senders = [0, 1].map(|index: usize| {
        let (sender, written) = (sender.clone(), written.clone());
        thread::spawn(move || {
            written[index].store(1, Relaxed);
            sender.send(index).unwrap();
        })
    });
    drop(sender);
    while let Ok(index) = receiver.recv() {
        assert_eq!(written[index].load(Relaxed), 1);
    }
    for sender in senders {
        sender.join().unwrap();
    }
}

/// One place, three messages: each side waits for the other in some interleaving.
fn whoever_waits_is_woken() {
    let (sender, receiver) = channel::bounded(1);
    let other = thread::spawn(move || {
        for message in 0..3 {
            sender.send(message).unwrap();
        }
    });
    for message in 0..3 {
        assert_eq!(receiver.recv(), Ok(message));
    }
    other.join().unwrap();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

fn the_end_of_one_side_is_seen_by_the_other() {
    let (sender, receiver) = channel::bounded::<u32>(1);
    let (full, refused) = channel::bounded(1);
    full.try_send(1).unwrap();
    let waits_to_receive = thread::spawn(move || assert_eq!(receiver.recv(), Err(RecvError)));
    let waits_to_send = thread::spawn({
        let full = full.clone();
        move || assert_eq!(full.send(2).unwrap_err().0, 2)
    });
    drop(sender);
    drop(refused);
    assert_eq!(full.try_send(3), Err(TrySendError::Disconnected(3)));
    waits_to_receive.join().unwrap();
    waits_to_send.join().unwrap();
}
