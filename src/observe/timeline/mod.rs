//! The timeline of one block: who ran what when, what was waited for, and what it cost.
//!
//! ```text
//!  worker 0 ──► Lane ─┐  at start, suspend, resume, end, commit
//!  worker 1 ──► Lane ─┤
//!  wakers ──► woken ──┴► Recorder ── when the block has ended ──► Timeline ─┬► Perfetto / Chrome JSON
//!                                    names of locations: the machine        ├► one HTML page
//!                                                                           └► hottest locations
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `event.rs` | [`Event`]: what a worker notes, and how it is packed |
//! | `lane.rs` | [`Lane`]: the events of one worker, appended without a lock |
//! | `recorder.rs` | [`Recorder`]: all lanes of a block, and its clock |
//! | `recording.rs` | [`Recording`]: asks for a timeline, and hands it over |
//! | `model.rs` | [`Timeline`]: incarnations, suspensions, commits, phases, scouts |
//! | `build.rs` | events become a timeline |
//! | `hottest.rs` | [`Hottest`]: the locations that cost most |
//! | `json.rs` | values as JSON text |
//! | `chrome.rs` | a timeline as trace JSON |
//! | `html.rs` | a timeline as a page, `picture.html` around the trace JSON |
//!
//! Nothing here knows a virtual machine: a location is a number ([`Place`]) until the machine is
//! asked for its name, which is when the block has ended.
//!
//! # Invariants
//!
//! 1. Nobody who is not recorded pays more than looking at an absent recorder, where an incarnation
//!    starts, is suspended, goes on, ends, and commits; never per access.
//! 2. A lane has one writer, the worker of its number. A reader sees whole events, oldest first,
//!    without a gap (`loom-tests/observe_timeline.rs`).
//! 3. An event is noted before what it stands for can be seen by others, so that what followed from
//!    it has a later time, and so that the end of the block finds all of them.
//! 4. Memory is bounded: a full lane counts what it drops, and the timeline says how much.

mod build;
mod chrome;
mod event;
mod hottest;
mod html;
mod json;
mod lane;
mod model;
mod recorder;
mod recording;

pub use event::{Awaited, Event, Place, Wait};
pub use hottest::Hottest;
pub use lane::{LANE_CAPACITY, Lane};
pub use model::{
    BlockPhase, Cause, Commit, Ending, Incarnation, Location, LocationId, PhaseSpan, Scout, Span,
    Suspension, Timeline,
};
pub use recorder::Recorder;
pub use recording::Recording;
