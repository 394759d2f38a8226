//! What a timeline consists of. All times are in nanoseconds since the block began.

use std::fmt;

/// From when to when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first nanosecond.
    pub begin: u64,
    /// The nanosecond after the last one.
    pub end: u64,
}

impl Span {
    /// How long it is, in nanoseconds.
    #[must_use]
    pub fn length(self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

/// Names a location of one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(pub u32);

/// What a location is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The contract or account, or whatever else holds fields.
    pub contract: String,
    /// The slot or field.
    pub field: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.contract, self.field)
    }
}

/// What a suspended context waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A lower transaction, to publish what it writes there.
    Transaction {
        /// Its index.
        writer: u32,
        /// Where.
        location: LocationId,
    },
    /// The store, to say what is there.
    Store {
        /// Where.
        location: LocationId,
    },
    /// The registry of shared memory, or a transaction that it knows of.
    Registry {
        /// Where.
        location: LocationId,
    },
    /// Something that left no note.
    Unknown,
}

impl Cause {
    /// Where.
    #[must_use]
    pub fn location(self) -> Option<LocationId> {
        match self {
            Self::Transaction { location, .. }
            | Self::Store { location }
            | Self::Registry { location } => Some(location),
            Self::Unknown => None,
        }
    }
}

/// A time during which an incarnation did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// From its suspension until it ran again.
    pub span: Span,
    /// When it could have run again, as far as that is known; within the span.
    pub woken: Option<u64>,
    /// The incarnation whose publication woke it: a position in [`Timeline::incarnations`].
    pub woken_by: Option<usize>,
    /// What for.
    pub cause: Cause,
}

/// What became of an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is the transaction's result.
    Committed,
    /// It had run to its end, and what it had seen did not hold.
    Aborted,
    /// It noticed before its end, or before anybody saw its writes, that it was in vain.
    Doomed,
    /// The block ended before it.
    Unfinished,
}

impl Ending {
    /// As a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Doomed => "doomed",
            Self::Unfinished => "unfinished",
        }
    }
}

/// One run of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// The transaction's index in the block.
    pub tx: u32,
    /// How many incarnations of it there were before.
    pub number: u32,
    /// Where it ran.
    pub worker: usize,
    /// From its start to the end of its run, suspensions included.
    pub span: Span,
    /// When others could see its writes.
    pub published: Option<u64>,
    /// What became of it.
    pub ending: Ending,
    /// Where what it had seen did not hold, if it was thrown away and that is known.
    pub conflict: Option<LocationId>,
    /// When it waited, in order, apart from each other and within the span.
    pub suspensions: Vec<Suspension>,
}

impl Incarnation {
    /// When it ran: its span without its suspensions.
    pub fn running(&self) -> impl Iterator<Item = Span> {
        let begins = self.suspensions.iter().map(|suspension| suspension.span.end);
        let ends = self.suspensions.iter().map(|suspension| suspension.span.begin);
        let begins = std::iter::once(self.span.begin).chain(begins);
        let ends = ends.chain([self.span.end]);
        begins.zip(ends).map(|(begin, end)| Span { begin, end })
    }

    /// How long it ran, in nanoseconds.
    #[must_use]
    pub fn ran(&self) -> u64 {
        self.running().map(Span::length).sum()
    }
}

/// A commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Of which transaction.
    pub tx: u32,
    /// Who did it.
    pub worker: usize,
    /// When: its last check included.
    pub span: Span,
}

/// A run that was made only to find out what a transaction will read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scout {
    /// Of which transaction.
    pub tx: u32,
    /// Who did it.
    pub worker: usize,
    /// When.
    pub span: Span,
}

/// A part of a block's execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockPhase {
    /// What happens before the transactions.
    Prologue,
    /// The transactions.
    Transactions,
    /// What happens after them.
    Epilogue,
    /// Working out what has changed.
    Diff,
}

impl BlockPhase {
    /// As a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Prologue => "prologue",
            Self::Transactions => "transactions",
            Self::Epilogue => "epilogue",
            Self::Diff => "diff",
        }
    }
}

/// When a phase was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Which.
    pub phase: BlockPhase,
    /// When.
    pub span: Span,
}

/// What happened in a block, when and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Number of workers.
    pub workers: usize,
    /// Number of transactions.
    pub transactions: usize,
    /// When the last thing happened.
    pub end: u64,
    /// In the order in which they started.
    pub incarnations: Vec<Incarnation>,
    /// In block order.
    pub commits: Vec<Commit>,
    /// In order of their ends.
    pub scouts: Vec<Scout>,
    /// In order.
    pub phases: Vec<PhaseSpan>,
    /// What the location ids stand for.
    pub locations: Vec<Location>,
    /// Events that found no room. If there are any, the rest is incomplete.
    pub dropped: u64,
}

impl Timeline {
    /// What a location is called.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<&Location> {
        self.locations.get(id.0 as usize)
    }

    /// How often a context was suspended.
    #[must_use]
    pub fn suspensions(&self) -> usize {
        self.incarnations.iter().map(|incarnation| incarnation.suspensions.len()).sum()
    }

    /// How long each worker ran transactions, in nanoseconds.
    #[must_use]
    pub fn busy(&self) -> Vec<u64> {
        let mut busy = vec![0; self.workers];
        for incarnation in &self.incarnations {
            if let Some(busy) = busy.get_mut(incarnation.worker) {
                *busy += incarnation.ran();
            }
        }
        busy
    }
}
