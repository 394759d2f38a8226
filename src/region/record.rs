//! One persistent region: its metadata, its pages, its part of the commitment.

use super::{
    keccak::keccak256,
    merkle::MerkleMap,
    meta::Meta,
    page::{PAGE_BYTES, Page},
    page_map::PageNumber,
    tier::{Check, Damage, Stored, StoredPages},
};
use crate::{registry::Leases, sync::Arc};

/// What is remembered of a region's use, for the collector and the curious. No contract sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Transactions that used the region.
    pub accesses: u64,
    /// Number of the last block that used it.
    pub last_block: u64,
    /// Changed since the host cleared the flag last.
    pub dirty: bool,
}

/// One region, or what is left of a destroyed one.
#[derive(Clone, Debug)]
pub struct Record {
    pub(crate) meta: Meta,
    pub(crate) pages: StoredPages,
    pub(super) commitment: MerkleMap,
    pub(crate) leases: Leases,
    pub(crate) uses: Use,
}

impl Record {
    pub(super) fn new(meta: Meta) -> Self {
        Self {
            meta,
            pages: StoredPages::default(),
            commitment: MerkleMap::new(),
            leases: Leases::new(),
            uses: Use::default(),
        }
    }

    /// Its metadata.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Its present pages, in the forms in which they are kept.
    #[must_use]
    pub fn pages(&self) -> &StoredPages {
        &self.pages
    }

    /// The keccak256 of a present page.
    #[must_use]
    pub fn page_sum(&self, page: PageNumber) -> Option<&[u8; 32]> {
        self.commitment.get(&page_key(page))
    }

    /// A page, in whatever form it is kept; `None` if it is not present.
    ///
    /// # Errors
    ///
    /// [`Damage`], if it is not what it was.
    pub fn load(&self, page: PageNumber, check: Check) -> Result<Option<Arc<Page>>, Damage> {
        match self.pages.get(page) {
            None => Ok(None),
            // The way that almost all take.
            Some(Stored::Raw(page)) if check == Check::Moved => Ok(Some(page.clone())),
            Some(stored) => {
                let sum = self.page_sum(page).unwrap_or(&[0; 32]);
                stored.load(sum, check).map(Some)
            }
        }
    }

    /// Whether a page is present and has this content. Never looks into a file.
    pub(crate) fn holds(&self, number: PageNumber, page: &Arc<Page>) -> bool {
        let Some(stored) = self.pages.get(number) else { return false };
        match stored.raw() {
            Some(raw) => Arc::ptr_eq(raw, page) || raw.bytes() == page.bytes(),
            None => self.page_sum(number) == Some(&keccak256(&[page.bytes()])),
        }
    }

    /// How it was used.
    #[must_use]
    pub fn uses(&self) -> Use {
        self.uses
    }

    /// Bytes of its pages, in whatever form.
    #[must_use]
    pub fn page_bytes(&self) -> u64 {
        self.pages.len() as u64 * PAGE_BYTES as u64
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        let generation = self.meta.generation.to_be_bytes();
        let Some(live) = &self.meta.live else { return keccak256(&[&[0], &generation]) };
        let birth = &live.birth;
        let name = birth.name.map_or([0; 32], |name| *name.bytes());
        let mut grants = Vec::with_capacity(live.grants.len() * 21);
        for (address, permissions) in &live.grants {
            grants.extend_from_slice(&address.0);
            grants.push(permissions.bits());
        }
        keccak256(&[
            &[1],
            &generation,
            &birth.owner.0,
            &name,
            &[birth.ceiling.bits(), birth.options.bits()],
            &live.size.to_be_bytes(),
            &(live.grants.len() as u64).to_be_bytes(),
            &grants,
            &self.commitment.root(),
        ])
    }
}

/// Where a region's commitment has a page.
pub(super) fn page_key(page: PageNumber) -> [u8; 32] {
    keccak256(&[&page.0.to_be_bytes()])
}
