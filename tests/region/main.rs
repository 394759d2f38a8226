//! One transaction's regions, against the specification: every result and every error of every
//! operation, what is visible to whom and until when, what it costs, and what a transaction depends on.
//!
//! | file | claims |
//! |---|---|
//! | `creation` | create, open, names, handles, lifetimes |
//! | `mapping` | map, unmap, windows, options of mappings |
//! | `bytes` | read, read_padded, write, copy, sparse pages, growth by writing |
//! | `snapshot` | copy-on-write mappings and publish |
//! | `whole` | grow, grant, destroy, info, exec |
//! | `pool` | alloc, free, quotas |
//! | `sidecar` | attached data |
//! | `rights` | four levels, owners, grants, static frames |
//! | `frames` | call frames, commit, revert |
//! | `gas` | what each operation costs, cold and warm |
//! | `out_of_gas` | each step of each price, and the order of checks |
//! | `waiting` | worlds that answer later, or never |
//! | `precision` | what a transaction depends on, and what it does not |
//! | `old_faults` | the faults of the first design |
// `crate::sync` is for the engine; tests may use std.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

/// So that `cargo test region` runs them.
#[path = "."]
mod region {
    mod bytes;
    mod creation;
    mod frames;
    mod gas;
    mod mapping;
    mod old_faults;
    mod out_of_gas;
    mod pool;
    mod precision;
    mod rights;
    mod sidecar;
    mod snapshot;
    mod waiting;
    mod whole;
}
#[path = "../common/region_run.rs"]
mod region_run;
#[path = "../common/region_world.rs"]
mod region_world;
