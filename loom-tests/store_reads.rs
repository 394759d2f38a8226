//! `store::reads`: whoever asks gets an answer, and the store is asked once and not too often.
//!
//! A read that nobody starts, or whose asker is not woken, leaves a thread asleep for ever, which loom
//! reports as a deadlock. The store is what each model needs of one: here it answers at once, within
//! the call, or whoever comes by next answers what was started, or it never answers.

use chorus::{
    store::{Pump, Reads},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
        time::Instant,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "askers_of_one_key_share_a_read",
        threads: 3,
        bound: 3,
        weakenings: &["reads.coalesce"],
        run: askers_of_one_key_share_a_read,
    },
    Model {
        name: "an_asker_beside_an_answer_gets_one",
        threads: 3,
        bound: 3,
        weakenings: &["reads.coalesce"],
        run: an_asker_beside_an_answer_gets_one,
    },
    Model {
        name: "those_who_join_a_read_made_ahead_share_its_flight",
        threads: 3,
        bound: 3,
        weakenings: &["reads.one-flight"],
        run: those_who_join_a_read_made_ahead_share_its_flight,
    },
    Model {
        name: "an_answer_that_has_landed_is_not_asked_for_again",
        threads: 2,
        bound: 3,
        weakenings: &["reads.known-locked"],
        run: an_answer_that_has_landed_is_not_asked_for_again,
    },
    Model {
        name: "what_a_full_limit_holds_back_is_started",
        threads: 3,
        bound: 3,
        weakenings: &["reads.again", "reads.place-freed"],
        run: what_a_full_limit_holds_back_is_started,
    },
    Model {
        name: "what_is_asked_ahead_starts_at_once_within_the_limit",
        threads: 2,
        bound: 3,
        weakenings: &["reads.at-once-within-limit"],
        run: what_is_asked_ahead_starts_at_once_within_the_limit,
    },
    Model {
        name: "the_frontier_passes_a_full_limit_one_at_a_time",
        threads: 3,
        bound: 3,
        weakenings: &["reads.reserve", "reads.one-more"],
        run: the_frontier_passes_a_full_limit_one_at_a_time,
    },
    Model {
        name: "a_read_given_up_beside_its_answer_frees_one_place",
        threads: 3,
        bound: 3,
        weakenings: &["reads.land-once"],
        run: a_read_given_up_beside_its_answer_frees_one_place,
    },
    Model {
        name: "an_ended_block_lets_those_who_wait_go",
        threads: 3,
        bound: 3,
        weakenings: &["reads.close-first", "flight.gone"],
        run: an_ended_block_lets_those_who_wait_go,
    },
];

/// The rank of the transaction at the commit cursor.
const FRONTIER: u32 = 0;

/// Reads of a store, and what it has been asked.
struct Desk {
    reads: Reads<u32, u32>,
    /// Started, and to be answered by whoever comes by.
    open: Mutex<Vec<u32>>,
    started: AtomicU32,
    under_way: AtomicU32,
    most: u32,
}

impl Desk {
    /// `most` is how many reads may be under way, the one beyond the limit included.
    fn new(limit: usize, most: u32) -> Arc<Self> {
        Arc::new(Self {
            reads: Reads::new(limit),
            open: Mutex::new(Vec::new()),
            started: AtomicU32::new(0),
            under_way: AtomicU32::new(0),
            most,
        })
    }

    fn pump(&self, store: impl Fn(u32)) {
        self.reads.pump(&Store { desk: self, store });
    }

    /// Answers with ten times the key, and starts what that lets start.
    fn answer(&self, key: u32, keep: bool) {
        self.under_way.fetch_sub(1, Relaxed);
        self.reads.land(key, key * 10, keep);
    }

    /// Starts what can be started; the store answers within the call.
    fn pump_at_once(&self, keep: bool) {
        self.pump(|key| self.answer(key, keep));
    }

    /// Asks and waits, with a store that answers within the call.
    fn read(&self, key: u32, rank: u32, keep: bool) {
        let store = Store { desk: self, store: |key| self.answer(key, keep) };
        let flight = self.reads.ask_and_pump(key, rank, || false, &store).expect("nothing known");
        assert_eq!(flight.wait(|| false, || false), Some(key * 10));
    }

    /// The same in two steps, between which others may ask.
    fn ask_then_read(&self, key: u32, rank: u32) {
        let flight = self.reads.ask(key, rank);
        self.pump_at_once(false);
        assert_eq!(flight.wait(|| false, || false), Some(key * 10));
    }

    /// Asks for reads that nobody waits for, and serves.
    fn ask_ahead_and_serve<const N: usize>(&self, keys: [u32; N]) {
        let store = Store { desk: self, store: |key| self.open.lock().push(key) };
        self.reads.ask_ahead_and_pump(keys.map(|key| (key, key)), |_| false, &store);
        self.serve();
    }

    /// Starts what can be started and answers what is open, until nothing is.
    fn serve(&self) {
        let store = Store { desk: self, store: |key| self.open.lock().push(key) };
        self.reads.pump(&store);
        loop {
            let open = std::mem::take(&mut *self.open.lock());
            if open.is_empty() {
                return;
            }
            self.under_way.fetch_sub(open.len() as u32, Relaxed);
            // The answer to 3 leads to 4, for which nobody waits.
            let more = open.iter().filter(|key| **key == 3).map(|key| (key + 1, key + 1));
            let more: Vec<_> = more.collect();
            let answers = open.into_iter().map(|key| (key, key * 10, false));
            self.reads.land_and_pump(answers, more, |_| false, &store);
        }
    }
}

/// How a desk's store gets its reads.
struct Store<'a, F> {
    desk: &'a Desk,
    store: F,
}

impl<F: Fn(u32)> Pump<u32> for Store<'_, F> {
    fn urgent(&self) -> u32 {
        FRONTIER
    }

    fn start(&self, batch: Vec<(u32, u32)>) {
        let more = batch.len() as u32;
        self.desk.started.fetch_add(more, Relaxed);
        let under_way = self.desk.under_way.fetch_add(more, Relaxed) + more;
        assert!(under_way <= self.desk.most, "{under_way} reads are under way");
        batch.into_iter().for_each(|(key, _)| (self.store)(key));
    }
}

fn askers_of_one_key_share_a_read() {
    let desk = Desk::new(4, 1);
    let other = thread::spawn({
        let desk = desk.clone();
        move || desk.read(1, 5, true)
    });
    desk.read(1, 3, true);
    other.join().unwrap();
    assert_eq!(desk.started.load(Relaxed), 1);
}

/// The answer comes from elsewhere, and is not kept: who comes too late for it makes a new read.
fn an_asker_beside_an_answer_gets_one() {
    let desk = Desk::new(4, 2);
    let flight = desk.reads.ask(1, 0);
    desk.pump(|_| ());
    let asker = thread::spawn({
        let desk = desk.clone();
        move || desk.read(1, 5, false)
    });
    desk.answer(1, false);
    assert_eq!(flight.wait(|| false, || false), Some(10));
    asker.join().unwrap();
    assert!(!desk.reads.any(), "each place is free again");
}

/// Nobody waits for it at first. Who comes too late for its answer makes a new read.
fn those_who_join_a_read_made_ahead_share_its_flight() {
    let desk = Desk::new(4, 2);
    desk.reads.ask_ahead([(1, 5)], |_| false);
    desk.pump(|_| ());
    let others = [0, 1].map(|other| {
        let desk = desk.clone();
        thread::spawn(move || match other {
            0 => desk.answer(1, false),
            _ => desk.read(1, 3, false),
        })
    });
    desk.read(1, 4, false);
    for other in others {
        other.join().unwrap();
    }
}

/// Answers are put where askers look first. One that arrives between such a look and the question
/// counts.
fn an_answer_that_has_landed_is_not_asked_for_again() {
    let desk = Desk::new(4, 1);
    let arrived = Arc::new(Mutex::new(None));
    let flight = desk.reads.ask(1, 0);
    desk.pump(|_| ());
    let store = thread::spawn({
        let (desk, arrived) = (desk.clone(), arrived.clone());
        move || {
            *arrived.lock() = Some(10);
            desk.answer(1, false);
        }
    });
    let at_once = Store { desk: &desk, store: |key| desk.answer(key, false) };
    let known = || arrived.lock().is_some();
    if let Some(flight) = desk.reads.ask_and_pump(1, 5, known, &at_once) {
        assert_eq!(flight.wait(|| false, || false), Some(10));
    }
    assert_eq!(flight.wait(|| false, || false), Some(10));
    store.join().unwrap();
    assert_eq!(desk.started.load(Relaxed), 1);
}

/// The second read can start only when the first has an answer, which may come while somebody is at
/// starting reads.
fn what_a_full_limit_holds_back_is_started() {
    let desk = Desk::new(1, 1);
    let ask = |key: u32| {
        let desk = desk.clone();
        move || {
            let flight = desk.reads.ask(key, key);
            desk.serve();
            assert_eq!(flight.wait(|| false, || false), Some(key * 10));
        }
    };
    let other = thread::spawn(ask(1));
    ask(2)();
    other.join().unwrap();
    assert!(!desk.reads.any());
}

/// Nobody waits for these reads. Of one thread's two, one finds a place free and is never queued; or the other
/// thread's read has it, which is being started or answered, or what that leads to.
fn what_is_asked_ahead_starts_at_once_within_the_limit() {
    let desk = Desk::new(1, 1);
    let other = thread::spawn({
        let desk = desk.clone();
        move || desk.ask_ahead_and_serve([3])
    });
    desk.ask_ahead_and_serve([1, 2]);
    other.join().unwrap();
    assert!(!desk.reads.any());
    assert_eq!(desk.started.load(Relaxed), 4);
}

/// The read that fills the limit is never answered.
fn the_frontier_passes_a_full_limit_one_at_a_time() {
    let desk = Desk::new(1, 2);
    let _never = desk.reads.ask(9, 9);
    desk.pump(|_| ());
    let other = thread::spawn({
        let desk = desk.clone();
        move || desk.ask_then_read(1, FRONTIER)
    });
    desk.ask_then_read(2, FRONTIER);
    other.join().unwrap();
    assert_eq!(desk.started.load(Relaxed), 3);
}

fn a_read_given_up_beside_its_answer_frees_one_place() {
    const LATE: u32 = 99;
    let desk = Desk::new(2, 2);
    let (flight, _other) = (desk.reads.ask(1, 1), desk.reads.ask(2, 2));
    desk.pump(|_| ());
    let store = thread::spawn({
        let desk = desk.clone();
        move || desk.reads.land(1, 10, true)
    });
    let (any, _) = desk.reads.expire(Instant::now(), |_| LATE);
    assert!(any, "the other read is late in any case");
    store.join().unwrap();
    // Twice, as a faulty store may.
    desk.reads.land(1, 10, true);
    assert!(flight.peek().is_some());
    assert_eq!(desk.reads.load(), 0);
}

/// The store never answers.
fn an_ended_block_lets_those_who_wait_go() {
    let desk = Desk::new(1, 1);
    let waiters = [1, 2].map(|key| {
        let desk = desk.clone();
        thread::spawn(move || {
            let flight = desk.reads.ask(key, key);
            desk.pump(|_| ());
            let gone = || desk.reads.is_closed();
            assert_eq!(flight.wait(|| false, gone), None);
        })
    });
    desk.reads.close();
    for waiter in waiters {
        waiter.join().unwrap();
    }
}
