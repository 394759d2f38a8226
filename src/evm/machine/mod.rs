//! The EVM as a [`Machine`]: one pooled coroutine with its EVM per context in flight.
//!
//! ```text
//!  worker ── resume ──► Fiber: revm ── JournalTr ──► WatchedJournal ── Database ──► View
//!    ▲                                 notes uses                     notes loads     │
//!    └───────── Waits / Done(trace) ◄──────────────── yields ◄────────────────────────┤
//!                                                          Table<AccountCell>, Table<SlotCell>
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `block_state` | the block, its multi-version state, what is committed |
//! | `drive` | how the scheduler drives it: start, poll, publish, commit |
//! | `batch` | how many short transactions are taken together |
//! | `cells` | what an account and a slot hold, how they change, what can be observed |
//! | `notes` | the observations of one incarnation |
//! | `view` | revm's database over the multi-version state; waits by yielding |
//! | `fetch` | what is not at hand: asks the store, and waits |
//! | `regions` | the regions below the transaction; waits for the registry |
//! | `storage`, `landing` | the store below: reads under way, prefetch; how answers come back |
//! | `at_hand` | whether a slow store is worth a look before it fetches |
//! | `target` | what is read, by the entries that the answers concern |
//! | `tending` | which worker looks after the store |
//! | `overdue` | reads that the store does not answer |
//! | `plain` | transfers of value, without a coroutine |
//! | `places` | locations as the numbers and names of a timeline |
//! | `seen` | where the accounts are that transfers were found to need |
//! | `scout` | finding out what a waiting transaction will read |
//! | `watched` | revm's journal with the notes |
//! | `journal` | which fields are used |
//! | `creation` | what contracts that create others use |
//! | `handler` | funds as a bound, fees without loading the beneficiary |
//! | `fiber` | the coroutine |
//! | `guides` | where a worker's coroutines found things lately |
//! | `codes` | a worker's own copies of code that is called often |
//! | `prelude` | an artificial first transaction, for tests |
//! | `trace` | revm's final state as changes |
//!
//! The nonce of a sender with earlier transactions in the block is predicted, not waited for: the
//! incarnation sees the nonce it needs and observes exactly that. If the prediction was wrong, the
//! observation does not hold at the commit cursor.

mod at_hand;
mod batch;
mod block_state;
mod cells;
mod codes;
mod creation;
mod drive;
mod fetch;
mod fiber;
mod foresight;
mod guides;
mod handler;
mod journal;
pub(crate) mod landing;
mod notes;
pub(crate) mod overdue;
mod places;
mod plain;
mod prelude;
mod regions;
mod scout;
mod seen;
pub(crate) mod storage;
pub(crate) mod target;
mod tending;
mod trace;
mod view;
mod watched;

pub(crate) use self::{
    batch::{Batch, batch},
    block_state::{Committed, EvmMachine},
    cells::{Account as VersionedAccount, SlotKey},
    prelude::{Hollow, Prelude},
};
