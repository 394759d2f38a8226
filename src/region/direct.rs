//! Regions of a block whose transactions run one after another: the reference.

use std::collections::HashMap;

use foldhash::fast::RandomState;

#[cfg(feature = "evm")]
use super::interim::Interim;
use super::{
    change::{RegionChanges, RegionSums},
    config::ChainConfig,
    content::{PageCell, PageKey},
    handle::{Handle, RegionId},
    meta::{Meta, MetaCell},
    page::Page,
    regions::Regions,
    session::{Denied, Effects, Session},
    sidecar::Sidecar,
    tier::{Check, PageFault},
    world::{Found, Interrupt, World},
};
use crate::{pool::Pools, registry::Lease, state::Cell, sync::Arc};

/// The regions between two transactions.
#[derive(Debug)]
pub struct DirectRegions {
    config: Arc<ChainConfig>,
    base: Arc<Regions>,
    block: u64,
    metas: HashMap<RegionId, Meta, RandomState>,
    /// Pages that were written.
    pages: HashMap<PageKey, Option<Arc<Page>>, RandomState>,
    /// Pages that were loaded, as they were before the block.
    loaded: HashMap<PageKey, Option<Arc<Page>>, RandomState>,
    /// Why the last page was not there.
    fault: Option<PageFault>,
    /// Of the block and of the transaction that runs.
    sidecars: [Arc<[Arc<Sidecar>]>; 2],
    sums: RegionSums,
    pools: Option<Arc<Pools>>,
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
            loaded: HashMap::default(),
            fault: None,
            sidecars: Default::default(),
            sums: RegionSums::default(),
            pools: None,
        }
    }

    /// The regions amid a block that others began.
    #[cfg(feature = "evm")]
    pub(crate) fn resume(config: Arc<ChainConfig>, interim: Interim) -> Self {
        let Interim { base, block, metas, pages, sums } = interim;
        let mut regions = Self { sums, ..Self::new(config, base, block) };
        regions.metas.extend(metas);
        regions.pages.extend(pages.into_iter().map(|(key, page)| (key, Some(page))));
        regions
    }

    /// Leaves the rest of the block to others.
    #[cfg(feature = "evm")]
    pub(crate) fn pause(self) -> Interim {
        let Self { base, block, metas, pages, sums, .. } = self;
        let (metas, pages) = (metas.into_iter().collect(), written(pages).collect());
        Interim { base, block, metas, pages, sums }
    }

    /// The same, with pools in which the transactions' blocks are reserved.
    #[must_use]
    pub fn with_pools(mut self, pools: Arc<Pools>) -> Self {
        self.pools = Some(pools);
        self
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
            // What was first written was loaded before: presence decides gas.
            let (loaded, base) = (&self.loaded, &change.what.base);
            let before = || loaded.get(&change.key).unwrap_or(base).clone();
            let page = self.pages.entry(change.key).or_insert_with(before);
            PageCell::apply(page, &change.what);
        }
        self.sums.add(&effects.usage, &effects.used);
        effects.denied.iter().for_each(Denied::audit);
    }

    /// Why the last page that was asked for was not there, after [`Interrupt::Stop`].
    pub fn take_fault(&mut self) -> Option<PageFault> {
        self.fault.take()
    }

    /// What the block changed.
    #[must_use]
    pub fn finish(self) -> RegionChanges {
        RegionChanges::between(&self.base, self.block, self.metas, written(self.pages), self.sums)
    }
}

/// Pages that are present.
fn written(
    pages: HashMap<PageKey, Option<Arc<Page>>, RandomState>,
) -> impl Iterator<Item = (PageKey, Arc<Page>)> {
    pages.into_iter().filter_map(|(key, page)| Some((key, page?)))
}

impl World for DirectRegions {
    fn meta(&mut self, id: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
        let meta = self.metas.get(&id).cloned().unwrap_or_else(|| self.base.meta(id));
        let lease = self.base.record(id).and_then(|record| record.leases.try_lease());
        Ok(Found { entry: None, value: (meta, lease) })
    }

    fn page(&mut self, key: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
        let known = self.pages.get(&key).or_else(|| self.loaded.get(&key));
        if let Some(value) = known.cloned() {
            return Ok(Found { entry: None, value });
        }
        let check = Check::of(self.config.security_level);
        let loaded = self.base.page(key, check).map_err(|fault| {
            self.fault = Some(fault);
            Interrupt::Stop
        })?;
        self.loaded.insert(key, loaded.clone());
        Ok(Found { entry: None, value: loaded })
    }

    fn sidecar(&mut self, handle: Handle) -> Option<Arc<Sidecar>> {
        self.sidecars
            .iter()
            .flat_map(|attached| attached.iter())
            .find(|sidecar| sidecar.handle() == handle)
            .cloned()
    }

    fn pools(&self) -> Option<&Arc<Pools>> {
        self.pools.as_ref()
    }
}
