//! The collector: gives memory back that nobody can reach, or that nobody has used for long.
//!
//! ```text
//!  who runs it             when                        with
//!  commit                  eager, or due ──────┐        a step: bounded in regions and pages
//!  SharedMemory::destroy   due ────────────────┤        a step
//!  SharedMemory::tick      due ────────────────┼─► run  all there is
//!  SharedMemory::collect   always ─────────────┘        all there is
//!
//!  run, on the caller's thread                        registry, within its turn
//!    take destroyed regions        ── Sweep ────────►   those that nobody reaches leave the limbo
//!    free them, a cycle later at Paranoid
//!    compress pages of cold regions
//!    write pages to the spill file
//!    put the new forms in place    ── Reform ───────►   pages that are still the same change form,
//!    order and release pool blocks                      and the table is published
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `collector` | when it runs, and the order of its steps |
//! | `sweep` | destroyed regions: taken, held back, freed |
//! | `cool` | cold pages: compressed, or moved to another file |
//! | `relieve` | memory beyond the budget: pages into a file |
//! | `report` | what a run did |
//!
//! # Who drives it
//!
//! There is no thread that the embedder did not ask for. The thread that commits a block, or destroys
//! a region, looks at the clock and the threshold, and does a step where it is time. An embedder whose chain may stand
//! still, or who wants commits to be short, turns `eager` off and calls
//! [`SharedMemory::tick`](super::SharedMemory::tick) from a thread of their own, at least once per
//! `interval`. One run at a time: a commit or tick beside one leaves it to it.
//!
//! # Invariants
//!
//! 1. The world never stops. Compression, files and freeing happen on the caller's thread without the
//!    registry's turn; within it there are a [batch](collector) of comparisons and stores, and the
//!    messages of others come in between.
//! 2. Nothing is freed that a reader, mapping, snapshot or export can reach: a destroyed region is
//!    taken when it has no lease and no table but the limbo has it, however old it is. A page has a
//!    count besides, so what is shared with an older table outlives its region.
//! 3. Age decides the form of a page, never its existence: a live region is only compressed or
//!    spilled, and reads the same.
//! 4. What a block started from stays as it was: a run publishes a new table, and the block keeps the
//!    one that it began with.
//!
//! # What needs no collector
//!
//! Regions, overlays and copies of transactions belong to their sessions, and versions to their block.
//! They go with them, by count, and there is nothing left to find.

mod collector;
mod cool;
mod relieve;
mod report;
mod sweep;

pub(super) use collector::{Collector, Extent};
pub use report::CollectReport;
