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
//! 3. A block handed out shows zeros, or the content that it was asked for: never its past. A
//!    [`Reservation`] shows nothing.
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
//!
//! # What was measured
//!
//! `cargo bench --bench pool`, one thread, hand-out and return together:
//!
//! | what | time | against | ratio |
//! |---|---|---|---|
//! | a copy of a page | 77 ns | copying alone | 1.73 |
//! | the same | 77 ns | copying into a block zeroed before | 0.62 |
//! | a zeroed block of 4 KiB | 86 ns | `vec![0; 4096]` | 1.5 |
//! | a zeroed block of 64 KiB, of 1 MiB | 0.62 µs, 11 µs | `vec![0; …]` | 1.05, 1.0 |
//!
//! *Zeroing at hand-out*, not at return. The second row is the reason: a return does not know that
//! the next holder will write everything, a hand-out does. It is also when the zeros are about to be
//! used, and a block that was never used needs none.
//!
//! *Copies of a region's pages come from the heap*, though one of 4 KiB is a page: the price of a page
//! includes the count around it, and a list that all threads share. Each number is for a copy with its
//! `Arc`, in nanoseconds, from a pool of 4,096 blocks and from `malloc` (two runs each):
//!
//! | | pool | glibc | mimalloc |
//! |---|---|---|---|
//! | one thread, each dropped at once | 112–124 | 74–83 | 65–79 |
//! | one thread, 256 kept | 124–140 | 120 | 107–110 |
//! | two threads, each dropped at once | 229–236 | 88–152 | 68 |
//! | two threads, 256 kept | 255–281 | 122–146 | 143 |
//!
//! So what a contract's pool block takes is a [`Reservation`], which bounds and shows what is in use, and
//! the bytes of its region are pages like any other's. The host's own blocks have their bytes here.
//!
//! *One list per class*, not one per thread. Two threads that do nothing but take and return blocks of
//! one class hand its cache lines to and fro, and then 77 ns become 330. Padding each slot to a
//! cache line left it between 280 and 360. Lists per thread should mend it, at the price of stealing
//! from each other, and of an [`Exhaustion::Fail`] that has to find all of them empty at one moment.
//! They are not built, because no caller is known that takes blocks back to back on all threads.
mod block;
mod class;
mod class_pool;
mod free_list;
mod memory;
mod pools;
mod stats;

pub use block::{Block, Reservation};
pub use class::{Class, PoolConfig, TooManyBlocks};
pub use free_list::{FreeList, Popped, SlotIndex};
pub use pools::{CopyError, Exhaustion, PoolExhausted, Pools};
pub use stats::{ClassStats, PoolStats};
