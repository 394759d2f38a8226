//! A table that one writer publishes and everybody reads.
//!
//! A published table never changes. Publishing replaces it whole, so a reader has one table or the
//! other, and one that it keeps stays as it was.
//!
//! ```text
//!   writer                                   reader
//!   W1  replace the table                    R1  load `version` (acquire): v
//!   W2  store its number in `version`        R2  v is the one I keep: use it
//!       (release)                            R3  otherwise load the table: it is v, or later
//! ```
//!
//! - **Whole.** The number is part of the table, and comes with it.
//! - **Never back.** One place is replaced, by one writer, with growing numbers; the loads of a
//!   place never go back. And if R1 reads v, then R3 is after W1 of v and finds v at least. Were W2
//!   before W1, a reader could know of a version that it does not find.
//! - **Readers write nothing that others read.** R1 is a load of a line that only publishing writes.
//!   R3 happens once a publication and reader. [`Published::load`] without a [`Reader`] writes to a
//!   word of its own thread; [`Published::load_full`] alone counts in the shared table.
//!
//! `loom-tests/registry_table.rs` explores this, on a place that orders nothing but itself.

use std::{fmt, ops::Deref};

use crossbeam_utils::CachePadded;

use crate::sync::{
    Arc, ArcSwap, ArcSwapGuard,
    atomic::{AtomicU64, Ordering},
    weakened,
};

/// The number of a published table, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// One table, as it was published.
#[derive(Debug)]
pub struct Snapshot<T> {
    version: Version,
    value: T,
}

impl<T> Snapshot<T> {
    /// Which one it is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

struct Shared<T> {
    /// Beside the line of `version`, which readers poll.
    current: CachePadded<ArcSwap<Snapshot<T>>>,
    version: CachePadded<AtomicU64>,
}

/// The readers' side; clones read the same table.
pub struct Published<T>(Arc<Shared<T>>);

/// The one writer.
pub struct Publisher<T> {
    shared: Arc<Shared<T>>,
    version: Version,
}

/// A reader that keeps the table it saw last, and looks for a new one with one load.
pub struct Reader<T> {
    published: Published<T>,
    kept: Arc<Snapshot<T>>,
}

impl<T> Publisher<T> {
    /// A table of version 0, and its only writer.
    #[must_use]
    pub fn new(value: T) -> Self {
        let version = Version(0);
        let current = ArcSwap::new(Arc::new(Snapshot { version, value }));
        let shared = Arc::new(Shared {
            current: CachePadded::new(current),
            version: CachePadded::new(AtomicU64::new(0)),
        });
        Self { shared, version }
    }

    /// The readers' side.
    #[must_use]
    pub fn published(&self) -> Published<T> {
        Published(self.shared.clone())
    }

    /// Replaces the table; from when this returns, whoever knows of it reads this one or a later.
    pub fn publish(&mut self, value: T) -> Version {
        self.version.0 += 1;
        let snapshot = Arc::new(Snapshot { version: self.version, value });
        let number_first = weakened("table.number-last");
        if number_first {
            self.shared.version.store(self.version.0, Ordering::Release);
        }
        self.shared.current.store(snapshot);
        if !number_first {
            let order =
                if weakened("table.release") { Ordering::Relaxed } else { Ordering::Release };
            self.shared.version.store(self.version.0, order);
        }
        self.version
    }

    /// The version published last.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

impl<T> Published<T> {
    /// The table, on loan for a few lines: a thread that has many loans at a time pays more for
    /// each, and a loan must not be kept across a suspension.
    #[must_use]
    pub fn load(&self) -> ArcSwapGuard<Snapshot<T>> {
        self.0.current.load()
    }

    /// The table, to keep. Counts in the table itself, which every such reader writes; see
    /// [`Reader`].
    #[must_use]
    pub fn load_full(&self) -> Arc<Snapshot<T>> {
        self.0.current.load_full()
    }

    /// The version published last, or an earlier one if nothing orders the caller after it. A load
    /// that follows finds this version or a later.
    #[must_use]
    pub fn version(&self) -> Version {
        let order = if weakened("table.acquire") { Ordering::Relaxed } else { Ordering::Acquire };
        Version(self.0.version.load(order))
    }

    /// A reader of its own, for one worker or context.
    #[must_use]
    pub fn reader(&self) -> Reader<T> {
        Reader { published: self.clone(), kept: self.load_full() }
    }
}

impl<T> Reader<T> {
    /// The table published last, as far as the caller knows of it.
    #[must_use]
    pub fn get(&mut self) -> &Arc<Snapshot<T>> {
        // What is kept may be newer than the number says, for a moment.
        if self.published.version() > self.kept.version {
            self.kept = self.published.load_full();
        }
        &self.kept
    }

    /// The table this reader saw last, old or not.
    #[must_use]
    pub fn kept(&self) -> &Arc<Snapshot<T>> {
        &self.kept
    }
}

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { published: self.published.clone(), kept: self.kept.clone() }
    }
}

impl<T> fmt::Debug for Published<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Published { .. }")
    }
}

impl<T> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("version", &self.version).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("kept", &self.kept.version).finish_non_exhaustive()
    }
}
