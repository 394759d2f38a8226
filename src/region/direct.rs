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
    /// What was denied and nobody has been told of yet, in a rehearsal.
    untold: Option<Vec<Denied>>,
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
            untold: None,
        }
    }

    /// The same, with pools in which the transactions' blocks are reserved.
    #[must_use]
    pub fn with_pools(mut self, pools: Arc<Pools>) -> Self {
        self.pools = Some(pools);
        self
    }

    /// The same for a rehearsal, of which nobody hears before it has [ended](Self::end_rehearsal), if it does.
    #[cfg(feature = "evm")]
    #[must_use]
    pub(crate) fn rehearsing(mut self) -> Self {
        self.untold = Some(Vec::new());
        self
    }

    /// The rehearsal stands.
    #[cfg(feature = "evm")]
    pub(crate) fn end_rehearsal(&mut self) {
        self.untold.take().into_iter().flatten().for_each(|denied| denied.audit());
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
        match &mut self.untold {
            Some(untold) => untold.extend(effects.denied),
            None => effects.denied.iter().for_each(Denied::audit),
        }
    }

    /// Why the last page that was asked for was not there, after [`Interrupt::Stop`].
    pub fn take_fault(&mut self) -> Option<PageFault> {
        self.fault.take()
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
