//! The regions amid a block: everything below some transaction is committed, and nothing else is.
//!
//! ```text
//!   DirectRegions ── pause ──► Interim ── resume ──► BlockRegions
//!        ▲                                                │
//!        └──────── resume ──── Interim ◄──── pause ───────┘
//! ```
//!
//! What the block has changed so far goes over with what it was before the block, so that the changes at the end are
//! those of the whole block. What was only read is read again.

use super::{
    change::RegionSums, content::PageKey, handle::RegionId, meta::Meta, page::Page,
    regions::Regions,
};
use crate::sync::Arc;

/// A page before the block and now, `None` where it is not present.
pub(super) type PagePair = [Option<Arc<Page>>; 2];

/// What a block that changes its path leaves of regions.
#[derive(Debug)]
pub(crate) struct Interim {
    /// What it began with.
    pub(super) base: Arc<Regions>,
    /// Its number.
    pub(super) block: u64,
    /// Metadata that it touched, now.
    pub(super) metas: Vec<(RegionId, Meta)>,
    /// Pages that it wrote.
    pub(super) pages: Vec<(PageKey, PagePair)>,
    /// What its transactions did, in numbers.
    pub(super) sums: RegionSums,
}

#[cfg(all(test, not(any(chorus_loom, chorus_shuttle))))]
mod tests {
    use super::*;
    use crate::{
        region::{
            Address,
            config::SharedMemoryConfig,
            direct::DirectRegions,
            handle::{Kind, Name},
            page_map::PageNumber,
            versions::BlockRegions,
        },
        sync::Arc,
    };

    /// What was done in the middle of a block: a region was destroyed, a page came into being and one changed.
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
            pages: vec![
                (key(0), [None, Some(Page::zeroed())]),
                (key(3), [Some(Page::zeroed()), Some(Page::zeroed())]),
            ],
            sums,
        }
    }

    /// Pages by where they stand.
    fn parts(mut interim: Interim) -> (u64, Vec<(RegionId, Meta)>, Vec<String>, String) {
        interim.pages.sort_unstable_by_key(|(key, _)| *key);
        let page = |page: &Option<Arc<Page>>| page.as_ref().map(Arc::as_ptr);
        let pages = interim
            .pages
            .iter()
            .map(|(key, pair)| format!("{key:?} {:?}", pair.each_ref().map(page)));
        (interim.block, interim.metas, pages.collect(), format!("{:?}", interim.sums))
    }

    #[test]
    fn whoever_takes_a_block_over_leaves_it_as_it_was() {
        let config = Arc::new(SharedMemoryConfig::production().chain);
        let interim = interim();
        let copy = || Interim {
            base: interim.base.clone(),
            block: interim.block,
            metas: interim.metas.clone(),
            pages: interim.pages.clone(),
            sums: interim.sums.clone(),
        };
        let direct = DirectRegions::resume(config.clone(), copy()).pause();
        assert_eq!(parts(direct), parts(copy()));
        let (versions, sums) = BlockRegions::resume(config, copy());
        assert_eq!(parts(versions.pause(sums)), parts(copy()));
    }
}
