//! A committed page in one of its forms.

use super::{
    super::{
        handle::Handle,
        keccak::keccak256,
        page::{PAGE_BYTES, Page},
        page_map::PageNumber,
        rights::SecurityLevel,
    },
    packed::{Packed, unpack},
    spill::Spilled,
};
use crate::sync::Arc;

/// A page in the form in which it is kept.
#[derive(Clone, Debug)]
pub enum Stored {
    /// As it is.
    Raw(Arc<Page>),
    /// As it is, because compressing it gains nothing.
    Dense(Arc<Page>),
    /// Compressed.
    Packed(Arc<Packed>),
    /// In a file.
    Spilled(Arc<Spilled>),
}

/// Which pages are compared with their checksums when they are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Those that were compressed or out of memory.
    Moved,
    /// All.
    All,
}

impl Check {
    /// What a security level asks for.
    #[must_use]
    pub fn of(level: SecurityLevel) -> Self {
        if level == SecurityLevel::Paranoid { Self::All } else { Self::Moved }
    }
}

/// What is wrong with a stored page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is not the page that the region's commitment speaks of.
    #[error("its checksum is 0x{}, not 0x{}", hex(found), hex(expected))]
    Checksum {
        /// The keccak256 in the commitment.
        expected: [u8; 32],
        /// That of the page.
        found: [u8; 32],
    },
    /// What was compressed does not decompress.
    #[error("it does not decompress: {reason}")]
    Packed {
        /// What the method says.
        reason: String,
    },
    /// The file has something else there.
    #[error("the header at byte {offset} of {path} is that of another page")]
    Header {
        /// Which file.
        path: String,
        /// Where.
        offset: u64,
    },
    /// The file cannot be read.
    #[error("reading {len} bytes at byte {offset} of {path}: {reason}")]
    Read {
        /// Which file.
        path: String,
        /// Where.
        offset: u64,
        /// How many bytes.
        len: u64,
        /// What the system says.
        reason: String,
    },
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A committed page that cannot be had: the host's error, which ends the block, and never a
/// contract's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("page {page} of region {handle} is lost: {damage}")]
pub struct PageFault {
    /// The region.
    pub handle: Handle,
    /// The page.
    pub page: PageNumber,
    /// What is wrong with it.
    pub damage: Damage,
}

impl Stored {
    /// The page, which has to have the hash `sum`.
    ///
    /// # Errors
    ///
    /// [`Damage`].
    pub fn load(&self, sum: &[u8; 32], check: Check) -> Result<Arc<Page>, Damage> {
        let page = match self {
            Self::Raw(page) | Self::Dense(page) if check == Check::Moved => return Ok(page.clone()),
            Self::Raw(page) | Self::Dense(page) => page.clone(),
            Self::Packed(packed) => {
                unpack(packed.method, &packed.bytes).map_err(|reason| Damage::Packed { reason })?
            }
            Self::Spilled(spilled) => {
                let bytes = spilled.read(sum)?;
                unpack(spilled.method(), &bytes).map_err(|reason| Damage::Packed { reason })?
            }
        };
        let found = keccak256(&[page.bytes()]);
        if found == *sum { Ok(page) } else { Err(Damage::Checksum { expected: *sum, found }) }
    }

    /// The page, if it is in memory as it is.
    #[must_use]
    pub fn raw(&self) -> Option<&Arc<Page>> {
        match self {
            Self::Raw(page) | Self::Dense(page) => Some(page),
            Self::Packed(_) | Self::Spilled(_) => None,
        }
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        match self {
            Self::Raw(_) | Self::Dense(_) => PAGE_BYTES as u64,
            Self::Packed(packed) => packed.len() as u64,
            Self::Spilled(_) => 0,
        }
    }

    /// Whether both are one page in one form.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Raw(one), Self::Raw(other)) | (Self::Dense(one), Self::Dense(other)) => {
                Arc::ptr_eq(one, other)
            }
            (Self::Packed(one), Self::Packed(other)) => Arc::ptr_eq(one, other),
            (Self::Spilled(one), Self::Spilled(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The same in the same form, with a bit of it turned over: what a fault of memory or disk would
    /// make of it. For tests of what follows.
    #[must_use]
    pub(crate) fn damaged(&self) -> Option<Self> {
        Some(match self {
            Self::Raw(page) | Self::Dense(page) => {
                let mut bytes = *page.bytes();
                bytes[PAGE_BYTES / 2] ^= 1;
                Self::Raw(Page::from_bytes(&bytes))
            }
            Self::Packed(packed) => {
                let mut bytes = packed.bytes.clone();
                *bytes.last_mut()? ^= 1;
                Self::Packed(Arc::new(Packed { method: packed.method, bytes }))
            }
            Self::Spilled(spilled) => {
                spilled.damage().ok()?;
                self.clone()
            }
        })
    }
}
