//! All lanes of a block, and the clock they share.

use crossbeam_utils::CachePadded;

use super::{BlockPhase, Event, Lane, Location, PhaseSpan, Place, Span, Timeline, build};
use crate::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// No wake-up yet.
const NEVER: u64 = u64::MAX;

/// Takes down what happens in one block.
#[derive(Debug)]
pub struct Recorder {
    begin: Instant,
    lanes: Box<[CachePadded<Lane>]>,
    /// When each transaction's context was woken last, other than by a transaction.
    woken: Box<[AtomicU64]>,
    /// A few, noted between the phases.
    phases: Mutex<Vec<PhaseSpan>>,
}

impl Recorder {
    /// For a block that began at `begin`, with so many workers and transactions.
    #[must_use]
    pub fn new(begin: Instant, workers: usize, transactions: usize) -> Self {
        Self {
            begin,
            lanes: (0..workers).map(|_| CachePadded::default()).collect(),
            woken: (0..transactions).map(|_| AtomicU64::new(NEVER)).collect(),
            phases: Mutex::new(Vec::new()),
        }
    }

    /// Nanoseconds since the block began.
    #[cold]
    #[must_use]
    pub fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.begin).as_nanos()).unwrap_or(NEVER - 1)
    }

    /// Notes an event of now. Called by that worker. Cold: whoever is not recorded should not have it in
    /// the middle of his code.
    #[cold]
    #[inline(never)]
    pub fn note(&self, worker: usize, event: Event) {
        if let Some(lane) = self.lanes.get(worker) {
            lane.push(self.now(), event);
        }
    }

    /// Notes that the context of `tx` is woken, on any thread.
    #[cold]
    pub fn note_wake(&self, tx: u32) {
        if let Some(woken) = self.woken.get(tx as usize) {
            // Relaxed: a number for the picture. That it is there when the context goes on follows
            // from the wake-up itself, which comes after it.
            woken.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Notes that worker `worker` goes on with the context of `tx`.
    #[cold]
    pub fn note_resume(&self, worker: usize, tx: u32) {
        let woken = self.woken.get(tx as usize).map(|woken| {
            let time = woken.load(Ordering::Relaxed);
            woken.store(NEVER, Ordering::Relaxed);
            time
        });
        self.note(worker, Event::Resumed(tx, woken.filter(|time| *time != NEVER)));
    }

    /// Notes a phase of the block.
    pub fn note_phase(&self, phase: BlockPhase, begin: Instant, end: Instant) {
        let span = Span { begin: self.at(begin), end: self.at(end) };
        self.phases.lock().push(PhaseSpan { phase, span });
    }

    /// What was taken down, as far as it is there by now. `name` says what a place is called.
    #[must_use]
    pub fn timeline(&self, name: impl Fn(Place) -> Location) -> Timeline {
        let lanes: Vec<_> = self.lanes.iter().map(|lane| lane.events()).collect();
        let dropped = self.lanes.iter().map(|lane| lane.dropped()).sum();
        let phases = self.phases.lock().clone();
        build::timeline(&lanes, self.woken.len(), phases, dropped, name)
    }
}
