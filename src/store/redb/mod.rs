//! State in a database on disk: one file, written by `redb`.
//!
//! ```text
//!   RedbStore ── view() ──► RedbView: the state after one block, a StateStore
//!      │                       │ fetch
//!      │                       ▼
//!      │                    IoPool's threads ── read ──► file
//!      └── apply(diff) ── one transaction ──► the state after the next block
//! ```
//!
//! ```
//! use chorus::{
//!     evm::{Engine, StateStore, workload::Workload},
//!     store::{IoPool, redb::{Position, RedbOptions, RedbStore}},
//! };
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("state.redb");
//! let (block, state) = Workload::DEFAULT.with_transactions(50).build(1);
//! let block = Arc::new(block);
//! let before = Position::before(&block);
//! let options = RedbOptions::new(IoPool::new(4)?);
//! let database = RedbStore::open_or_import(&path, &state, before, options)?;
//!
//! let view: Arc<dyn StateStore> = Arc::new(database.view()?);
//! let engine = Engine::builder().threads(2).build()?;
//! let outcome = engine.execute(&block, &view)?;
//!
//! let number = block.env.number.to();
//! database.apply(&outcome.diff, Position { number, hash: block.claims.hash }, None)?;
//! assert_eq!(database.last_applied()?.unwrap().number, number);
//! # Ok(())
//! # }
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `database` | creating, opening, what state it holds |
//! | `options` | how it is used |
//! | `shared` | the library's database, and what stores and views keep beside it |
//! | `birth` | the file as the system sees it, before the library does |
//! | `import` | filling it with a state |
//! | `apply` | from one block's state to the next one's |
//! | `view` | one state, to execute a block over |
//! | `head` | the state that moves on with the blocks, for what stands in front of many |
//! | `codes` | code that was read lately |
//! | `scan` | the whole state, for checks: a copy, a digest |
//! | `layout` | records as bytes |
//! | `meta` | what the database says of itself |
//! | `table` | reading one record |
//! | `guard` | the library's panics are errors |
//! | `error` | every error |
//!
//! # Layout
//!
//! Five tables of byte strings. Integers are big-endian.
//!
//! | table | key | value |
//! |---|---|---|
//! | `accounts` | address (20) | kind of code (1: 0 ordinary, 1 delegation), nonce (8), balance (32), keccak-256 of the code (32) |
//! | `code` | keccak-256 of the code (32) | the code, not empty |
//! | `slots` | address (20), slot (32) | the value without leading zero bytes (1 to 32) |
//! | `block_hashes` | block number (8) | hash (32) |
//! | `meta` | see below | see below |
//!
//! | key in `meta` | value |
//! |---|---|
//! | `format` | 1 (4) |
//! | `phase` | 0 while a state is being imported, 1 if the state is complete (1) |
//! | `position` | number (8) and hash (32) of the block whose state this is; the number alone if nobody said the hash; absent if nobody said either |
//! | `imported` | the [digest](state_digest) of the imported state (32); absent if none was |
//! | `applied` | how many blocks were applied since (8) |
//!
//! A slot of zero has no record, and neither has the empty code. Code is kept by its hash, once, and
//! is never removed: another account may come to have it, and a view may still read it.
//!
//! # Invariants
//!
//! 1. The state is that after a whole number of blocks. [`RedbStore::apply`] writes accounts, slots, code,
//!    block hash and position in one transaction, which is on disk when it returns. A process
//!    that is killed leaves the state before or after that transaction, and the position says which.
//! 2. An import is many transactions, and its last one sets the phase to complete. Before that
//!    [`RedbStore::open`] refuses the file, and [`RedbStore::open_or_import`] starts the import again.
//! 3. A view is one state, whatever is applied while it is open.
//! 4. What is read is checked: lengths, kinds, hashes of code. What does not hold is a [`RedbError`]
//!    with table, key and value, and so is a panic of the library. The library checks its pages'
//!    checksums when it repairs a file that was not closed, and in [`RedbStore::verify`]; a bit
//!    that flips in a balance on disk is found there, not by a read.
//! 5. Reads run on the pool's threads, never on the thread that asks through
//!    [`fetch`](crate::store::StateStore::fetch). The blocking methods of a view read on the calling thread.
//!
//! A transaction commits in two phases and records which pages are free, so that a database is open
//! again at once after a kill, whatever its size. One process at a time may have the file open.

mod apply;
mod birth;
mod codes;
mod database;
mod error;
mod guard;
mod head;
mod import;
mod layout;
mod meta;
mod options;
mod scan;
mod shared;
mod table;
mod view;

pub use self::{
    database::RedbStore, error::RedbError, head::RedbHead, import::Import, meta::Position,
    options::RedbOptions, scan::state_digest, view::RedbView,
};
