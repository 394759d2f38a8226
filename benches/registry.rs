//! What a question to the registry's actor costs, and whether readers of a published table meet.
//!
//! The actor has no thread: the one-thread rows are what a context pays whose own worker lets the
//! actor work, from the send to the reply in hand, with a behaviour that does next to nothing. On two
//! threads both ask one actor, and each serves the other's questions as well as its own.
//!
//! Readers that wrote a line which others read would slow each other down. So a row of readers holds
//! two threads against one, each doing the same work; `load_full`, which counts in the table itself,
//! is there to show what it looks like if they do meet.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod common;

use std::{
    sync::Mutex,
    task::{Poll, Waker},
    thread,
};

use chorus::registry::{Actor, Behaviour, Polled, Publisher, ReplyReceiver, ReplySender};
use common::{Options, Table, Target, each, on_threads};
use crossbeam_utils::CachePadded;

/// Adds one, and says so.
struct Clerk(u64);

impl Behaviour for Clerk {
    type Message = (u64, ReplySender<u64>);

    fn handle(&mut self, (question, reply): Self::Message) {
        self.0 += 1;
        reply.send(question + 1);
    }
}

/// What a context does, in a loop instead of a suspension.
fn ask(actor: &Actor<Clerk>, receiver: &mut ReplyReceiver<u64>) -> u64 {
    let mut message = (1, receiver.again());
    while let Err(refused) = actor.try_send(message) {
        message = refused.into_message();
        if actor.poll(64) == Polled::Busy {
            thread::yield_now();
        }
    }
    let mut misses = 0_u32;
    loop {
        let polled = actor.poll(64);
        if let Poll::Ready(answer) = receiver.poll_take(Waker::noop()) {
            return answer.unwrap_or_default();
        }
        // The other has the turn: it answers at once, unless it is off its core.
        if polled == Polled::Busy || polled == Polled::Idle {
            misses += 1;
            if misses.is_multiple_of(64) { thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

/// So many reads are one operation, or taking the thread's own reader would be most of it.
const READS: usize = 64;

fn main() {
    let mut table = Table::new("registry", Options::from_arguments());
    let actor = Actor::new(Clerk(0), 256);

    let mut own = ReplyReceiver::idle();
    table.single(
        "question and reply, one thread",
        Target::Nanoseconds(1_000.0),
        each(|| ask(&actor, &mut own)),
    );
    table.single(
        "the same by a host's call",
        Target::Nanoseconds(1_000.0),
        each(|| actor.call(|reply| (1, reply))),
    );
    let mut batch: Vec<_> = (0..16).map(|_| ReplyReceiver::idle()).collect();
    table.single(
        "sixteen questions in one turn",
        Target::Nanoseconds(16_000.0),
        each(|| {
            for receiver in &mut batch {
                let _ = actor.try_send((1, receiver.again()));
            }
            let _ = actor.poll(64);
            batch.iter_mut().all(|receiver| receiver.poll_take(Waker::noop()).is_ready())
        }),
    );
    let receivers = [(); 2].map(|()| CachePadded::new(Mutex::new(ReplyReceiver::idle())));
    table.single(
        "question and reply, two threads at once",
        Target::Nanoseconds(1_000.0),
        on_threads(2, |me| {
            let mut receiver = receivers[me].lock().unwrap_or_else(|held| held.into_inner());
            ask(&actor, &mut receiver);
        }),
    );
    table.single("looking for mail", Target::Nanoseconds(5.0), each(|| actor.has_mail()));

    let publisher = Publisher::new([1_u64; 8]);
    let published = publisher.published();
    let readers = [(); 2].map(|()| CachePadded::new(Mutex::new(published.reader())));
    let kept = |me: usize| {
        let mut reader = readers[me].lock().unwrap_or_else(|held| held.into_inner());
        for _ in 0..READS {
            std::hint::black_box(reader.get()[me]);
        }
    };
    let loan = |me: usize| {
        for _ in 0..READS {
            std::hint::black_box(published.load()[me]);
        }
    };
    let full = |me: usize| {
        for _ in 0..READS {
            std::hint::black_box(published.load_full()[me]);
        }
    };
    let pair = Target::AtMost(1.2);
    table.row(
        "64 × Reader::get, two threads to one",
        pair,
        on_threads(2, kept),
        on_threads(1, kept),
    );
    table.row("64 × load, two threads to one", pair, on_threads(2, loan), on_threads(1, loan));
    table.row("64 × load_full, the same", Target::None, on_threads(2, full), on_threads(1, full));
    table.print();
}
