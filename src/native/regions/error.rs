//! Why an operation on a region did not happen.

use crate::region::{RegionError, page::PAGE_BYTES};

/// Why an operation on a region did not happen. It has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// The block has no shared memory: the engine has none, or the host has switched it off.
    #[error("the block has no shared memory")]
    Off,
    /// It would change something in a frame that may only look.
    #[error("a static frame may not change anything")]
    StaticViolation,
    /// Not possible.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// Pages are moved whole.
    #[error("{len} bytes at {offset} are not whole pages of {PAGE_BYTES} bytes")]
    NotPages {
        /// Where they begin.
        offset: u64,
        /// How many.
        len: u64,
    },
}
