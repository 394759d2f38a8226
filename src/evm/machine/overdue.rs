//! Reads that the store does not answer.
//!
//! The engine's timer looks at a block's reads when the oldest one that is under way would be overdue.
//! One that is gets [`StoreError::TimedOut`] for an answer, which goes the way of any error: whoever
//! waits for that read sees it, and it ends the block if the block's result depends on it.

use super::{EvmMachine, storage};
use crate::{
    context::Run,
    engine::{Alarm, Timer, TimerError},
    store::StoreError,
    sync::{
        Arc,
        time::{Duration, Instant},
    },
};

/// Gives reads up that have no answer `after` they were started, until the alarm is dropped. A time
/// that the clock cannot tell never comes.
pub(crate) fn watch(
    run: &Arc<Run<EvmMachine>>,
    timer: &Timer,
    after: Duration,
) -> Result<Option<Alarm>, TimerError> {
    let Some(first) = Instant::now().checked_add(after) else { return Ok(None) };
    let run = Arc::downgrade(run);
    let look = move || {
        let run = run.upgrade()?;
        let now = Instant::now();
        let oldest = now.checked_sub(after).and_then(|then| {
            let late = |target| {
                let query = run.machine.query_of(target);
                Err(Box::new(StoreError::TimedOut { query, after }))
            };
            let (any, oldest) = run.machine.storage.reads.expire(then, late);
            if any {
                storage::pump(&run);
            }
            oldest
        });
        oldest.unwrap_or(now).checked_add(after)
    };
    timer.repeat(first, look).map(Some)
}
