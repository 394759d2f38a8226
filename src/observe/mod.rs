//! What can be seen of the engine from outside. Of shared memory, what it did and holds: counted without
//! a lock, read at any time, exported three ways. Of a block, its [`timeline`].
//!
//! ```text
//!  transaction ──► Usage ──(committed)──► absorb ─┐
//!  registry, collector ───────────────────────────┤► RegionMetrics ──► MetricsSnapshot
//!  pages made and dropped ──► Gauge ──────────────┘   Counters, Gauges     │ families
//!                                                                          ▼
//!                       the numbers as fields  ◄── typed ── Family ──► Prometheus text
//!                                                             └──────► `metrics` facade
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `counter.rs` | [`Counters`]: counts that only grow, spread over shards |
//! | `gauge.rs` | [`Gauge`]: a level that goes up and down, and its peak |
//! | `usage.rs` | [`Usage`]: what one transaction did, in plain integers |
//! | `metrics.rs` | [`RegionMetrics`]: what everybody did |
//! | `snapshot.rs` | [`MetricsSnapshot`]: its numbers at one time, and their stable names |
//! | `family.rs` | [`Family`]: one metric with its samples, of whatever origin |
//! | `prometheus.rs` | families as Prometheus text |
//! | `facade.rs` | families through the `metrics` facade |
//! | [`timeline`] | what happened in one block, when, and where it lost time |
//!
//! # Two kinds of numbers
//!
//! [`Usage`] is a function of the block: equal in the parallel and the sequential run, because each
//! incarnation counts into a value of its own and only that of a committed one is merged. It counts
//! what was executed, so operations of a frame that reverted afterwards are in it, as their gas is.
//! All other numbers (registry requests, collections, memory) tell how this run went.
//!
//! # What a snapshot shows
//!
//! Nobody is stopped for it, so it is not one moment's picture. What holds nevertheless:
//!
//! 1. A number that is a count is at least what any earlier snapshot showed, and exact when nobody
//!    counts at the same time.
//! 2. No effect without its cause: unmappings never exceed mappings, denied operations never exceed
//!    failed ones, bytes freed or time taken by collections come with a collection ([`Counters`]).
//! 3. A level is at most its peak, and a peak at least every level that a snapshot before showed
//!    ([`Gauge`]).
//!
//! There is no such rule for frees and allocations: a frame that frees a region and reverts leaves it
//! to be freed again, so there can be two frees of one allocation.
//!
//! The hot path is an addition to a shard of the worker's own. Names, labels, text and the facade
//! are met only when somebody asks for an export.

mod counter;
mod facade;
mod family;
mod gauge;
mod kind;
mod metrics;
mod prometheus;
mod snapshot;
pub mod timeline;
mod usage;

pub use counter::{Counters, MAX_SHARDS};
pub use facade::{describe, emit};
pub use family::{Family, FamilyKind, Measure, Sample, SampleValue};
pub use gauge::{Gauge, Level};
pub use kind::OperationKind;
pub use metrics::RegionMetrics;
pub use prometheus::to_prometheus;
pub use snapshot::MetricsSnapshot;
pub use usage::{PerKind, Usage};
