//! Regions of a block whose transactions run one after another: the reference.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{
    change::{RegionChanges, RegionSums},
    config::ChainConfig,
    content::{PageCell, PageKey},
    handle::{Handle, RegionId},
    meta::{Meta, MetaCell},
    page::Page,
    regions::Regions,
    session::{Effects, Session},
    sidecar::Sidecar,
    world::{Found, Interrupt, World},
};
use crate::{registry::Lease, state::Cell, sync::Arc};

/// The regions between two transactions.
#[derive(Debug)]
pub struct DirectRegions {
    config: Arc<ChainConfig>,
    base: Arc<Regions>,
    block: u64,
    metas: HashMap<RegionId, Meta, RandomState>,
    pages: HashMap<PageKey, Option<Arc<Page>>, RandomState>,
    /// Of the block and of the transaction that runs.
    sidecars: [Arc<[Arc<Sidecar>]>; 2],
    sums: RegionSums,
}

impl DirectRegions {
    /// The regions before the first transaction of a block.
    #[must_use]
    pub fn new(config: Arc<ChainConfig>, base: Arc<Regions>, block: u64) -> Self {
        Self {
            config,
            base,
            block,
            metas: HashMap::default(),
            pages: HashMap::default(),
            sidecars: Default::default(),
            sums: RegionSums::default(),
        }
    }

    /// A session for a transaction within `depth` frames.
    #[must_use]
    pub fn session(&self, depth: usize) -> Session {
        Session::new(self.config.clone(), depth)
    }

    /// What is attached to the block.
    pub fn attach_to_block(&mut self, sidecars: Arc<[Arc<Sidecar>]>) {
        self.sidecars[0] = sidecars;
    }

    /// What is attached to the transaction that runs next.
    pub fn attach_to_transaction(&mut self, sidecars: &[Arc<Sidecar>]) {
        if !(sidecars.is_empty() && self.sidecars[1].is_empty()) {
            self.sidecars[1] = sidecars.into();
        }
    }

    /// Makes a transaction's effects part of what the next one sees.
    pub fn apply(&mut self, effects: Effects) {
        for change in effects.meta_changes {
            let base = &self.base;
            let meta = self.metas.entry(change.key).or_insert_with(|| base.meta(change.key));
            MetaCell::apply(meta, &change.what);
        }
        for change in effects.page_changes {
            let base = &self.base;
            let page =
                self.pages.entry(change.key).or_insert_with(|| base.page(change.key).cloned());
            PageCell::apply(page, &change.what);
        }
        for denied in &effects.denied {
            denied.audit();
        }
        self.sums.add(&effects.usage, &effects.used);
    }

    /// What the block changed.
    #[must_use]
    pub fn finish(self) -> RegionChanges {
        let pages = self.pages.into_iter().filter_map(|(key, page)| Some((key, page?)));
        RegionChanges::between(&self.base, self.block, self.metas, pages, self.sums)
    }
}

impl World for DirectRegions {
    fn meta(&mut self, id: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
        let meta = self.metas.get(&id).cloned().unwrap_or_else(|| self.base.meta(id));
        let lease = self.base.record(id).and_then(|record| record.leases.try_lease());
        Ok(Found { entry: None, value: (meta, lease) })
    }

    fn page(&mut self, key: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
        let known = self.pages.get(&key).cloned();
        let value = known.unwrap_or_else(|| self.base.page(key).cloned());
        Ok(Found { entry: None, value })
    }

    fn sidecar(&mut self, handle: Handle) -> Option<Arc<Sidecar>> {
        self.sidecars
            .iter()
            .flat_map(|attached| attached.iter())
            .find(|sidecar| sidecar.handle() == handle)
            .cloned()
    }
}
