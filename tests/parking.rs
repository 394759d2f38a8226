//! Workers that park and mailboxes, on real threads: what the models prove for two or three
//! threads and a few steps, here with more of both.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::{
    array,
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use chorus::{
    native::{Engine, Path, Transaction},
    scheduler::{Mailbox, Sleepers, Woken, WorkerId},
};

const WORKERS: usize = 4;

#[test]
fn every_item_is_taken_by_workers_that_park_between_items() {
    const ITEMS: usize = 20_000;
    // Once with polling, once where each wait parks; more workers than one word of bits holds.
    for (spins, workers) in [(16, WORKERS), (0, WORKERS), (0, 70)] {
        let sleepers = Sleepers::with_spins(workers, spins);
        let (made, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for worker in (0..workers).map(WorkerId) {
                let (sleepers, made, taken) = (&sleepers, &made, &taken);
                scope.spawn(move || {
                    loop {
                        let take = |count: usize| count.checked_sub(1);
                        if made.fetch_update(Relaxed, Relaxed, take).is_ok() {
                            if taken.fetch_add(1, Relaxed) + 1 == ITEMS {
                                sleepers.close();
                            }
                        } else if let Woken::Closed =
                            sleepers.park_unless(worker, || made.load(Relaxed) > 0)
                        {
                            return;
                        }
                    }
                });
            }
            for _ in 0..ITEMS {
                made.fetch_add(1, Relaxed);
                sleepers.notify_one();
            }
        });
        assert_eq!(taken.into_inner(), ITEMS);
    }
}

#[test]
fn every_message_reaches_an_owner_that_parks_beside_an_empty_mailbox() {
    const MESSAGES: usize = 10_000;
    let mailbox = Mailbox::new(64);
    let sleepers = Sleepers::with_spins(1, 0);
    let mut received = Vec::new();
    thread::scope(|scope| {
        for sender in 0..WORKERS {
            let (mailbox, sleepers) = (&mailbox, &sleepers);
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let mut message = (sender, number);
                    while let Err(full) = mailbox.send(message) {
                        assert_eq!(full.capacity, 64);
                        message = full.message;
                        thread::yield_now();
                    }
                    sleepers.notify(WorkerId(0));
                }
            });
        }
        while received.len() < WORKERS * MESSAGES {
            if mailbox.drain(&mut received) == 0 {
                let _ = sleepers.park_unless(WorkerId(0), || mailbox.has_mail());
            }
        }
    });
    for sender in 0..WORKERS {
        let numbers =
            received.iter().filter(|message| message.0 == sender).map(|message| message.1);
        assert!(numbers.eq(0..MESSAGES), "the messages of one sender keep their order");
    }
}

#[test]
fn a_full_mailbox_gives_the_message_back() {
    let mailbox = Mailbox::new(2);
    assert!(!mailbox.has_mail());
    mailbox.send('a').unwrap();
    mailbox.send('b').unwrap();
    let full = mailbox.send('c').unwrap_err();
    assert_eq!(full.message, 'c');
    assert_eq!(full.to_string(), "the mailbox already holds its 2 messages");
    let mut mail = Vec::new();
    assert_eq!(mailbox.drain(&mut mail), 2);
    assert_eq!(mail, ['a', 'b']);
    assert!(!mailbox.has_mail());
    assert_eq!(mailbox.drain(&mut mail), 0);
}

#[test]
fn nobody_parks_after_the_close() {
    let sleepers = Sleepers::new(2);
    assert_eq!(sleepers.park_unless(WorkerId(1), || true), Woken::Ready);
    sleepers.close();
    assert_eq!(sleepers.park_unless(WorkerId(0), || false), Woken::Closed);
    assert_eq!(sleepers.park_unless(WorkerId(1), || true), Woken::Closed);
}

/// On how many cores the calling thread may run.
fn cores() -> usize {
    thread::available_parallelism().unwrap().get()
}

#[test]
fn workers_may_run_wherever_their_process_may_however_they_were_woken() {
    let all = cores();
    for apart in [true, false] {
        let builder = Engine::<u64, u64, usize, ()>::builder();
        let engine = builder.threads(3).path(Path::Parallel).wake_apart(apart).build().unwrap();
        for _ in 0..20 {
            // Until they sleep.
            thread::sleep(Duration::from_millis(2));
            let block: [_; 64] = array::from_fn(|_| {
                Transaction::new(async |_| {
                    let begin = Instant::now();
                    // Long enough for others to take some.
                    while begin.elapsed() < Duration::from_micros(50) {}
                    Ok(cores())
                })
            });
            let outcome = engine.execute(&block, HashMap::new()).unwrap();
            assert!(outcome.results.iter().all(|seen| *seen == Ok(all)), "{:?}", outcome.results);
        }
    }
}
