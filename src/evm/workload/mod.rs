//! Seeded blocks: what the command runs when it is given none, and what benchmarks measure.
//!
//! ```text
//!   Workload ──build(seed)──► World ──finish──► (Block, MemoryStore)
//!   (catalog)                 │ senders, contracts, slots, calls
//!                             └─ contracts: bytecode of tests/contracts, calldata, slot numbers
//! ```
//!
//! The same workload and seed give the same block and state on every machine: nothing here reads
//! a clock, the operating system's randomness, or the order of a hash map. Every transaction is
//! valid and succeeds, in block order; senders hold ether, tokens and allowances from the start,
//! written straight to the slots that the contracts would have filled.
//!
//! Unless a workload says otherwise each transaction has a sender of its own, so that the only
//! dependencies in a block are those the workload is named for.
//!
//! Benchmarks choose from [`scenario`], which has more: dependencies of any shape, invalid transactions,
//! shared regions, and parameters.

mod catalog;
mod chains;
mod collectibles;
mod contracts;
mod mixed;
pub mod scenario;
mod swaps;
mod tokens;
mod transfers;
mod world;

pub use catalog::Workload;
pub use scenario::Scenario;
