//! The operations on regions, as what they are counted and named by.

/// One of the operations that a contract, a closure or the host can ask of shared memory.
///
/// What undoes stands after what it undoes (free after alloc, unmap after map), so that counters
/// which are indexed by kind are in the causal order that
/// [`Counters`](crate::observe::Counters) asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum OperationKind {
    /// Takes an anonymous region of one pool block.
    Alloc,
    /// Gives one back.
    Free,
    /// Creates a named region.
    Create,
    /// Looks a region up by owner and name.
    Open,
    /// Makes a mapping.
    Map,
    /// Ends one.
    Unmap,
    /// Applies what was written in a copy-on-write mapping to its region.
    Publish,
    /// Reads, up to the region's end.
    Read,
    /// Reads, with zeros past the region's end.
    ReadPadded,
    /// Writes.
    Write,
    /// Copies within a mapping.
    Copy,
    /// Makes a region larger.
    Grow,
    /// Sets the rights of an address.
    Grant,
    /// Ends a region.
    Destroy,
    /// Runs a region's bytes as code.
    Exec,
    /// Asks for size and rights.
    Info,
}

impl OperationKind {
    /// All kinds, each at its own index.
    pub const ALL: [Self; 16] = [
        Self::Alloc,
        Self::Free,
        Self::Create,
        Self::Open,
        Self::Map,
        Self::Unmap,
        Self::Publish,
        Self::Read,
        Self::ReadPadded,
        Self::Write,
        Self::Copy,
        Self::Grow,
        Self::Grant,
        Self::Destroy,
        Self::Exec,
        Self::Info,
    ];

    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The name in metrics and traces, which does not change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alloc => "alloc",
            Self::Free => "free",
            Self::Create => "create",
            Self::Open => "open",
            Self::Map => "map",
            Self::Unmap => "unmap",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::ReadPadded => "read_padded",
            Self::Write => "write",
            Self::Copy => "copy",
            Self::Grow => "grow",
            Self::Grant => "grant",
            Self::Destroy => "destroy",
            Self::Exec => "exec",
            Self::Info => "info",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_stands_at_its_index_under_a_name_of_its_own() {
        let mut names: Vec<_> = OperationKind::ALL.iter().map(|kind| kind.name()).collect();
        assert!(OperationKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OperationKind::COUNT);
    }
}
