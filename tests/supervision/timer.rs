//! The timer calls what it is asked to, in time, and nothing that was taken back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use chorus::engine::Timer;

#[test]
fn calls_are_made_in_the_order_of_their_times_and_not_before() {
    let timer = Timer::new();
    let (sender, receiver) = mpsc::channel();
    let begin = Instant::now();
    let alarms: Vec<_> = [50, 10, 30, 10]
        .into_iter()
        .enumerate()
        .map(|(at, millis)| {
            let sender = sender.clone();
            let time = begin + Duration::from_millis(millis);
            timer.at(time, move || sender.send((at, Instant::now() >= time)).unwrap()).unwrap()
        })
        .collect();
    let calls: Vec<_> = receiver.iter().take(4).collect();
    assert_eq!(calls, [(1, true), (3, true), (2, true), (0, true)]);
    drop(alarms);
}

#[test]
fn a_call_that_is_taken_back_is_not_made_and_a_panic_harms_no_other() {
    let timer = Timer::new();
    let made = Arc::new(AtomicUsize::new(0));
    let soon = Instant::now() + Duration::from_millis(20);
    let count = |by: usize| {
        let made = made.clone();
        move || {
            made.fetch_add(by, Ordering::Relaxed);
        }
    };
    drop(timer.at(soon, count(1)).unwrap());
    let _panics = timer.at(soon, || panic!("a call")).unwrap();
    let _stays = timer.at(soon, count(10)).unwrap();
    let _late = timer.at(soon + Duration::from_secs(3_600), count(100)).unwrap();
    while made.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    // Ending it makes no call that was not due.
    drop(timer);
    assert_eq!(made.load(Ordering::Relaxed), 10);
}

#[test]
fn a_repeated_call_is_made_until_it_is_taken_back_or_has_had_enough() {
    let timer = Timer::new();
    let soon = |millis| Instant::now() + Duration::from_millis(millis);
    let (sender, receiver) = mpsc::channel();
    let mut left = 3;
    let _counts = timer.repeat(soon(1), move || {
        left -= 1;
        sender.send(left).unwrap();
        (left > 0).then(|| soon(1))
    });
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [2, 1, 0], "and the call is dropped");
    let (sender, receiver) = mpsc::channel();
    let endless = timer.repeat(soon(1), move || {
        sender.send(()).unwrap();
        Some(soon(1))
    });
    assert_eq!(receiver.iter().take(3).count(), 3);
    drop(endless);
    // Taken back, it is dropped with its sender.
    while receiver.recv_timeout(Duration::from_secs(10)).is_ok() {}
    assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}
