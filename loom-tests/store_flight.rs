//! `store::flight`: whoever waits for an answer gets it, and all get the same.
//!
//! A waiter that is not woken sleeps for ever, which loom reports as a deadlock.

use chorus::{
    store::Flight,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "every_waiter_gets_the_answer",
        threads: 3,
        bound: 3,
        weakenings: &["flight.register-locked"],
        run: every_waiter_gets_the_answer,
    },
    Model {
        name: "the_first_answer_stands",
        threads: 3,
        bound: 3,
        weakenings: &["flight.first-stands"],
        run: the_first_answer_stands,
    },
    Model {
        name: "a_stirred_waiter_looks_again",
        threads: 3,
        bound: 3,
        weakenings: &["flight.register-locked"],
        run: a_stirred_waiter_looks_again,
    },
    Model {
        name: "a_waiter_is_let_go_when_no_answer_will_come",
        threads: 3,
        bound: 3,
        weakenings: &["flight.gone"],
        run: a_waiter_is_let_go_when_no_answer_will_come,
    },
];

fn every_waiter_gets_the_answer() {
    let flight = Arc::new(Flight::default());
    let waiters = [(); 2].map(|()| {
        let flight = flight.clone();
        thread::spawn(move || flight.wait(|| false, || false))
    });
    flight.land(7);
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), Some(7));
    }
}

fn the_first_answer_stands() {
    let flight = Arc::new(Flight::default());
    let other = thread::spawn({
        let flight = flight.clone();
        move || flight.land(1)
    });
    let waiter = thread::spawn({
        let flight = flight.clone();
        move || flight.wait(|| false, || false)
    });
    flight.land(2);
    let seen = waiter.join().unwrap();
    other.join().unwrap();
    assert_eq!(flight.peek(), seen);
}

/// Another reason to go on comes and goes. It takes the waiter's waker, so the waiter must leave it again
/// before it sleeps.
fn a_stirred_waiter_looks_again() {
    let flight = Arc::new(Flight::default());
    let waiter = thread::spawn({
        let flight = flight.clone();
        move || flight.wait(|| false, || false)
    });
    let stirrer = thread::spawn({
        let flight = flight.clone();
        move || flight.stir()
    });
    flight.land(7);
    assert_eq!(waiter.join().unwrap(), Some(7));
    stirrer.join().unwrap();
}

/// Two of them, since the first to look may find it at once.
fn a_waiter_is_let_go_when_no_answer_will_come() {
    let flight = Arc::new(Flight::<u32>::default());
    let gone = Arc::new(AtomicBool::new(false));
    let waiters = [(); 2].map(|()| {
        let (flight, gone) = (flight.clone(), gone.clone());
        thread::spawn(move || flight.wait(|| false, || gone.load(Relaxed)))
    });
    gone.store(true, Relaxed);
    flight.stir();
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), None);
    }
}
