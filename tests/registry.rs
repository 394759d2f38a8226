//! The registry's machinery on real threads: actors, replies, tables, leases.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::{
    future::Future as _,
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use chorus::registry::{
    Actor, Answered, Behaviour, CallError, Gone, Leases, Limbo, Polled, Publisher, Refused,
    ReplyReceiver, ReplySender, Retired, Stopped, Version, reply,
};

/// A list of what it was told, with a question, a place to keep questions, and a bomb.
#[derive(Default)]
struct Clerk {
    told: Vec<(usize, u64)>,
    kept: Vec<ReplySender<usize>>,
    batches: usize,
}

enum Message {
    Tell(usize, u64),
    HowMany(ReplySender<usize>),
    /// Answered at the end of the batch.
    Batches(ReplySender<usize>),
    /// Never answered by itself.
    Keep(ReplySender<usize>),
    Panic(Option<ReplySender<usize>>),
}

impl Behaviour for Clerk {
    type Message = Message;

    fn handle(&mut self, message: Message) {
        match message {
            Message::Tell(who, what) => self.told.push((who, what)),
            Message::HowMany(reply) => {
                reply.send(self.told.len());
            }
            Message::Batches(reply) | Message::Keep(reply) => self.kept.push(reply),
            Message::Panic(_reply) => panic!("the clerk is ill"),
        }
    }

    fn batch_end(&mut self) {
        self.batches += 1;
        if self.kept.len() > 1 {
            for reply in self.kept.drain(..) {
                reply.send(self.batches);
            }
        }
    }
}

fn clerk(capacity: usize) -> Actor<Clerk> {
    Actor::new(Clerk::default(), capacity)
}

#[track_caller]
fn send(actor: &Actor<Clerk>, message: Message) {
    assert!(actor.try_send(message).is_ok());
}

/// Counts its wakes.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::new(Bell::default());
    (bell.clone(), bell.into())
}

fn rung(bell: &Bell) -> usize {
    bell.0.load(Ordering::SeqCst)
}

#[test]
fn each_senders_messages_are_handled_once_and_in_their_order() {
    const SENDERS: usize = 4;
    const EACH: u64 = 20_000;
    let actor = clerk(16);
    let start = Barrier::new(SENDERS);
    thread::scope(|scope| {
        for me in 0..SENDERS {
            let (actor, start) = (&actor, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..EACH {
                    let mut message = Message::Tell(me, number);
                    while let Err(refused) = actor.try_send(message) {
                        assert!(matches!(refused, Refused::Full(_)));
                        message = refused.into_message();
                        if actor.poll(7) == Polled::Busy {
                            thread::yield_now();
                        }
                    }
                    let _ = actor.poll(7);
                }
                while let Polled::Worked(_) = actor.poll(7) {}
            });
        }
    });
    assert!(!actor.has_mail());
    let told = actor.into_behaviour().unwrap().told;
    assert_eq!(told.len() as u64, SENDERS as u64 * EACH);
    for me in 0..SENDERS {
        let own = told.iter().filter(|(who, _)| *who == me).map(|(_, what)| *what);
        assert!(own.eq(0..EACH));
    }
}

#[test]
fn hosts_that_call_at_once_are_all_answered_through_a_mailbox_of_one() {
    let actor = clerk(1);
    thread::scope(|scope| {
        for me in 0..4 {
            let actor = &actor;
            scope.spawn(move || {
                for number in 0..2_000 {
                    let before = actor.call(Message::HowMany).unwrap();
                    let mut message = Some(Message::Tell(me, number));
                    while actor.poll_send(&mut message, Waker::noop()).is_pending() {
                        let _ = actor.poll(1);
                    }
                    let after = actor.call(Message::HowMany).unwrap();
                    assert!(after > before);
                }
            });
        }
    });
    assert_eq!(actor.call(Message::HowMany), Ok(8_000));
}

#[test]
fn a_budget_ends_a_turn_and_the_rest_is_mail() {
    let actor = clerk(4);
    assert_eq!(actor.poll(1), Polled::Idle);
    for number in 0..3 {
        send(&actor, Message::Tell(0, number));
    }
    assert_eq!(actor.poll(2), Polled::Worked(2));
    assert!(actor.has_mail());
    // A budget of nothing would be a worker's loop without an end.
    assert_eq!(actor.poll(0), Polled::Worked(1));
    assert!(!actor.has_mail());
}

#[test]
fn a_batch_is_drained_before_its_end_is_told() {
    let actor = clerk(4);
    let (first, mut first_reply) = reply();
    let (second, mut second_reply) = reply();
    send(&actor, Message::Batches(first));
    send(&actor, Message::Batches(second));
    assert_eq!(actor.poll(4), Polled::Worked(2));
    assert_eq!(first_reply.poll_take(Waker::noop()), Poll::Ready(Ok(1)));
    assert_eq!(second_reply.poll_take(Waker::noop()), Poll::Ready(Ok(1)));
}

#[test]
fn whoever_polls_during_a_turn_is_told_that_it_is_taken() {
    struct Inside(Arc<Actor<Outer>>);
    struct Outer(Vec<Polled>);
    impl Behaviour for Outer {
        type Message = Inside;
        fn handle(&mut self, message: Inside) {
            self.0.push(message.0.poll(1));
        }
    }
    let actor = Arc::new(Actor::new(Outer(Vec::new()), 1));
    assert!(actor.try_send(Inside(actor.clone())).is_ok());
    assert_eq!(actor.poll(1), Polled::Worked(1));
    assert_eq!(Arc::into_inner(actor).unwrap().into_behaviour().unwrap().0, [Polled::Busy]);
}

#[test]
fn a_full_mailbox_refuses_keeps_the_frontiers_place_and_wakes_when_drained() {
    let actor = clerk(2);
    send(&actor, Message::Tell(0, 0));
    send(&actor, Message::Tell(0, 1));
    assert!(matches!(actor.try_send(Message::Tell(0, 2)), Err(Refused::Full(Message::Tell(0, 2)))));
    let (bell, waker) = bell();
    let mut waiting = Some(Message::Tell(0, 3));
    assert!(actor.poll_send(&mut waiting, &waker).is_pending());
    assert!(actor.poll_send(&mut waiting, &waker).is_pending());
    assert!(waiting.is_some());

    assert!(actor.try_send_reserved(Message::Tell(1, 0)).is_ok());
    assert!(matches!(actor.try_send_reserved(Message::Tell(1, 1)), Err(Refused::Full(_))));
    assert_eq!(rung(&bell), 0);
    assert_eq!(actor.poll(1), Polled::Worked(1));
    assert_eq!(rung(&bell), 1, "once, although it asked twice");
    // The reserved message has an ordinary place now, which leaves none.
    assert!(actor.poll_send(&mut waiting, &waker).is_pending());
    assert_eq!(actor.poll(9), Polled::Worked(2));
    assert_eq!(rung(&bell), 2);
    assert_eq!(actor.poll_send(&mut waiting, &waker), Poll::Ready(Ok(())));
    assert!(waiting.is_none());
    assert_eq!(
        actor.poll_send(&mut waiting, &waker),
        Poll::Ready(Ok(())),
        "there is nothing to do"
    );
    assert_eq!(actor.poll(9), Polled::Worked(1));
    assert_eq!(actor.into_behaviour().unwrap().told, [(0, 0), (0, 1), (1, 0), (0, 3)]);
}

#[test]
fn a_panic_answers_everybody_and_refuses_the_rest() {
    let actor = clerk(3);
    let (kept, mut kept_reply) = reply();
    let (cause, mut cause_reply) = reply();
    let (behind, mut behind_reply) = reply();
    send(&actor, Message::Keep(kept));
    assert_eq!(actor.poll(9), Polled::Worked(1));
    send(&actor, Message::Panic(Some(cause)));
    send(&actor, Message::HowMany(behind));
    send(&actor, Message::Tell(0, 0));
    let (bell, waker) = bell();
    let mut waiting = Some(Message::Tell(0, 0));
    assert!(actor.poll_send(&mut waiting, &waker).is_pending());
    for receiver in [&mut kept_reply, &mut cause_reply, &mut behind_reply] {
        assert!(receiver.poll_take(&waker).is_pending());
    }
    assert_eq!(actor.failure(), None);

    assert_eq!(actor.poll(9), Polled::Dead);
    assert_eq!(rung(&bell), 4);
    for receiver in [&mut kept_reply, &mut cause_reply, &mut behind_reply] {
        assert_eq!(receiver.poll_take(&waker), Poll::Ready(Err(Gone)));
    }
    assert_eq!(actor.failure(), Some("the clerk is ill"));
    assert!(!actor.has_mail());
    assert_eq!(actor.poll(9), Polled::Dead);
    assert_eq!(actor.poll_send(&mut waiting, &waker), Poll::Ready(Err(Stopped::Dead)));
    assert!(matches!(actor.try_send(Message::Tell(0, 0)), Err(Refused::Dead(_))));
    assert_eq!(actor.call(Message::HowMany), Err(CallError::Stopped(Stopped::Dead)));
    actor.close();
    assert!(actor.is_drained());
    assert!(actor.into_behaviour().is_none());
}

#[test]
fn many_hosts_survive_the_panic_of_their_actor() {
    for _ in 0..200 {
        let actor = clerk(2);
        let refused = AtomicUsize::new(0);
        thread::scope(|scope| {
            for me in 0..4 {
                let (actor, refused) = (&actor, &refused);
                scope.spawn(move || {
                    if me == 0 {
                        let ill = actor.call(|reply| Message::Panic(Some(reply)));
                        assert_eq!(ill, Err(CallError::Gone(Gone)));
                    } else {
                        while actor.call(Message::HowMany).is_ok() {}
                    }
                    refused.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(refused.into_inner(), 4);
    }
}

#[test]
fn closing_handles_what_was_accepted_and_refuses_the_rest() {
    let actor = clerk(4);
    let (question, mut answer) = reply();
    send(&actor, Message::Tell(0, 0));
    send(&actor, Message::HowMany(question));
    assert!(!actor.is_closed() && !actor.is_drained());
    actor.close();
    assert!(actor.is_closed() && actor.is_drained());
    assert_eq!(answer.poll_take(Waker::noop()), Poll::Ready(Ok(1)));
    assert!(matches!(actor.try_send(Message::Tell(0, 1)), Err(Refused::Closed(_))));
    assert!(matches!(actor.try_send_reserved(Message::Tell(0, 1)), Err(Refused::Closed(_))));
    assert_eq!(actor.call(Message::HowMany), Err(CallError::Stopped(Stopped::Closed)));
    assert_eq!(actor.failure(), None);
}

#[test]
fn closing_among_many_senders_loses_nothing_that_was_accepted() {
    for _ in 0..200 {
        let actor = clerk(2);
        let accepted = AtomicUsize::new(0);
        thread::scope(|scope| {
            for me in 0..3 {
                let (actor, accepted) = (&actor, &accepted);
                scope.spawn(move || {
                    let mut number = 0;
                    loop {
                        match actor.try_send(Message::Tell(me, number)) {
                            Ok(()) => accepted.fetch_add(1, Ordering::Relaxed),
                            Err(Refused::Full(_)) => 0,
                            Err(_) => break,
                        };
                        number += 1;
                        let _ = actor.poll(usize::MAX);
                    }
                });
            }
            thread::yield_now();
            actor.close();
        });
        assert!(actor.is_drained());
        assert_eq!(actor.into_behaviour().unwrap().told.len(), accepted.into_inner());
    }
}

#[test]
fn a_dropped_actor_leaves_no_question_open() {
    let actor = clerk(2);
    let (in_mailbox, mut first) = reply();
    let (kept, mut second) = reply();
    send(&actor, Message::Keep(kept));
    let _ = actor.poll(1);
    send(&actor, Message::HowMany(in_mailbox));
    drop(actor);
    assert_eq!(first.poll_take(Waker::noop()), Poll::Ready(Err(Gone)));
    assert_eq!(second.poll_take(Waker::noop()), Poll::Ready(Err(Gone)));
}

#[test]
fn a_reply_is_a_future_and_only_its_last_waker_counts() {
    let (sender, receiver) = reply();
    let mut receiver = pin!(receiver);
    let (first, first_waker) = bell();
    let (second, second_waker) = bell();
    assert!(receiver.as_mut().poll(&mut Context::from_waker(&first_waker)).is_pending());
    assert!(receiver.as_mut().poll(&mut Context::from_waker(&second_waker)).is_pending());
    assert_eq!(sender.send(7), Answered::Delivered);
    assert_eq!((rung(&first), rung(&second)), (0, 1));
    let mut context = Context::from_waker(&first_waker);
    assert_eq!(receiver.as_mut().poll(&mut context), Poll::Ready(Ok(7)));
    assert_eq!(receiver.as_mut().poll(&mut context), Poll::Ready(Err(Gone)), "it was one shot");
}

#[test]
fn a_cancelled_question_drops_its_answer() {
    let (sender, receiver) = reply();
    assert!(!sender.is_cancelled());
    drop(receiver);
    assert!(sender.is_cancelled());
    let value = Arc::new(());
    assert_eq!(sender.send(value.clone()), Answered::Cancelled);
    assert_eq!(Arc::strong_count(&value), 1);

    let (sender, receiver) = reply();
    assert_eq!(sender.send(value.clone()), Answered::Delivered);
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1, "an answer that nobody took");
}

#[test]
fn one_receiver_asks_again_and_again_and_old_answers_do_not_reach_it() {
    let (sender, mut receiver) = reply();
    sender.send(1);
    assert_eq!(receiver.poll_take(Waker::noop()), Poll::Ready(Ok(1)));
    let abandoned = receiver.again();
    let sender = receiver.again();
    assert!(abandoned.is_cancelled());
    assert_eq!(abandoned.send(2), Answered::Cancelled);
    assert!(receiver.poll_take(Waker::noop()).is_pending());
    sender.send(3);
    assert_eq!(receiver.poll_take(Waker::noop()), Poll::Ready(Ok(3)));
    drop(receiver.again());
    assert_eq!(receiver.poll_take(Waker::noop()), Poll::Ready(Err(Gone)));

    let mut idle = ReplyReceiver::idle();
    assert_eq!(idle.poll_take(Waker::noop()), Poll::Ready(Err(Gone)));
    idle.again().send(4);
    assert_eq!(idle.poll_take(Waker::noop()), Poll::Ready(Ok(4)));
}

#[test]
fn readers_never_go_back_and_find_the_version_they_know() {
    const VERSIONS: u64 = 20_000;
    let mut publisher = Publisher::new(vec![0_u64; 8]);
    let published = publisher.published();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for keeps in [true, false] {
            let (published, done) = (&published, &done);
            scope.spawn(move || {
                let mut reader = published.reader();
                let mut last = Version(0);
                while !done.load(Ordering::Relaxed) {
                    let known = published.version();
                    let (version, whole) = if keeps {
                        let table = reader.get();
                        (table.version(), table.iter().all(|cell| *cell == table.version().0))
                    } else {
                        let table = published.load();
                        (table.version(), table.iter().all(|cell| *cell == table.version().0))
                    };
                    assert!(whole && version >= known && version >= last);
                    last = version;
                }
            });
        }
        let old = published.load_full();
        for version in 1..=VERSIONS {
            assert_eq!(publisher.publish(vec![version; 8]), Version(version));
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(**old, [0; 8], "a table that is kept stays as it was");
    });
    assert_eq!(published.version(), publisher.version());
}

#[test]
fn a_leased_record_waits_in_limbo_and_a_retired_one_gives_no_lease() {
    let leases = Leases::new();
    let lease = leases.try_lease().unwrap();
    let second = lease.again();
    assert_eq!(leases.count(), 2);
    let mut limbo = Limbo::new(2);
    assert!(limbo.push("mapped", leases.clone()).is_ok());
    assert!(limbo.push("free", Leases::new()).is_ok());
    let full = limbo.push("third", Leases::new()).unwrap_err();
    assert_eq!((full.capacity, full.record), (2, "third"));

    let mut freed = Vec::new();
    let swept = limbo.sweep(1, |record| freed.push(record));
    assert_eq!((swept.freed, swept.leased, swept.waiting), (0, 1, 2));
    let swept = limbo.sweep(1, |record| freed.push(record));
    assert_eq!((swept.freed, swept.leased, swept.waiting), (1, 0, 1));
    assert_eq!(freed, ["free"], "a leased record keeps nobody else");
    drop(lease);
    assert_eq!(leases.retire(), Retired::Leased(1));
    assert!(leases.try_lease().is_some());
    drop(second);
    let swept = limbo.sweep(9, |record| freed.push(record));
    assert_eq!((swept.freed, swept.waiting), (1, 0));
    assert_eq!(freed, ["free", "mapped"]);
    assert!(leases.is_retired() && leases.try_lease().is_none());
    assert_eq!(leases.retire(), Retired::Before);
}

#[test]
fn nothing_is_freed_under_a_lease_of_any_thread() {
    struct Record {
        leases: Leases,
        freed: AtomicBool,
    }
    let record = |_| Arc::new(Record { leases: Leases::new(), freed: AtomicBool::new(false) });
    let mut publisher = Publisher::new(record(0));
    let published = publisher.published();
    let done = AtomicBool::new(false);
    let leased = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let record = (**published.load()).clone();
                    let Some(_lease) = record.leases.try_lease() else { continue };
                    leased.fetch_add(1, Ordering::Relaxed);
                    assert!(!record.freed.load(Ordering::Relaxed));
                    thread::yield_now();
                    assert!(!record.freed.load(Ordering::Relaxed));
                }
            });
        }
        let mut limbo = Limbo::new(16);
        let mut freed = 0;
        let mut destroyed = 0;
        while freed < 2_000 || leased.load(Ordering::Relaxed) < 1_000 {
            if limbo.len() < limbo.capacity() {
                let old = (**published.load()).clone();
                publisher.publish(record(destroyed));
                destroyed += 1;
                assert!(limbo.push(old.clone(), old.leases.clone()).is_ok());
            }
            freed += limbo.sweep(4, |record| record.freed.store(true, Ordering::Relaxed)).freed;
        }
        done.store(true, Ordering::Relaxed);
    });
}
