//! `scheduler::sleep`: a worker that parks is woken by whoever makes work after it looked.
//!
//! A wake-up that is lost leaves a thread parked for ever, which loom reports as a deadlock. The
//! work is a relaxed counter, the weakest kind there is: it orders nothing by itself.

use chorus::{
    scheduler::{Sleepers, Woken, WorkerId},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "no_work_is_slept_through",
        threads: 2,
        bound: 4,
        weakenings: &["sleep.recheck", "sleep.announce-fence", "sleep.notify-fence"],
        run: no_work_is_slept_through,
    },
    Model {
        name: "each_notification_wakes_another_sleeper",
        threads: 4,
        bound: 3,
        weakenings: &["sleep.clear-rmw"],
        run: each_notification_wakes_another_sleeper,
    },
    Model {
        name: "closing_wakes_everyone_for_good",
        threads: 3,
        bound: 3,
        weakenings: &["sleep.announce-rmw"],
        run: closing_wakes_everyone_for_good,
    },
    Model {
        name: "a_claim_for_other_work_is_handed_on",
        threads: 3,
        bound: 3,
        weakenings: &["sleep.hand-on"],
        run: a_claim_for_other_work_is_handed_on,
    },
];

/// Without polling: to poll is to be scheduled once more, which loom does anyway.
fn sleepers(workers: usize) -> Arc<Sleepers> {
    Arc::new(Sleepers::with_spins(workers, 0))
}

/// Takes one of the counted items, sleeping until there is one.
fn take_one(sleepers: &Sleepers, worker: WorkerId, items: &AtomicUsize) {
    loop {
        let taken = items.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
        if taken.is_ok() {
            return;
        }
        let wake = sleepers.park_unless(worker, || items.load(Relaxed) > 0);
        assert_ne!(wake, Woken::Closed);
    }
}

fn no_work_is_slept_through() {
    let (sleepers, items) = (sleepers(1), Arc::new(AtomicUsize::new(0)));
    let worker = thread::spawn({
        let (sleepers, items) = (sleepers.clone(), items.clone());
        move || {
            take_one(&sleepers, WorkerId(0), &items);
            take_one(&sleepers, WorkerId(0), &items);
        }
    });
    for _ in 0..2 {
        items.fetch_add(1, Relaxed);
        sleepers.notify_one();
    }
    worker.join().unwrap();
}

/// Two makers of work, two workers that take one item each: if both notifications went to the same
/// worker, the other would sleep beside its item.
fn each_notification_wakes_another_sleeper() {
    let (sleepers, items) = (sleepers(2), Arc::new(AtomicUsize::new(0)));
    let workers = [0, 1].map(|index| {
        let (sleepers, items) = (sleepers.clone(), items.clone());
        thread::spawn(move || take_one(&sleepers, WorkerId(index), &items))
    });
    let maker = thread::spawn({
        let (sleepers, items) = (sleepers.clone(), items.clone());
        move || {
            items.fetch_add(1, Relaxed);
            sleepers.notify_one();
        }
    });
    items.fetch_add(1, Relaxed);
    sleepers.notify_one();
    maker.join().unwrap();
    for worker in workers {
        worker.join().unwrap();
    }
}

fn closing_wakes_everyone_for_good() {
    let sleepers = sleepers(2);
    let workers = [0, 1].map(|index| {
        let sleepers = sleepers.clone();
        thread::spawn(move || {
            assert_eq!(sleepers.park_unless(WorkerId(index), || false), Woken::Closed);
            assert_eq!(sleepers.park_unless(WorkerId(index), || false), Woken::Closed);
        })
    });
    sleepers.close();
    for worker in workers {
        worker.join().unwrap();
    }
}

/// Worker 0 serves a letter that only it can read, worker 1 an item that anybody could take. The
/// item's notification may claim worker 0 while it withdraws because of the letter.
fn a_claim_for_other_work_is_handed_on() {
    let sleepers = sleepers(2);
    let (letter, items) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = thread::spawn({
        let (sleepers, letter) = (sleepers.clone(), letter.clone());
        move || {
            while !letter.load(Relaxed) {
                let _ = sleepers.park_unless(WorkerId(0), || letter.load(Relaxed));
            }
        }
    });
    let taker = thread::spawn({
        let (sleepers, items) = (sleepers.clone(), items.clone());
        move || take_one(&sleepers, WorkerId(1), &items)
    });
    letter.store(true, Relaxed);
    sleepers.notify(WorkerId(0));
    items.fetch_add(1, Relaxed);
    sleepers.notify_one();
    reader.join().unwrap();
    taker.join().unwrap();
}
