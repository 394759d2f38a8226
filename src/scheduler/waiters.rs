//! Who waits for a transaction to publish.
//!
//! A reader that meets an estimate registers with the estimate's writer and looks again; only if the
//! estimate still stands does it suspend. The writer, once its versions are readable and its phase
//! says so, drains the list and wakes everyone.
//!
//! No wait without a wake: registration and draining exclude each other by the list's lock, and the
//! phase is set before draining. If the reader registers first, the drain finds it. If the drain
//! comes first, the reader sees the phase under the lock, is refused, and reads the published value.
//! Waits point to lower indices only, so they form no cycle.
//!
//! `loom-tests/scheduler_waiters.rs` explores this.

use smallvec::SmallVec;

use super::Phase;
use crate::{
    state::TxIndex,
    sync::{Mutex, weakened},
};

/// The contexts that wait for one transaction.
#[derive(Default)]
pub struct Waiters {
    list: Mutex<SmallVec<[TxIndex; 4]>>,
}

impl Waiters {
    /// Registers `reader` unless `writer` has published. `false` means: read again.
    #[must_use]
    pub fn register(&self, writer: &Phase, reader: TxIndex) -> bool {
        let mut list = self.list.lock();
        if writer.has_published() && !weakened("waiters.recheck") {
            return false;
        }
        if !list.contains(&reader) {
            list.push(reader);
        }
        true
    }

    /// Takes everyone who waits. Called after the writer's phase tells that it has published.
    #[must_use]
    pub fn drain(&self) -> SmallVec<[TxIndex; 4]> {
        std::mem::take(&mut *self.list.lock())
    }
}
