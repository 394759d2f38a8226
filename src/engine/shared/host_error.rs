//! Why the host's requests fail.

use crate::{
    region::{
        error::CreateError,
        handle::Handle,
        regions::ApplyError,
        sidecar::SidecarError,
        tier::{PageFault, SpillError},
    },
    registry::CallError,
};

/// Why the host's request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The registry has stopped.
    #[error("the region registry does not answer: {0}")]
    Registry(#[from] CallError),
    /// The changes do not belong to the regions as they are.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The region was not created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The data was not attached.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// A page is not what it was.
    #[error(transparent)]
    Page(#[from] PageFault),
    /// Pages could not be moved out of memory; they are still there. The rest of the collection was
    /// done.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// There is no such region.
    #[error("{handle} is not the handle of a persistent region")]
    NoRegion {
        /// What was given.
        handle: Handle,
    },
}
