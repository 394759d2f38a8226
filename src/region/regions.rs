//! All persistent regions at one point of the chain: what blocks start from and end in.
//!
//! ```text
//!  Regions ── records ──► Record ── pages ──► page     persistent maps: a block's outcome shares
//!     │                     │                          all that it did not change
//!     └─ commitment ◄───────┴─ commitment of pages
//! ```
//!
//! # The root
//!
//! | what | bytes hashed with keccak256 |
//! |---|---|
//! | a page's key | page number, 8 bytes big-endian |
//! | a page's value | the 4096 bytes |
//! | a region's key | the id's 24 bytes, and 8 zeros (not hashed) |
//! | a region's value | `00` ‖ generation (8), for one that is destroyed |
//! | | `01` ‖ generation (8) ‖ owner (20) ‖ name (32) ‖ ceiling (1) ‖ options (1) ‖ size (8) ‖ number of grants (8) ‖ address (20) and permissions (1) of each, by address ‖ root of the pages (32) |
//! | the root | of the [`MerkleMap`] of all regions |
//!
//! Numbers are big-endian. A destroyed region keeps its place, since its generation decides which
//! handle its successor gets.

use std::ops::Bound;

use im::OrdMap;

pub use super::record::{Record, Use};
use super::{
    change::{RegionChange, RegionChanges},
    content::PageKey,
    handle::{Handle, RegionId},
    keccak::keccak256,
    merkle::MerkleMap,
    meta::Meta,
    page::{PAGE_BYTES, Page},
    page_map::PageNumber,
    record::page_key,
    tier::{Check, PageFault, Stored, StoredPages, Tiers},
};
use crate::sync::Arc;

/// Changes that do not belong to these regions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// They were made from others.
    #[error(
        "the changes start from regions with root 0x{}, these have 0x{}",
        hex(expected),
        hex(found)
    )]
    OtherBase {
        /// What the changes start from.
        expected: [u8; 32],
        /// What these regions have.
        found: [u8; 32],
    },
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All persistent regions. Cloning it, and keeping an old one, costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Regions {
    records: OrdMap<RegionId, Arc<Record>>,
    commitment: MerkleMap,
    tiers: Tiers,
}

impl Regions {
    /// No region.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The commitment to all of them; zeros if there never was one.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.commitment.root()
    }

    /// What stands behind an id.
    #[must_use]
    pub fn record(&self, id: RegionId) -> Option<&Arc<Record>> {
        self.records.get(&id)
    }

    /// The live region of a handle.
    #[must_use]
    pub fn find(&self, handle: Handle) -> Option<&Arc<Record>> {
        let record = self.record(handle.id())?;
        let meta = record.meta();
        (meta.live.is_some() && meta.generation == handle.generation()).then_some(record)
    }

    /// The live regions with their handles, by id.
    pub fn live(&self) -> impl Iterator<Item = (Handle, &Arc<Record>)> {
        self.records
            .iter()
            .filter(|(_, record)| record.meta.live.is_some())
            .map(|(id, record)| (id.at(record.meta.generation), record))
    }

    /// What is known of an id, if anything ever was.
    #[must_use]
    pub fn meta(&self, id: RegionId) -> Meta {
        self.record(id).map(|record| record.meta.clone()).unwrap_or_default()
    }

    /// The regions behind an id, or all, those among them that were destroyed.
    pub(crate) fn after(
        &self,
        last: Option<RegionId>,
    ) -> impl Iterator<Item = (Handle, &Arc<Record>)> {
        let begin = last.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.records.range((begin, Bound::Unbounded));
        behind.map(|(id, record)| (id.at(record.meta.generation), record))
    }

    /// The region of a page, if it has that generation.
    pub(crate) fn record_of(&self, key: PageKey) -> Option<&Arc<Record>> {
        self.record(key.region).filter(|record| record.meta.generation == key.generation)
    }

    /// A page, if the region has that generation and the page is present.
    ///
    /// # Errors
    ///
    /// [`PageFault`], if it is not what it was.
    pub fn page(&self, key: PageKey, check: Check) -> Result<Option<Arc<Page>>, PageFault> {
        let Some(record) = self.record_of(key) else { return Ok(None) };
        record.load(key.page, check).map_err(|damage| {
            let handle = key.region.at(key.generation);
            PageFault { handle, page: key.page, damage }
        })
    }

    /// Compares every page of a live region with its checksum, wherever it is. Says how many there
    /// are; `None` if there is no such region.
    ///
    /// # Errors
    ///
    /// [`PageFault`], for the first that is not what it was.
    pub fn verify(&self, handle: Handle) -> Result<Option<u64>, PageFault> {
        let Some(record) = self.find(handle) else { return Ok(None) };
        for (page, _) in record.pages.iter() {
            record.load(page, Check::All).map_err(|damage| PageFault { handle, page, damage })?;
        }
        Ok(Some(record.pages.len() as u64))
    }

    /// Bytes of all pages, in whatever form.
    #[must_use]
    pub fn page_bytes(&self) -> u64 {
        self.tiers.pages() * PAGE_BYTES as u64
    }

    /// How many pages there are of each form.
    #[must_use]
    pub fn tiers(&self) -> Tiers {
        self.tiers
    }

    /// Reads bytes of a live region as it stands, as many as there are; `None` if there is no such
    /// region.
    ///
    /// # Errors
    ///
    /// [`PageFault`], if a page is not what it was.
    pub fn read(
        &self,
        handle: Handle,
        offset: u64,
        into: &mut [u8],
    ) -> Result<Option<usize>, PageFault> {
        self.read_checked(handle, offset, into, Check::Moved)
    }

    /// The same, with the pages checked that are to be.
    ///
    /// # Errors
    ///
    /// [`PageFault`], if a page is not what it was.
    pub fn read_checked(
        &self,
        handle: Handle,
        offset: u64,
        into: &mut [u8],
        check: Check,
    ) -> Result<Option<usize>, PageFault> {
        let Some(record) = self.find(handle) else { return Ok(None) };
        let size = record.meta.live.as_ref().map_or(0, |live| live.size);
        let bytes =
            into.len().min(usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let mut done = 0;
        while done < bytes {
            let at = offset + done as u64;
            let begin = (at % PAGE_BYTES as u64) as usize;
            let count = (PAGE_BYTES - begin).min(bytes - done);
            let part = &mut into[done..done + count];
            let number = PageNumber(at / PAGE_BYTES as u64);
            match record.pages.get(number) {
                None => part.fill(0),
                // Without a count of the page: readers write nothing that others read.
                Some(Stored::Raw(page) | Stored::Dense(page)) if check == Check::Moved => {
                    part.copy_from_slice(&page.bytes()[begin..begin + count]);
                }
                Some(_) => {
                    let loaded = record.load(number, check);
                    let fault = |damage| PageFault { handle, page: number, damage };
                    let page = loaded.map_err(fault)?.unwrap_or_else(Page::zeroed);
                    part.copy_from_slice(&page.bytes()[begin..begin + count]);
                }
            }
            done += count;
        }
        Ok(Some(bytes))
    }

    /// The regions after a block.
    ///
    /// # Errors
    ///
    /// [`ApplyError`] for changes that start from other regions.
    pub fn apply(&self, changes: &RegionChanges) -> Result<Self, ApplyError> {
        if changes.base_root != self.root() {
            let (expected, found) = (changes.base_root, self.root());
            return Err(ApplyError::OtherBase { expected, found });
        }
        let mut next = self.clone();
        for change in &changes.regions {
            next.change(change, changes.block);
        }
        for (id, accesses) in &changes.accesses {
            if let Some(record) = next.records.get_mut(id) {
                let record = Arc::make_mut(record);
                record.uses.accesses += accesses;
                record.uses.last_block = changes.block;
            }
        }
        Ok(next)
    }

    /// Applies one change, whatever its base.
    pub(crate) fn change(&mut self, change: &RegionChange, block: u64) {
        let old = self.records.get(&change.id);
        let mut record = match old {
            Some(record) if record.meta.generation == change.after.generation => {
                Record::clone(record)
            }
            _ => Record::new(change.after.clone()),
        };
        let before = old.map_or(Tiers::default(), |old| old.pages.tiers());
        record.meta = change.after.clone();
        if record.meta.live.is_none() {
            record.pages = StoredPages::default();
            record.commitment = MerkleMap::new();
        }
        for (number, page) in &change.pages {
            record.commitment.insert(page_key(*number), keccak256(&[page.bytes()]));
            record.pages.insert(*number, Stored::Raw(page.clone()));
        }
        record.uses.dirty = true;
        record.uses.last_block = block;
        self.tiers += record.pages.tiers();
        self.tiers -= before;
        let mut key = [0; 32];
        key[..24].copy_from_slice(change.id.bytes());
        self.commitment.insert(key, record.hash());
        self.records.insert(change.id, Arc::new(record));
    }

    /// Puts pages into other forms, those that are still what they were. Says how many it did; the
    /// root stays what it is.
    pub(crate) fn replace(&mut self, handle: Handle, forms: Vec<Reform>) -> u64 {
        let Some(record) = self.records.get_mut(&handle.id()) else { return 0 };
        if record.meta.generation != handle.generation() {
            return 0;
        }
        let record = Arc::make_mut(record);
        let before = record.pages.tiers();
        let mut replaced = 0;
        for Reform { page, before, after } in forms {
            replaced += u64::from(record.pages.replace(page, &before, after));
        }
        self.tiers += record.pages.tiers();
        self.tiers -= before;
        replaced
    }

    /// Forgets that a region was changed. Says whether there is one.
    pub(crate) fn clear_dirty(&mut self, handle: Handle) -> bool {
        let found = self.find(handle).is_some();
        if found && let Some(record) = self.records.get_mut(&handle.id()) {
            Arc::make_mut(record).uses.dirty = false;
        }
        found
    }
}

/// A page that is to have another form.
#[derive(Clone, Debug)]
pub(crate) struct Reform {
    pub(crate) page: PageNumber,
    /// What it has to be still.
    pub(crate) before: Stored,
    pub(crate) after: Stored,
}
