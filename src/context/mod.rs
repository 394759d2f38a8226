//! The actor of one transaction: it runs, waits, is told that it is stale, runs again, commits.
//!
//! A context owns its *trace* (what it read, what it wrote, what came of it) and is driven through
//! the phases of [`crate::scheduler::Phase`] by one worker. It never blocks a thread: where it has to
//! wait its task returns `Pending`, and the worker takes the next one.
//!
//! | message | where it stands |
//! |---|---|
//! | Start | the ready queue offers the index; `Idle → Running` |
//! | Resume | a mailbox message to the worker that started it; `Resumable → Running` |
//! | Invalidate | the `STALE` flag of its phase; re-validated at the next access, or by a worker |
//! | Cancel | the block's stop flag; its task is cancelled by the worker that holds it |
//! | Finish | the task is ready; its trace is published and goes to the commit cursor |
//!
//! Whatever an incarnation ends in is *its* outcome, errors and panics included. It becomes the
//! block's only when its observations hold at the commit cursor, because a stale read can make a
//! correct machine fail.
//!
//! A transaction is anything that implements [`Machine`]; this module names no VM.

mod commit;
mod control;
mod machine;
mod run;
mod shares;
mod waker;
mod worker;

pub use control::{Control, Halt, StopReason};
pub use machine::{Attempt, Machine, Review};
pub use run::{Conclusion, Counters, Run, Totals};
pub use shares::Shares;
pub(crate) use waker::context_waker;
pub use worker::{Desk, Stride, work};
