//! How a block is executed, as far as the user leaves that to the engine: which path, how many
//! workers, and when to stop speculating. None of it changes a result.
//!
//! ```text
//!            ┌─ cannot gain, or never did ────────────────► one by one ──────────────► end
//!   opening ─┼─ unknown ─► one by one, measured (Sample) ──────┘ │ worth it    ▲
//!   Lessons  │                                                   ▼             │ not worth it
//!            └─ a slow store, or it gained, or promises ─► workers, with a Credit ───► end
//! ```
//!
//! A block may change from one path to the other where everything below some transaction is
//! committed and nothing else is ([`super::relay`]).
//!
//! | file | concept |
//! |---|---|
//! | `opening` | what is known before anything runs |
//! | `promises` | what is written on the transactions |
//! | `sample` | the beginning of a block, timed: what the rest would gain |
//! | `strangers` | a few transactions of which no sample tells |
//! | `outlook` | what that is reckoned by |
//! | `lessons` | what former blocks taught about the contracts they called |
//! | `stopwatch` | what single calls of a sample take, for `lessons` |
//! | `credit` | what speculation has earned and wasted: when it ends |
//! | `tempo` | whether the workers are as fast as one by one was |
//!
//! Invariants
//!
//! 1. A block that goes one by one to its end does nothing that a sequential run does not, but for a
//!    look at the clock now and then.
//! 2. Gas that speculation wastes is at most half of the gas that is committed, plus what an allowance
//!    of a few transactions and those under way come to ([`Credit`]).
//! 3. No more workers than cores: one too many takes turns with another that holds what it needs.

mod credit;
mod lessons;
mod opening;
mod outlook;
mod promises;
mod sample;
mod stopwatch;
mod strangers;
mod tempo;

pub(crate) use self::{
    credit::Credit,
    lessons::Lessons,
    opening::{Opening, WORTH_SUSPENDING, is_monotonous, opening, time_of_transfers},
    outlook::Outlook,
    promises::Promises,
    sample::Sample,
    tempo::{Mark, Tempo},
};
