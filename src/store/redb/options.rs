//! How a database is used.

use crate::{store::IoPool, sync::Arc};

/// How a database is used.
#[derive(Clone, Debug)]
pub struct RedbOptions {
    pub(super) io: Arc<IoPool>,
    pub(super) page_cache: usize,
    pub(super) code_cache: usize,
    pub(super) import_batch: usize,
}

impl RedbOptions {
    /// Reads run on the threads of `io`; 256 MiB of pages and 32 MiB of code are kept in memory, and
    /// an import writes 100,000 records at a time.
    pub fn new(io: Arc<IoPool>) -> Self {
        Self { io, page_cache: 256 << 20, code_cache: 32 << 20, import_batch: 100_000 }
    }

    /// How many bytes of the file are kept in memory, at most.
    #[must_use]
    pub fn page_cache(mut self, bytes: usize) -> Self {
        self.page_cache = bytes;
        self
    }

    /// How many bytes of code are kept in memory, at most.
    #[must_use]
    pub fn code_cache(mut self, bytes: usize) -> Self {
        self.code_cache = bytes;
        self
    }

    /// How many records an import holds in memory before it writes them, about.
    #[must_use]
    pub fn import_batch(mut self, records: usize) -> Self {
        self.import_batch = records;
        self
    }
}
