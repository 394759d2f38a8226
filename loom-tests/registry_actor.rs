//! `registry::actor`, with its mailbox and calls: every message is handled, every question ends.
//!
//! A message that is left lying leaves its sender parked, or an assertion unmet. The channel is the
//! twin, which orders a receive after its own send and nothing else.

use std::task::{Poll, Waker};

use chorus::{
    registry::{Actor, Behaviour, CallError, Gone, Polled, Refused, ReplySender, Stopped, reply},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    },
};

use crate::{models::Model, registry_reply::Unpark};

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_message_is_handled_although_the_holder_is_leaving",
        threads: 2,
        bound: 4,
        weakenings: &["actor.leave-compares", "actor.count-rmw", "actor.count-after"],
        run: a_message_is_handled_although_the_holder_is_leaving,
    },
    Model {
        name: "a_spent_budget_leaves_the_rest_to_whoever_polls_next",
        threads: 2,
        bound: 3,
        weakenings: &["actor.count-rmw"],
        run: a_spent_budget_leaves_the_rest_to_whoever_polls_next,
    },
    Model {
        name: "two_hosts_that_ask_at_once_are_both_answered",
        threads: 2,
        bound: 3,
        weakenings: &["actor.leave-compares"],
        run: two_hosts_that_ask_at_once_are_both_answered,
    },
    Model {
        name: "a_full_mailbox_suspends_its_sender_and_wakes_it",
        threads: 2,
        bound: 4,
        weakenings: &["actor.full-compares", "actor.freeing-wakes"],
        run: a_full_mailbox_suspends_its_sender_and_wakes_it,
    },
    Model {
        name: "closing_answers_who_waits_for_a_place",
        threads: 2,
        bound: 4,
        weakenings: &["actor.freeing-wakes"],
        run: closing_answers_who_waits_for_a_place,
    },
    Model {
        name: "a_closed_and_drained_actor_handles_nothing_more",
        threads: 2,
        bound: 4,
        weakenings: &["actor.claim-compares"],
        run: a_closed_and_drained_actor_handles_nothing_more,
    },
    Model {
        name: "a_panic_answers_everybody",
        threads: 2,
        bound: 4,
        weakenings: &["actor.sender-clears"],
        run: a_panic_answers_everybody,
    },
];

/// Counts what it handles; a message may carry a question, or be the one that panics.
struct Counter(Arc<AtomicU32>);

enum Message {
    Count,
    Ask(ReplySender<u32>),
    Panic,
}

impl Behaviour for Counter {
    type Message = Message;

    fn handle(&mut self, message: Message) {
        // Load and store: the turn is what makes it exact.
        let count = self.0.load(Relaxed) + 1;
        self.0.store(count, Relaxed);
        match message {
            Message::Count => {}
            Message::Ask(reply) => {
                reply.send(count);
            }
            // Past the hook, which takes a panic for the model's.
            Message::Panic => std::panic::resume_unwind(Box::new("as asked")),
        }
    }
}

fn counter(capacity: usize) -> (Arc<Actor<Counter>>, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    (Arc::new(Actor::new(Counter(count.clone()), capacity)), count)
}

fn send(actor: &Actor<Counter>, message: Message) {
    actor.try_send(message).unwrap_or_else(|_| unreachable!());
}

/// Each polls once: whoever is told `Busy` is served by a holder that does not come back.
fn a_message_is_handled_although_the_holder_is_leaving() {
    let (actor, count) = counter(2);
    let other = thread::spawn({
        let actor = actor.clone();
        move || {
            send(&actor, Message::Count);
            assert_ne!(actor.poll(usize::MAX), Polled::Dead);
        }
    });
    send(&actor, Message::Count);
    assert_ne!(actor.poll(usize::MAX), Polled::Dead);
    other.join().unwrap();
    assert!(!actor.has_mail());
    assert_eq!(count.load(Relaxed), 2);
}

fn a_spent_budget_leaves_the_rest_to_whoever_polls_next() {
    let (actor, count) = counter(2);
    let see_to_it = |actor: &Actor<Counter>| while let Polled::Worked(1) = actor.poll(1) {};
    let other = thread::spawn({
        let actor = actor.clone();
        move || {
            send(&actor, Message::Count);
            see_to_it(&actor);
        }
    });
    send(&actor, Message::Count);
    see_to_it(&actor);
    other.join().unwrap();
    assert!(!actor.has_mail());
    assert_eq!(count.load(Relaxed), 2);
}

fn two_hosts_that_ask_at_once_are_both_answered() {
    let (actor, _) = counter(2);
    let other = thread::spawn({
        let actor = actor.clone();
        move || actor.call(Message::Ask).unwrap()
    });
    let mine = actor.call(Message::Ask).unwrap();
    let its = other.join().unwrap();
    assert_eq!(mine + its, 3, "one was first, one second");
}

/// The sender does not poll and the holder does so once, so only the holder's wake helps the sender.
fn a_full_mailbox_suspends_its_sender_and_wakes_it() {
    let (actor, count) = counter(1);
    send(&actor, Message::Count);
    assert!(matches!(actor.try_send(Message::Count), Err(Refused::Full(Message::Count))));
    // The frontier does not wait, whoever has the only ordinary place.
    actor.try_send_reserved(Message::Count).unwrap_or_else(|_| unreachable!());
    let sender = thread::spawn({
        let actor = actor.clone();
        move || {
            let waker = Unpark::waker();
            let mut message = Some(Message::Count);
            while actor.poll_send(&mut message, &waker).is_pending() {
                thread::park();
            }
        }
    });
    assert_eq!(actor.poll(2), Polled::Worked(2));
    sender.join().unwrap();
    assert_eq!(actor.poll(2), Polled::Worked(1));
    assert_eq!(count.load(Relaxed), 3);
}

fn closing_answers_who_waits_for_a_place() {
    let (actor, _) = counter(1);
    let sender = thread::spawn({
        let actor = actor.clone();
        move || {
            let waker = Unpark::waker();
            for _ in 0..2 {
                let mut message = Some(Message::Count);
                loop {
                    match actor.poll_send(&mut message, &waker) {
                        Poll::Ready(Ok(())) => break,
                        Poll::Ready(Err(stopped)) => {
                            assert_eq!(stopped, Stopped::Closed);
                            return;
                        }
                        Poll::Pending => thread::park(),
                    }
                }
            }
        }
    });
    actor.close();
    sender.join().unwrap();
}

fn a_closed_and_drained_actor_handles_nothing_more() {
    let (actor, count) = counter(1);
    let sender = thread::spawn({
        let actor = actor.clone();
        move || {
            let accepted = actor.try_send(Message::Count).is_ok();
            assert_ne!(actor.poll(usize::MAX), Polled::Dead);
            u32::from(accepted)
        }
    });
    actor.close();
    let drained = actor.is_drained().then(|| count.load(Relaxed));
    let accepted = sender.join().unwrap();
    assert!(actor.is_drained());
    assert_eq!(count.load(Relaxed), accepted, "what was accepted is handled");
    assert!(drained.is_none_or(|drained| drained == accepted));
    assert!(matches!(actor.try_send(Message::Count), Err(Refused::Closed(Message::Count))));
}

/// One asks while the actor dies of another's message: it is refused, or it hears that nobody
/// answers, whichever step it was at.
fn a_panic_answers_everybody() {
    let (actor, _) = counter(2);
    let asker = thread::spawn({
        let actor = actor.clone();
        move || {
            let (sender, mut receiver) = reply();
            let waker = Unpark::waker();
            match actor.try_send(Message::Ask(sender)) {
                Ok(()) => {}
                Err(Refused::Dead(_)) => return,
                Err(_) => unreachable!(),
            }
            let _ = actor.poll(2);
            loop {
                match receiver.poll_take(&waker) {
                    Poll::Ready(answer) => {
                        assert!(matches!(answer, Ok(1) | Err(Gone)));
                        return;
                    }
                    Poll::Pending => thread::park(),
                }
            }
        }
    });
    send(&actor, Message::Panic);
    let _ = actor.poll(2);
    asker.join().unwrap();
    assert_eq!(actor.failure(), Some("as asked"));
    assert_eq!(actor.call(Message::Ask), Err(CallError::Stopped(Stopped::Dead)));
    let refused = actor.poll_send(&mut Some(Message::Count), Waker::noop());
    assert_eq!(refused, Poll::Ready(Err(Stopped::Dead)));
}
