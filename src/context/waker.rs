//! The waker of a context: whatever it awaits besides other transactions wakes it by this, be it the
//! registry or something outside of the block.

use std::task::{Wake, Waker};

use super::{Machine, Run};
use crate::{
    state::TxIndex,
    sync::{Arc, Weak},
};

/// Wakes the context of one transaction.
///
/// It holds the run weakly: a closure that captures a channel, whose sender keeps the waker, would
/// otherwise own itself. A waker that outlives its incarnation wakes the next one in vain, which
/// costs a poll, and one that outlives the block does nothing.
struct ContextWaker<M: Machine> {
    run: Weak<Run<M>>,
    tx: TxIndex,
}

impl<M: Machine> Wake for ContextWaker<M> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(run) = self.run.upgrade() {
            if let Some(recorder) = run.recorder() {
                recorder.note_wake(self.tx.0);
            }
            run.scheduler.wake(self.tx);
        }
    }
}

/// A waker for the context of `tx`.
pub(crate) fn context_waker<M: Machine>(run: &Arc<Run<M>>, tx: TxIndex) -> Waker {
    Waker::from(Arc::new(ContextWaker { run: Arc::downgrade(run), tx }))
}
