//! Chorus executes an ordered block of transactions in parallel and produces exactly the result of
//! executing them one after another.
//!
//! Every transaction is an actor. It runs until it ends or until it needs something that an earlier
//! transaction is about to write; then it suspends, and its worker thread takes another one. What
//! it read is checked again when everything before it has been committed, and whatever does not hold
//! runs again. A transaction is an Ethereum transaction ([`evm`](crate#features), on `revm`) or an
//! async Rust closure ([`native`]):
//!
//! ```
//! use chorus::native::{AmountError, Engine, Transaction};
//! use std::collections::HashMap;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // A hundred visitors buy a ticket each. The till has change for all of them, in any order.
//!     let buy = |visitor: u64| {
//!         Transaction::<_, u64, (), AmountError>::new(async move |view| {
//!             view.debit(&format!("purse of {visitor}"), 7).await?;
//!             view.credit(&"till".to_owned(), 7).await
//!         })
//!     };
//!     let block: Vec<_> = (0..100).map(buy).collect();
//!     let purses = (0..100).map(|visitor| (format!("purse of {visitor}"), visitor % 10));
//!     let mut state: HashMap<String, u64> = purses.collect();
//!
//!     let engine = Engine::builder().threads(2).build()?;
//!     let outcome = engine.execute(&block, state.clone())?;
//!     outcome.apply_to(&mut state);
//!
//!     // Purses with 7, 8 or 9 coins were full enough.
//!     assert_eq!(outcome.results.iter().filter(|result| result.is_ok()).count(), 30);
//!     assert_eq!(state["till"], 30 * 7);
//!     Ok(())
//! }
//! ```
//!
//! The README has more: the command line, input formats, what is guaranteed and how it is checked.
//!
//! # The way of a transaction
//!
//! ```text
//!  block ──► engine ──► context ──► machine (EVM or native) ──► view of the context
//!              ▲         │   ▲                                     │
//!              │         ▼   │ start, resume, invalidate           ├─► its own writes
//!              │      scheduler                                    ├─► multi-version state
//!              │         │ commit, in block order                  └─► state before the block
//!              └─────────┴── results, state changes
//! ```
//!
//! A machine sees the world only through its view. The view notes what was observed and holds what
//! was written; only a finished context's writes become visible to others; and only the commit step,
//! in block order, turns them into results and state.
//!
//! # Code map
//!
//! | module | concept | uses |
//! |---|---|---|
//! | [`sync`] | the only door to atomics, locks, channels, threads and the clock; std, loom or shuttle behind it | |
//! | [`state`] | multi-version state: locations, versions, observations, deltas, the committed view | `sync` |
//! | [`pool`] | blocks of memory in four size classes | `sync` |
//! | [`observe`] | what shared memory did and holds: counters, snapshots, exports; the timeline of a block | `pool`, `sync` |
//! | [`registry`] | the registry actor: messages, published tables, leases | `sync` |
//! | [`region`] | shared memory: regions, their versions, one transaction's session | `registry`, `pool`, `observe`, `state` |
//! | [`scheduler`] | who runs next, who waits for whom, who commits | `state`, `sync` |
//! | [`context`] | the actor of one transaction, driven on any [`Machine`](context::Machine) | `scheduler`, `state`, `observe`, `sync` |
//! | [`sim`] | the scheduler on virtual time: how a block would go on more cores than there are | `context`, `scheduler`, `state`, `sync` |
//! | [`engine`] | workers that outlive blocks, their queue, stops and streams, shared memory of a running engine | `context`, `region`, `sync` |
//! | [`native`] | async closures as transactions, with their façade | `engine` and below |
//! | `evm` | Ethereum transactions, with their façade; the only module that names `revm` | `engine` and below, `store` |
//! | [`store`] | state stores, and the reads of a block that waits for one | `sync`; back ends: `evm`'s types |
//!
//! Nothing uses what stands below it in this table, `evm` and `store` aside, which share the types
//! of accounts. The binaries (`src/bin`) are the `chorus` command and the runner of `cargo loom`.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the `chorus` command; contains the others |
//! | `evm` | the modules `evm` and `store`, `revm` and the `alloy` crates |
//! | `redb` | state in a database on disk, `store::redb`; contains `evm` |
//! | `tokio` | stores that read on the embedder's tokio runtime; contains `evm` |
//! | `rpc` | state and blocks from a node, `store::rpc`; contains `tokio` |
//!
//! Without any there are the core and the native machine.

pub mod context;
pub mod engine;
pub mod native;
pub mod observe;
pub mod pool;
pub mod region;
pub mod registry;
pub mod scheduler;
pub mod state;
pub mod store;
pub mod sync;

#[cfg(all(feature = "evm", not(any(chorus_loom, chorus_shuttle))))]
pub mod evm;

// An explorer has threads and schedules of its own.
#[cfg(not(any(chorus_loom, chorus_shuttle)))]
pub mod sim;

/// The README's snippets are tests, of whoever has the stores that they show.
#[cfg(all(doctest, feature = "redb", feature = "rpc"))]
#[doc = include_str!("../README.md")]
struct Readme;
