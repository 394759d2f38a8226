//! What transactions will read, from what others like them have read.
//!
//! ```text
//!  prefetch ── forecasts ──► words of the calls ──► places ──► queued reads
//!                  ▲                                              │ a slot that names a contract
//!                  └───────────────── landed ◄────────────────────┘
//!  a transaction ends ── learn ──► recipe of its function ── the first ──► late forecasts of others that call it
//! ```
//!
//! | file | concept |
//! |---|---|
//! | `fixed` | slots at fixed places, by code: asked for where a context first waits for one |
//! | `place` | a location as it follows from the words of a call, such as an entry of a mapping |
//! | `preimages` | what a transaction hashed, which tells how it came to its slots |
//! | `recipe` | what calls of one function read |
//! | `foreseen` | what forecasts leave for the transactions: hashes and entries |
//! | `calls` | the functions that a block calls, whose forecasts are late, and who waits for a value to go on |
//! | `follow` | recipes of several transactions, side by side |
//! | `forecast` | asking for all that, and learning it |
//! | `pace` | how far ahead |
//!
//! All of it is guesses: one that is wrong costs a read, and nothing waits for any of it. It exists only
//! over a slow store, is bounded by function and by transaction, and is forgotten with the block.

mod calls;
mod fixed;
mod follow;
mod forecast;
mod foreseen;
mod pace;
mod place;
mod preimages;
mod recipe;

pub(super) use self::{
    calls::Calls,
    fixed::Foresight,
    foreseen::Foreseen,
    pace::Pace,
    preimages::{Preimages, install},
};
