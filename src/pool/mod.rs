//! Block pools: memory in four sizes, allocated once, handed out and taken back by any thread.
//!
//! ```text
//!              allocate                                  drop, on any thread
//!   Pools ──► ClassPool ──► FreeList: pop a number  ──► Block ──► ClassPool
//!                 │                                       ▲          │
//!                 └── slots: take that slot's memory ─────┘          ├─► slot: put the memory in
//!                         │ zero it, or copy over it                 └─► FreeList: push the number
//!                         │                                              (quarantine: the held list)
//!                         └── one allocation per class: block 0, block 1, block 2, …
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `class.rs` | the sizes, and how many blocks of each |
//! | `pools.rs` | all classes together; errors |
//! | `block.rs` | a block that somebody has |
//! | `class_pool.rs` | a block's way out of its slot and back; quarantine |
//! | `free_list.rs` | which slots are free: a lock-free stack, its head word, sorting |
//! | `memory.rs` | the bytes: alignment, zeroing |
//! | `stats.rs` | counters, and what follows from them |
//!
//! # Invariants
//!
//! 1. A slot's number is in one place: on the free list, on the held list, in one [`Block`], or with
//!    the one thread that moves it. Only a slot that is not in a block has memory in it.
//! 2. Memory is in its slot before the slot's number is pushed, so whoever pops a number finds memory.
//! 3. A block handed out shows zeros, or the content that it was asked for: never its past.
//! 4. A return cannot fail: its slot is reserved for it. A block keeps its class's pool alive.
//! 5. [`Exhaustion::Fail`] fails only if no block is free, also beside a compaction.
//! 6. To a contract, the configured count is a quota per transaction, which is counted elsewhere; the
//!    physical state of a pool is never visible to one.
//!
//! # Addresses
//!
//! The blocks of a class lie in one allocation, in the order of their slots. "Adjacent" and "by
//! address" therefore mean adjacent numbers and ordered by number.
//!
//! # Locks
//!
//! There is no lock that two threads that allocate or free would share. Each slot has one of its own,
//! taken by whoever has the slot's number and by [`Pools::stats`] for a moment. A compaction holds one
//! for as long as it sorts, and only an allocation waits for it that finds no other block and may not
//! go to the heap.
mod block;
mod class;
mod class_pool;
mod free_list;
mod memory;
mod pools;
mod stats;

pub use block::Block;
pub use class::{Class, PoolConfig, TooManyBlocks};
pub use free_list::{FreeList, Popped, SlotIndex};
pub use pools::{CopyError, Exhaustion, PoolExhausted, Pools};
pub use stats::{ClassStats, PoolStats};
