//! `scheduler::mailbox`: an owner that drains and sleeps gets every message.
//!
//! A message beside which the owner sleeps leaves it parked for ever, which loom reports as a
//! deadlock. The channel is the twin, which orders a receive after its own send and nothing else.

use chorus::{
    scheduler::{Mailbox, Sleepers, Woken, WorkerId},
    sync::{Arc, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "the_owner_never_sleeps_beside_its_mail",
        threads: 3,
        bound: 3,
        weakenings: &["mailbox.set-rmw", "mailbox.clear-first"],
        run: the_owner_never_sleeps_beside_its_mail,
    },
    Model {
        name: "what_a_full_mailbox_refuses_can_be_sent_again",
        threads: 2,
        bound: 4,
        weakenings: &["mailbox.clear-first"],
        run: what_a_full_mailbox_refuses_can_be_sent_again,
    },
];

const OWNER: WorkerId = WorkerId(0);

struct Post {
    mailbox: Mailbox<u32>,
    sleepers: Sleepers,
}

impl Post {
    fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { mailbox: Mailbox::new(capacity), sleepers: Sleepers::with_spins(1, 0) })
    }

    /// What a worker does all day, until it has had `expected` messages.
    fn receive(&self, expected: usize) -> Vec<u32> {
        let mut received = Vec::new();
        loop {
            self.mailbox.drain(&mut received);
            if received.len() >= expected {
                return received;
            }
            let wake = self.sleepers.park_unless(OWNER, || self.mailbox.has_mail());
            assert_ne!(wake, Woken::Closed);
        }
    }
}

fn the_owner_never_sleeps_beside_its_mail() {
    let post = Post::new(2);
    let senders = [1, 2].map(|message| {
        let post = post.clone();
        thread::spawn(move || {
            post.mailbox.send(message).unwrap();
            post.sleepers.notify(OWNER);
        })
    });
    let mut received = post.receive(2);
    received.sort_unstable();
    assert_eq!(received, [1, 2]);
    for sender in senders {
        sender.join().unwrap();
    }
}

fn what_a_full_mailbox_refuses_can_be_sent_again() {
    let post = Post::new(1);
    let sender = thread::spawn({
        let post = post.clone();
        move || {
            for message in [1, 2] {
                let mut message = message;
                while let Err(full) = post.mailbox.send(message) {
                    message = full.message;
                    thread::yield_now();
                }
                post.sleepers.notify(OWNER);
            }
        }
    });
    assert_eq!(post.receive(2), [1, 2]);
    sender.join().unwrap();
}
