//! Asking for the timeline of a block, and getting it.

use super::Timeline;
use crate::sync::{Arc, Mutex};

/// A place for a block's timeline. Whoever executes a block is given a clone; the timeline is here
/// when the block has ended, with an outcome or without.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    timeline: Arc<Mutex<Option<Timeline>>>,
}

impl Recording {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the timeline of the block that ended last, if one was recorded.
    #[must_use]
    pub fn take(&self) -> Option<Timeline> {
        self.timeline.lock().take()
    }

    /// Replaces it.
    pub fn put(&self, timeline: Timeline) {
        *self.timeline.lock() = Some(timeline);
    }
}
