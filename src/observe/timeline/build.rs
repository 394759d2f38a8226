//! Events become a timeline.

use std::collections::HashMap;

use super::{
    Awaited, Cause, Commit, Ending, Event, Incarnation, Location, LocationId, PhaseSpan, Place,
    Scout, Span, Suspension, Timeline, Wait,
};
use crate::sync::RandomState;

/// What is known of a transaction on the way through the events.
#[derive(Clone, Default)]
struct Progress {
    /// Its incarnations so far.
    started: u32,
    /// The one that is on, or was last.
    current: Option<usize>,
    awaited: Option<(u64, Awaited)>,
    conflict: Option<Place>,
    /// When it published, and as which incarnation.
    published: Vec<(u64, usize)>,
}

/// A suspension that a transaction ends.
struct Open {
    incarnation: usize,
    suspension: usize,
    writer: u32,
    /// When it turned to waiting.
    since: u64,
}

struct Builder<N> {
    timeline: Timeline,
    transactions: Vec<Progress>,
    open: Vec<Open>,
    ids: HashMap<Place, LocationId, RandomState>,
    name: N,
}

/// The timeline of a block from the events of its workers, each in order.
pub(super) fn timeline(
    lanes: &[Vec<(u64, Event)>],
    transactions: usize,
    phases: Vec<PhaseSpan>,
    dropped: u64,
    name: impl Fn(Place) -> Location,
) -> Timeline {
    let with_workers = lanes.iter().enumerate();
    let mut events: Vec<(u64, usize, Event)> = with_workers
        .flat_map(|(worker, lane)| lane.iter().map(move |(time, event)| (*time, worker, *event)))
        .collect();
    // Stable: the events of a lane stay in order.
    events.sort_by_key(|(time, ..)| *time);
    let last = events.last().map_or(0, |(time, ..)| *time);
    let end = phases.iter().map(|phase| phase.span.end).max().unwrap_or(0).max(last);
    let timeline = Timeline {
        workers: lanes.len(),
        transactions,
        end,
        phases,
        dropped,
        ..Timeline::default()
    };
    let transactions = vec![Progress::default(); transactions];
    let ids = HashMap::with_hasher(RandomState::default());
    let mut builder = Builder { timeline, transactions, open: Vec::new(), ids, name };
    for (time, worker, event) in events {
        builder.add(time, worker, event);
    }
    builder.finish()
}

impl<N: Fn(Place) -> Location> Builder<N> {
    fn locate(&mut self, place: Place) -> LocationId {
        let Self { timeline: Timeline { locations, .. }, ids, name, .. } = self;
        *ids.entry(place).or_insert_with(|| {
            locations.push(name(place));
            LocationId(locations.len() as u32 - 1)
        })
    }

    fn add(&mut self, time: u64, worker: usize, event: Event) {
        let tx = event.transaction();
        let Some(progress) = self.transactions.get_mut(tx as usize) else { return };
        match event {
            Event::Started(_) => {
                progress.current = Some(self.timeline.incarnations.len());
                (progress.awaited, progress.conflict) = (None, None);
                self.timeline.incarnations.push(Incarnation {
                    tx,
                    number: progress.started,
                    worker,
                    span: Span { begin: time, end: OPEN },
                    published: None,
                    ending: Ending::Unfinished,
                    conflict: None,
                    suspensions: Vec::new(),
                });
                progress.started += 1;
            }
            Event::Awaits(_, awaited) => progress.awaited = Some((time, awaited)),
            Event::Conflict(_, place) => progress.conflict = Some(place),
            Event::Scouted(_, begin) => {
                let span = Span { begin, end: time };
                self.timeline.scouts.push(Scout { tx, worker, span });
            }
            Event::Suspended(_) => self.suspend(time, tx),
            _ => {
                if let Some(at) = progress.current {
                    self.advance(time, worker, event, at);
                }
            }
        }
    }

    fn suspend(&mut self, time: u64, tx: u32) {
        let progress = &mut self.transactions[tx as usize];
        let (Some(at), awaited) = (progress.current, progress.awaited.take()) else { return };
        let suspension = self.timeline.incarnations[at].suspensions.len();
        let cause = awaited.map_or(Cause::Unknown, |(since, awaited)| {
            let location = self.locate(awaited.place);
            match awaited.wait {
                Wait::Transaction(writer) => {
                    self.open.push(Open { incarnation: at, suspension, writer, since });
                    Cause::Transaction { writer, location }
                }
                Wait::Store => Cause::Store { location },
                Wait::Registry => Cause::Registry { location },
            }
        });
        let span = Span { begin: time, end: OPEN };
        let suspension = Suspension { span, woken: None, woken_by: None, cause };
        self.timeline.incarnations[at].suspensions.push(suspension);
    }

    /// Something happens to the current incarnation of a transaction.
    fn advance(&mut self, time: u64, worker: usize, event: Event, at: usize) {
        let progress = &mut self.transactions[event.transaction() as usize];
        let incarnation = &mut self.timeline.incarnations[at];
        match event {
            Event::Resumed(_, woken) => {
                if let Some(suspension) = incarnation.suspensions.last_mut() {
                    suspension.span.end = time;
                    suspension.woken = woken.map(|woken| woken.clamp(suspension.span.begin, time));
                }
            }
            Event::Ended(_) => incarnation.span.end = time,
            Event::Published(_) => {
                incarnation.published = Some(time);
                progress.published.push((time, at));
            }
            Event::Aborted(_) | Event::Doomed(_) => {
                let doomed = matches!(event, Event::Doomed(_));
                incarnation.ending = if doomed { Ending::Doomed } else { Ending::Aborted };
                if let Some(place) = progress.conflict.take() {
                    let location = self.locate(place);
                    self.timeline.incarnations[at].conflict = Some(location);
                }
            }
            Event::Committed(tx, begin) => {
                incarnation.ending = Ending::Committed;
                if incarnation.published.is_none() {
                    incarnation.published = Some(time);
                    progress.published.push((time, at));
                }
                let span = Span { begin, end: time };
                self.timeline.commits.push(Commit { tx, worker, span });
            }
            _ => {}
        }
    }

    /// Closes what the end of the block has left open, and finds out who woke whom.
    fn finish(mut self) -> Timeline {
        let end = self.timeline.end;
        for incarnation in &mut self.timeline.incarnations {
            incarnation.span.end = incarnation.span.end.min(end);
            if let Some(last) = incarnation.suspensions.last_mut() {
                last.span.end = last.span.end.min(incarnation.span.end);
            }
        }
        for Open { incarnation, suspension, writer, since } in &self.open {
            let suspension = &mut self.timeline.incarnations[*incarnation].suspensions[*suspension];
            let Some(writer) = self.transactions.get(*writer as usize) else { continue };
            let mut after = writer.published.iter().filter(|(time, _)| time >= since);
            if let Some((time, by)) = after.next()
                && *time <= suspension.span.end
            {
                suspension.woken = Some((*time).max(suspension.span.begin));
                suspension.woken_by = Some(*by);
            }
        }
        self.timeline.commits.sort_by_key(|commit| commit.tx);
        self.timeline
    }
}

/// The end of what has not ended yet.
const OPEN: u64 = u64::MAX;
