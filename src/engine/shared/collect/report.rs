//! What a collection did.

use crate::sync::time::Duration;

/// What a collection did. Bytes are those of memory, and are gone as soon as no older table has the
/// pages in their former form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// Destroyed regions dropped.
    pub regions: u64,
    /// Destroyed regions that somebody still reaches, or that are held back.
    pub waiting: u64,
    /// Those of them that are held back until the next run (at level Paranoid).
    pub quarantined: u64,
    /// Bytes of the pages freed with the dropped regions; pages that others share are not counted.
    pub bytes: u64,
    /// Live regions looked at.
    pub looked: u64,
    /// Pages compressed.
    pub compressed_pages: u64,
    /// Bytes that this saved.
    pub saved_bytes: u64,
    /// Pages moved out of memory.
    pub spilled_pages: u64,
    /// Bytes of memory that they took.
    pub spilled_bytes: u64,
    /// Pages moved from a worn file to another.
    pub moved_pages: u64,
    /// Bytes of pages in memory beyond the budget when the run ended.
    pub over_budget: u64,
    /// Pool blocks released from quarantine.
    pub released_blocks: u64,
    /// Free pool blocks put in the order of their addresses.
    pub compacted_blocks: u64,
    /// How long it took.
    pub took: Duration,
}

impl CollectReport {
    /// Bytes of memory that it gave back, one way or the other.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.bytes + self.saved_bytes + self.spilled_bytes
    }
}
