//! `engine::conductor`: blocks run in their order, and the end of the engine is everybody's end.

use chorus::{
    context::{Control, Halt, StopReason},
    engine::{Conductor, Ticket, Turn},
    sync::{Arc, Condvar, Mutex, thread},
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_shutdown_ends_the_running_block_and_begins_no_other",
        threads: 2,
        bound: 3,
        weakenings: &["conductor.close-cancels", "conductor.close-takes"],
        run: a_shutdown_ends_the_running_block_and_begins_no_other,
    },
    Model {
        name: "a_block_stopped_in_the_queue_ends_once",
        threads: 3,
        bound: 3,
        weakenings: &["control.attach-looks"],
        run: a_block_stopped_in_the_queue_ends_once,
    },
    Model {
        name: "blocks_run_in_the_order_in_which_they_came",
        threads: 2,
        bound: 3,
        weakenings: &["conductor.enqueue-wakes"],
        run: blocks_run_in_the_order_in_which_they_came,
    },
];

/// A block that runs until it is stopped.
#[derive(Default)]
struct Endless {
    halted: Mutex<bool>,
    changed: Condvar,
}

impl Halt for Endless {
    fn halt(&self, _: StopReason) {
        *self.halted.lock() = true;
        self.changed.notify_one();
    }
}

impl Endless {
    fn run(control: &Control) {
        let block = Arc::new(Self::default());
        control.attach(Arc::downgrade(&block) as _);
        let mut halted = block.halted.lock();
        while !*halted {
            block.changed.wait(&mut halted);
        }
    }
}

type Log = Arc<Mutex<Vec<(u32, bool)>>>;

/// A turn that notes its number, and whether it began. It runs until it is stopped, if it begins.
fn endless(number: u32, log: &Log) -> Arc<Turn> {
    let (control, log) = (Arc::new(Control::new()), log.clone());
    Turn::new(control.clone(), move |stopped| {
        if stopped.is_none() {
            Endless::run(&control);
        }
        log.lock().push((number, stopped.is_none()));
    })
}

fn a_shutdown_ends_the_running_block_and_begins_no_other() {
    let log = Log::default();
    let conductor = Conductor::new();
    conductor.enqueue(endless(0, &log)).unwrap();
    conductor.enqueue(endless(1, &log)).unwrap();
    drop(conductor);
    let mut ends = log.lock().clone();
    // A block that has begun ends when it notices; those in the queue end in order.
    if ends.contains(&(0, true)) {
        ends.sort_unstable();
        assert_eq!(ends, [(0, true), (1, false)]);
    } else {
        assert_eq!(ends, [(0, false), (1, false)]);
    }
}

/// One that cancels, the conductor, and the engine's end: all want to end it.
fn a_block_stopped_in_the_queue_ends_once() {
    let ticket = Arc::new(Ticket::default());
    let control = Arc::new(Control::new());
    let canceller = thread::spawn({
        let control = control.clone();
        move || control.stop(StopReason::Cancelled)
    });
    let (done, own) = (ticket.clone(), control.clone());
    let turn = Turn::new(control, move |stopped| {
        if stopped.is_none() {
            Endless::run(&own);
        }
        done.complete(());
    });
    let conductor = Conductor::new();
    conductor.enqueue(turn).unwrap();
    // It ends without the engine's help.
    ticket.wait();
    drop(conductor);
    canceller.join().unwrap();
}

fn blocks_run_in_the_order_in_which_they_came() {
    let log = Log::default();
    let ticket = Arc::new(Ticket::default());
    let conductor = Conductor::new();
    for number in 0..2 {
        let (log, done) = (log.clone(), ticket.clone());
        let turn = Turn::new(Arc::new(Control::new()), move |stopped| {
            log.lock().push((number, stopped.is_none()));
            if number == 1 {
                done.complete(());
            }
        });
        conductor.enqueue(turn).unwrap();
    }
    ticket.wait();
    drop(conductor);
    assert_eq!(*log.lock(), [(0, true), (1, true)]);
}
