//! The regions amid a block: everything below some transaction is committed, and nothing else is.
//!
//! ```text
//!   DirectRegions ── pause ──► Interim ── resume ──► BlockRegions
//!        ▲                                                │
//!        └──────── resume ──── Interim ◄──── pause ───────┘
//! ```
//!
//! What the block has changed so far goes over as it is now: what it was before the block, its base tells. What was
//! only read is read again.

use super::{
    change::RegionSums, content::PageKey, handle::RegionId, meta::Meta, page::Page,
    regions::Regions,
};
use crate::sync::Arc;

/// What a block that changes its path leaves of regions.
#[derive(Clone, Debug)]
pub(crate) struct Interim {
    /// What it began with.
    pub(super) base: Arc<Regions>,
    /// Its number.
    pub(super) block: u64,
    /// Metadata that it touched.
    pub(super) metas: Vec<(RegionId, Meta)>,
    /// Pages that it wrote.
    pub(super) pages: Vec<(PageKey, Arc<Page>)>,
    /// What its transactions did, in numbers.
    pub(super) sums: RegionSums,
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;
    use crate::region::{
        Address,
        config::SharedMemoryConfig,
        direct::DirectRegions,
        handle::{Kind, Name},
        page_map::PageNumber,
        versions::BlockRegions,
    };

    /// In the middle of a block that has destroyed a region and written two pages of it before.
    fn interim() -> Interim {
        let name = Name::new("ledger").unwrap();
        let id = RegionId::of(Kind::Persistent, Address::from_number(1), Some(name));
        let key = |page| PageKey { region: id, generation: 1, page: PageNumber(page) };
        let mut sums = RegionSums::default();
        sums.add(&Default::default(), &[id]);
        Interim {
            base: Arc::new(Regions::new()),
            block: 7,
            metas: vec![(id, Meta { generation: 2, live: None })],
            pages: vec![(key(0), Page::zeroed()), (key(3), Page::zeroed())],
            sums,
        }
    }

    /// It in words, with pages by where they are.
    fn said(mut interim: Interim) -> String {
        interim.pages.sort_unstable_by_key(|(key, _)| *key);
        let pages: Vec<_> =
            interim.pages.iter().map(|(key, page)| (*key, Arc::as_ptr(page))).collect();
        format!("{} {:?} {pages:?} {:?}", interim.block, interim.metas, interim.sums)
    }

    #[test]
    fn whoever_takes_a_block_over_leaves_it_as_it_was() {
        let config = Arc::new(SharedMemoryConfig::production().chain);
        let interim = interim();
        let direct = DirectRegions::resume(config.clone(), interim.clone()).pause();
        assert_eq!(said(direct), said(interim.clone()));
        let (versions, sums) = BlockRegions::resume(config, interim.clone());
        assert_eq!(said(versions.pause(sums)), said(interim));
    }
}
