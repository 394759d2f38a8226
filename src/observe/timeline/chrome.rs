//! A timeline as trace JSON, the format that Chrome defined and <https://ui.perfetto.dev> reads.
//!
//! | event | what |
//! |---|---|
//! | `X`, category `run` | an incarnation from a start or resume to the next suspension or its end, on its worker |
//! | `X`, category `commit` | a commit, on the worker that did it |
//! | `X`, category `scout` | a scout |
//! | `X`, category `phase` | a phase of the block, in a lane of its own |
//! | `b` and `e`, category `suspension` | a suspension: these overlap, so they are no slices of the worker |
//! | `s` and `f`, category `wake` | an arrow from the run that published to the run that went on |
//! | `M` | names of lanes |
//!
//! `otherData` holds the block's name, its numbers, and the hottest locations.

use super::{
    Cause, Incarnation, LocationId, Span, Suspension, Timeline,
    json::{Micros, Object, Text, array},
};

/// The lane of the block's phases; workers follow.
const BLOCK_LANE: usize = 0;

fn lane(worker: usize) -> usize {
    BLOCK_LANE + 1 + worker
}

impl Timeline {
    /// As trace JSON; `title` names the block.
    #[must_use]
    pub fn to_chrome(&self, title: &str) -> String {
        let mut events = self.names(title);
        for phase in &self.phases {
            events.push(slice(phase.phase.name(), "phase", BLOCK_LANE, phase.span).end());
        }
        let (mut suspensions, mut arrows) = (0, 0);
        for incarnation in &self.incarnations {
            self.runs(incarnation, &mut events);
            for (part, suspension) in incarnation.suspensions.iter().enumerate() {
                self.suspension(incarnation, suspension, suspensions, &mut events);
                suspensions += 1;
                if let Some(by) = suspension.woken_by.and_then(|by| self.incarnations.get(by)) {
                    arrow(by, incarnation, part, arrows, &mut events);
                    arrows += 1;
                }
            }
        }
        for commit in &self.commits {
            let name = format!("commit {}", commit.tx);
            let args = Object::new().with("tx", commit.tx).end();
            let slice = slice(&name, "commit", lane(commit.worker), commit.span);
            events.push(slice.with("args", args).end());
        }
        for scout in &self.scouts {
            let name = format!("scout {}", scout.tx);
            let args = Object::new().with("tx", scout.tx).end();
            let slice = slice(&name, "scout", lane(scout.worker), scout.span);
            events.push(slice.with("args", args).end());
        }
        Object::new()
            .with("traceEvents", array(&events))
            .text("displayTimeUnit", "ns")
            .with("otherData", self.other(title))
            .end()
    }

    fn names(&self, title: &str) -> Vec<String> {
        let meta = |name: &str, tid: usize, args: String| {
            let event = Object::new().text("ph", "M").text("name", name);
            event.with("pid", 1).with("tid", tid).with("args", args).end()
        };
        let named = |name: &str| Object::new().text("name", name).end();
        let mut events = vec![
            meta("process_name", BLOCK_LANE, named(title)),
            meta("thread_name", BLOCK_LANE, named("block")),
        ];
        for worker in 0..self.workers {
            events.push(meta("thread_name", lane(worker), named(&format!("worker {worker}"))));
        }
        for tid in 0..=self.workers {
            let order = Object::new().with("sort_index", tid).end();
            events.push(meta("thread_sort_index", tid, order));
        }
        events
    }

    fn text_of(&self, location: LocationId) -> String {
        self.location(location).map(ToString::to_string).unwrap_or_default()
    }

    /// The runs of an incarnation between its suspensions.
    fn runs(&self, incarnation: &Incarnation, events: &mut Vec<String>) {
        let name = name_of(incarnation);
        let parts = incarnation.suspensions.len() + 1;
        for (part, span) in incarnation.running().enumerate() {
            let mut args = Object::new()
                .with("tx", incarnation.tx)
                .with("incarnation", incarnation.number)
                .with("part", part)
                .with("parts", parts)
                .text("ending", incarnation.ending.name());
            if let Some(conflict) = incarnation.conflict {
                args = args.text("conflict", &self.text_of(conflict));
            }
            let slice = slice(&name, "run", lane(incarnation.worker), span);
            events.push(slice.with("args", args.end()).end());
        }
    }

    fn suspension(
        &self,
        incarnation: &Incarnation,
        suspension: &Suspension,
        id: usize,
        events: &mut Vec<String>,
    ) {
        let mut args =
            Object::new().with("tx", incarnation.tx).with("incarnation", incarnation.number);
        let (kind, writer) = match suspension.cause {
            Cause::Transaction { writer, .. } => ("transaction", Some(writer)),
            Cause::Store { .. } => ("store", None),
            Cause::Registry { .. } => ("registry", None),
            Cause::Unknown => ("unknown", None),
        };
        args = args.text("waits_for", kind);
        if let Some(writer) = writer {
            args = args.with("transaction", writer);
        }
        if let Some(location) = suspension.cause.location() {
            args = args.text("location", &self.text_of(location));
        }
        if let Some(woken) = suspension.woken {
            args = args.with("woken", Micros(woken));
        }
        let begin = boundary("b", id, incarnation.worker, suspension.span.begin);
        events.push(begin.with("args", args.end()).end());
        events.push(boundary("e", id, incarnation.worker, suspension.span.end).end());
    }

    fn other(&self, title: &str) -> String {
        let hottest: Vec<String> = self
            .hottest()
            .iter()
            .map(|hot| {
                let location = self.location(hot.location);
                let text = |pick: fn(&super::Location) -> &String| {
                    Text(location.map_or("", |location| pick(location).as_str())).to_string()
                };
                Object::new()
                    .with("contract", text(|location| &location.contract))
                    .with("field", text(|location| &location.field))
                    .with("conflicts", hot.conflicts())
                    .with("aborts", hot.aborts)
                    .with("waits", hot.waits)
                    .with("store_reads", hot.reads)
                    .with("lost_us", Micros(hot.lost))
                    .end()
            })
            .collect();
        let busy: Vec<String> = self.busy().into_iter().map(|ns| Micros(ns).to_string()).collect();
        Object::new()
            .text("title", title)
            .with("workers", self.workers)
            .with("transactions", self.transactions)
            .with("incarnations", self.incarnations.len())
            .with("suspensions", self.suspensions())
            .with("commits", self.commits.len())
            .with("end_us", Micros(self.end))
            .with("dropped_events", self.dropped)
            .with("busy_us", array(&busy))
            .with("hottest", array(&hottest))
            .end()
    }
}

fn name_of(incarnation: &Incarnation) -> String {
    match incarnation.number {
        0 => format!("tx {}", incarnation.tx),
        number => format!("tx {} again ({})", incarnation.tx, number),
    }
}

fn slice(name: &str, category: &str, tid: usize, span: Span) -> Object {
    Object::new()
        .text("ph", "X")
        .text("name", name)
        .text("cat", category)
        .with("pid", 1)
        .with("tid", tid)
        .with("ts", Micros(span.begin))
        .with("dur", Micros(span.length()))
}

/// The begin or end of a suspension.
fn boundary(kind: &str, id: usize, worker: usize, time: u64) -> Object {
    Object::new()
        .text("ph", kind)
        .text("name", "suspended")
        .text("cat", "suspension")
        .with("id", id)
        .with("pid", 1)
        .with("tid", lane(worker))
        .with("ts", Micros(time))
}

/// From the run that published to the run after a suspension. Each end has to lie in a slice, and a
/// publication is just after one.
fn arrow(
    by: &Incarnation,
    to: &Incarnation,
    suspension: usize,
    id: usize,
    events: &mut Vec<String>,
) {
    let point = |kind: &str, worker: usize, time: u64| {
        Object::new()
            .text("ph", kind)
            .text("name", "wake")
            .text("cat", "wake")
            .with("id", id)
            .with("pid", 1)
            .with("tid", lane(worker))
            .with("ts", Micros(time))
    };
    let begin = by.running().last().map_or(by.span.begin, |span| span.begin);
    let from = by.span.end.saturating_sub(1).max(begin);
    let resumed = to.suspensions[suspension].span.end;
    events.push(point("s", by.worker, from).end());
    events.push(point("f", to.worker, resumed).text("bp", "e").end());
}
