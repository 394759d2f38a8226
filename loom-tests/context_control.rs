//! `context::control` and `engine::cancel`: a stop finds the block wherever it stands.

use chorus::{
    context::{Control, Halt, StopReason},
    engine::CancelToken,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        thread,
    },
};

use crate::models::Model;

pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "a_stop_is_not_lost_between_two_targets",
        threads: 2,
        bound: 4,
        weakenings: &["control.attach-looks"],
        run: a_stop_is_not_lost_between_two_targets,
    },
    Model {
        name: "whoever_sees_the_flag_finds_its_block_halted",
        threads: 2,
        bound: 4,
        weakenings: &["control.raise-last"],
        run: whoever_sees_the_flag_finds_its_block_halted,
    },
    Model {
        name: "of_two_stops_one_is_the_reason",
        threads: 3,
        bound: 3,
        weakenings: &["control.stop-once"],
        run: of_two_stops_one_is_the_reason,
    },
    Model {
        name: "a_block_handed_in_beside_a_cancellation_is_cancelled",
        threads: 2,
        bound: 4,
        weakenings: &["token.covers-looks"],
        run: a_block_handed_in_beside_a_cancellation_is_cancelled,
    },
];

/// Counts how often it was halted.
#[derive(Default)]
struct Target(AtomicU32);

impl Halt for Target {
    fn halt(&self, _: StopReason) {
        // Relaxed: the control alone orders it.
        self.0.fetch_add(1, Relaxed);
    }
}

fn attached(control: &Control) -> Arc<Target> {
    let target = Arc::new(Target::default());
    control.attach(Arc::downgrade(&target) as _);
    target
}

fn a_stop_is_not_lost_between_two_targets() {
    let control = Arc::new(Control::new());
    let stopper = thread::spawn({
        let control = control.clone();
        move || control.stop(StopReason::Cancelled)
    });
    let waits = attached(&control);
    let runs = attached(&control);
    stopper.join().unwrap();
    assert_eq!(runs.0.load(Relaxed), 1, "where the block stands");
    assert!(waits.0.load(Relaxed) <= 1, "where it stood");
    assert!(control.is_raised());
}

fn whoever_sees_the_flag_finds_its_block_halted() {
    let control = Arc::new(Control::new());
    let runs = attached(&control);
    let stopper = thread::spawn({
        let control = control.clone();
        move || control.stop(StopReason::Cancelled)
    });
    if control.is_raised() {
        assert_eq!(runs.0.load(Relaxed), 1);
    }
    stopper.join().unwrap();
}

fn of_two_stops_one_is_the_reason() {
    let control = Arc::new(Control::new());
    let runs = attached(&control);
    let late = StopReason::DeadlineExceeded { allowed: std::time::Duration::ZERO };
    let stoppers = [StopReason::Cancelled, late].map(|reason| {
        let control = control.clone();
        thread::spawn(move || control.stop(reason))
    });
    for stopper in stoppers {
        stopper.join().unwrap();
    }
    assert_eq!(runs.0.load(Relaxed), 1, "once");
    assert!(control.reason().is_some());
}

fn a_block_handed_in_beside_a_cancellation_is_cancelled() {
    let token = CancelToken::new();
    let canceller = thread::spawn({
        let token = token.clone();
        move || token.cancel()
    });
    let control = Arc::new(Control::new());
    let runs = attached(&control);
    token.covers(&control);
    canceller.join().unwrap();
    assert_eq!(runs.0.load(Relaxed), 1);
    assert_eq!(control.reason(), Some(StopReason::Cancelled));
}
