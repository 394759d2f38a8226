//! Read-only data that the host attaches to a transaction or a block.
//!
//! A sidecar is part of the block's input, as a blob is: its handle is made from its content, and
//! resolves only for the transaction, or the block, that it is attached to.

use super::{
    handle::{Handle, RegionId},
    page::{PAGE_BYTES, Page},
};
use crate::sync::Arc;

/// What cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// Nothing to attach.
    #[error("a sidecar of 0 bytes")]
    Empty,
    /// Larger than the chain allows.
    #[error("a sidecar of {size} bytes, the chain allows {max}")]
    TooLarge {
        /// In bytes.
        size: u64,
        /// In bytes.
        max: u64,
    },
    /// More than the chain allows.
    #[error("{count} sidecars are attached, the chain allows {max}")]
    TooMany {
        /// How many.
        count: usize,
        /// How many are allowed.
        max: u32,
    },
}

/// Read-only data with a handle.
#[derive(Debug)]
pub struct Sidecar {
    handle: Handle,
    size: u64,
    pages: Box<[Arc<Page>]>,
}

impl Sidecar {
    /// Takes the bytes, at least one.
    ///
    /// # Errors
    ///
    /// [`SidecarError::Empty`].
    pub fn new(bytes: &[u8]) -> Result<Arc<Self>, SidecarError> {
        if bytes.is_empty() {
            return Err(SidecarError::Empty);
        }
        let page = |chunk: &[u8]| {
            let mut whole = [0; PAGE_BYTES];
            whole[..chunk.len()].copy_from_slice(chunk);
            Page::from_bytes(&whole)
        };
        Ok(Arc::new(Self {
            handle: RegionId::of_sidecar(bytes).at(0),
            size: bytes.len() as u64,
            pages: bytes.chunks(PAGE_BYTES).map(page).collect(),
        }))
    }

    /// By what a transaction maps it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A page, if it lies within.
    #[must_use]
    pub fn page(&self, number: u64) -> Option<&Arc<Page>> {
        self.pages.get(usize::try_from(number).ok()?)
    }

    /// Checks the sidecars of a transaction, or of a block, against what the chain allows.
    ///
    /// # Errors
    ///
    /// [`SidecarError`].
    pub fn check(
        sidecars: &[Arc<Self>],
        max_count: u32,
        max_size: u64,
    ) -> Result<(), SidecarError> {
        if sidecars.len() > max_count as usize {
            return Err(SidecarError::TooMany { count: sidecars.len(), max: max_count });
        }
        match sidecars.iter().find(|sidecar| sidecar.size > max_size) {
            Some(large) => Err(SidecarError::TooLarge { size: large.size, max: max_size }),
            None => Ok(()),
        }
    }
}
