//! What a block changed of the persistent regions.

use super::{
    content::PageKey,
    handle::{Handle, RegionId},
    meta::Meta,
    page::Page,
    page_map::PageNumber,
    regions::Regions,
};
use crate::{observe::Usage, sync::Arc};

/// How one region differs after the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionChange {
    /// Which one.
    pub id: RegionId,
    /// Its metadata after the block: everything about it, or that it is destroyed.
    pub after: Meta,
    /// Pages that differ, with their content after the block, by number. A region that was created
    /// anew starts without any.
    pub pages: Vec<(PageNumber, Arc<Page>)>,
}

impl RegionChange {
    /// Its handle after the block, or that of the last generation if it is destroyed.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.id.at(self.after.generation)
    }
}

/// What a block changed of the persistent regions. Equal for every way of executing the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionChanges {
    /// Number of the block.
    pub block: u64,
    /// Root of the regions it started from.
    pub base_root: [u8; 32],
    /// Root of the regions it ended in: the `regions_root` of the block.
    pub root: [u8; 32],
    /// The regions that differ, by id.
    pub regions: Vec<RegionChange>,
    /// How many transactions used a region that lives after the block, by id.
    pub accesses: Vec<(RegionId, u64)>,
    /// What all committed transactions did, in numbers.
    pub usage: Usage,
}

/// What the commit cursor has counted of regions so far.
#[derive(Clone, Debug, Default)]
pub struct RegionSums {
    pub(crate) usage: Usage,
    pub(crate) accesses: std::collections::BTreeMap<RegionId, u64>,
}

impl RegionSums {
    pub(crate) fn add(&mut self, usage: &Usage, used: &[RegionId]) {
        self.usage += *usage;
        for id in used {
            *self.accesses.entry(*id).or_default() += 1;
        }
    }
}

impl RegionChanges {
    /// The difference between `base` and what a block left behind: metadata and pages that may have
    /// changed, in any order.
    pub(crate) fn between(
        base: &Regions,
        block: u64,
        metas: impl IntoIterator<Item = (RegionId, Meta)>,
        pages: impl IntoIterator<Item = (PageKey, Arc<Page>)>,
        sums: RegionSums,
    ) -> Self {
        let mut regions = std::collections::BTreeMap::new();
        for (id, after) in metas {
            if base.meta(id) != after {
                regions.insert(id, RegionChange { id, after, pages: Vec::new() });
            }
        }
        for (key, page) in pages {
            if base.record_of(key).is_some_and(|record| record.holds(key.page, &page)) {
                continue;
            }
            let change = regions.entry(key.region).or_insert_with(|| RegionChange {
                id: key.region,
                after: base.meta(key.region),
                pages: Vec::new(),
            });
            if change.after.generation == key.generation && change.after.live.is_some() {
                change.pages.push((key.page, page));
            }
        }
        // A page of a generation that is gone may have made an entry for nothing.
        regions.retain(|id, change| !change.pages.is_empty() || base.meta(*id) != change.after);
        let mut regions: Vec<RegionChange> = regions.into_values().collect();
        let mut next = base.clone();
        for change in &mut regions {
            change.pages.sort_unstable_by_key(|(number, _)| *number);
            next.change(change, block);
        }
        let accesses =
            sums.accesses.into_iter().filter(|(id, _)| next.meta(*id).live.is_some()).collect();
        Self {
            block,
            base_root: base.root(),
            root: next.root(),
            regions,
            accesses,
            usage: sums.usage,
        }
    }
}
