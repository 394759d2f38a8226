//! Regions of a block whose transactions run in parallel: two tables of versioned locations.
//!
//! The metadata of regions is read through the registry actor, or as it has answered before where nobody
//! has touched it since ([`known`](super::known)); pages are read directly. What a
//! finished incarnation leaves ([`RegionTrace`]) takes part in the phases of its machine's trace:
//! validated, published, retracted, committed beside the machine's own locations.

#[cfg(feature = "evm")]
use super::interim::Interim;
use super::{
    change::{RegionChanges, RegionSums},
    config::ChainConfig,
    content::{PageCell, PageChange, PageKey, PageSeen},
    handle::RegionId,
    known::Known,
    meta::{Meta, MetaCell, MetaChange, MetaSeen},
    page::Page,
    regions::Regions,
    session::{Denied, Effects, Session},
    tier::{Check, PageFault},
};
use crate::{
    observe::Usage,
    registry::Lease,
    state::{EntryId, Read, Table, TxIndex, left_out, places},
    sync::{Arc, weakened},
};

/// A page for one transaction, `None` if it is not present; or who will write it.
pub type PageRead = Read<Option<Arc<Page>>>;

/// What a finished incarnation leaves of regions.
#[derive(Debug, Default)]
pub struct RegionTrace {
    metas_seen: Vec<(EntryId, MetaSeen)>,
    pages_seen: Vec<(EntryId, PageSeen)>,
    /// A change is gone once it is published.
    metas: Vec<(EntryId, Option<MetaChange>)>,
    pages: Vec<(EntryId, Option<PageChange>)>,
    usage: Usage,
    denied: Vec<Denied>,
    used: Vec<RegionId>,
}

/// The versions of all regions within one block.
pub struct BlockRegions {
    config: Arc<ChainConfig>,
    base: Arc<Regions>,
    block: u64,
    metas: Table<MetaCell>,
    pages: Table<PageCell>,
}

impl std::fmt::Debug for BlockRegions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockRegions").field("block", &self.block).finish_non_exhaustive()
    }
}

impl BlockRegions {
    /// The regions before the first transaction of a block.
    #[must_use]
    pub fn new(config: Arc<ChainConfig>, base: Arc<Regions>, block: u64) -> Self {
        Self { config, base, block, metas: Table::new(), pages: Table::new() }
    }

    /// The regions amid a block that others began, and what its transactions did so far, in numbers.
    #[cfg(feature = "evm")]
    pub(crate) fn resume(config: Arc<ChainConfig>, interim: Interim) -> (Self, RegionSums) {
        let Interim { base, block, metas, pages, sums } = interim;
        let regions = Self::new(config, base, block);
        for (id, now) in metas {
            let entry = regions.metas.entry(regions.metas.intern(&id));
            entry.replace(regions.base.meta(id), now);
        }
        for (key, page) in pages {
            // What it was before the block, the base tells whoever asks.
            regions.pages.entry(regions.pages.intern(&key)).replace(None, Some(page));
        }
        (regions, sums)
    }

    /// What is committed, for others to go on with; `sums` is what the commit step has counted.
    #[cfg(feature = "evm")]
    pub(crate) fn pause(&self, sums: RegionSums) -> Interim {
        let (base, block) = (self.base.clone(), self.block);
        let (metas, pages) = (self.changed_metas().collect(), self.changed_pages().collect());
        Interim { base, block, metas, pages, sums }
    }

    /// What the chain fixes.
    #[must_use]
    pub fn config(&self) -> &Arc<ChainConfig> {
        &self.config
    }

    /// Metadata as of the transactions below `tx`. Called by the registry.
    #[must_use]
    pub fn meta(&self, tx: TxIndex, id: RegionId) -> (EntryId, Read<Meta>) {
        let at = self.metas.intern(&id);
        let entry = self.metas.entry(at);
        loop {
            match entry.read(tx) {
                Read::Unknown => entry.fill(self.base.meta(id)),
                read => return (at, read),
            }
        }
    }

    /// Metadata that the registry has answered before and nobody has touched since, to a worker that
    /// remembers it: what the registry would answer again.
    #[must_use]
    pub fn known_meta(&self, known: &mut Known, id: RegionId) -> Option<(EntryId, Meta)> {
        known.untouched(&self.metas, id, || self.lease(id))
    }

    /// What keeps the region that the block found behind an id from the collector.
    #[must_use]
    pub fn lease(&self, id: RegionId) -> Option<Lease> {
        self.base.record(id)?.leases.try_lease()
    }

    /// A page as of the transactions below `tx`. What is loaded for it stays loaded in the block.
    ///
    /// # Errors
    ///
    /// [`PageFault`], if the page is not what it was before the block.
    pub fn page(&self, tx: TxIndex, key: PageKey) -> Result<(EntryId, PageRead), PageFault> {
        self.page_at(self.pages.intern(&key), tx, key)
    }

    /// The same for a worker that remembers where pages stand.
    ///
    /// # Errors
    ///
    /// [`PageFault`], if the page is not what it was before the block.
    pub(crate) fn page_by(
        &self,
        known: &mut Known,
        tx: TxIndex,
        key: PageKey,
    ) -> Result<(EntryId, PageRead), PageFault> {
        self.page_at(self.pages.intern_by(&mut known.pages, &key), tx, key)
    }

    fn page_at(
        &self,
        at: EntryId,
        tx: TxIndex,
        key: PageKey,
    ) -> Result<(EntryId, PageRead), PageFault> {
        let entry = self.pages.entry(at);
        loop {
            match entry.read(tx) {
                Read::Unknown => {
                    let check = Check::of(self.config.security_level);
                    entry.fill(self.base.page(key, check)?);
                }
                read => return Ok((at, read)),
            }
        }
    }

    /// Whether what a running incarnation saw may yet hold.
    #[must_use]
    pub fn session_may_hold(&self, tx: TxIndex, session: &Session) -> bool {
        let (mut metas, mut pages) = session.observations();
        metas.all(|(id, seen)| self.metas.entry(id).may_hold(tx, &seen))
            && pages.all(|(id, seen)| self.pages.entry(id).may_hold(tx, &seen))
    }

    /// A finished session as what the phases of a context work on.
    #[must_use]
    pub fn trace(&self, effects: Effects) -> Box<RegionTrace> {
        let meta_at = |entry: Option<EntryId>, key: &RegionId| {
            entry.unwrap_or_else(|| self.metas.intern(key))
        };
        let page_at =
            |entry: Option<EntryId>, key: &PageKey| entry.unwrap_or_else(|| self.pages.intern(key));
        let metas_seen = effects.meta_seen.into_iter();
        let pages_seen = effects.pages_seen.into_iter();
        let metas = effects.meta_changes.into_iter();
        let pages = effects.page_changes.into_iter();
        Box::new(RegionTrace {
            metas_seen: metas_seen.map(|at| (meta_at(at.entry, &at.key), at.what)).collect(),
            pages_seen: pages_seen.map(|at| (page_at(at.entry, &at.key), at.what)).collect(),
            metas: metas.map(|at| (meta_at(at.entry, &at.key), Some(at.what))).collect(),
            pages: pages.map(|at| (page_at(at.entry, &at.key), Some(at.what))).collect(),
            usage: effects.usage,
            denied: effects.denied,
            used: effects.used,
        })
    }

    /// Whether all that was observed would be observed again, at the commit cursor.
    #[must_use]
    pub fn validate(&self, trace: &RegionTrace) -> bool {
        let (mut metas, mut pages) = (trace.metas_seen.iter(), trace.pages_seen.iter());
        (metas.all(|(id, seen)| self.metas.entry(*id).holds(seen))
            || weakened("versions.validate-metas"))
            && (pages.all(|(id, seen)| self.pages.entry(*id).holds(seen))
                || weakened("versions.validate-pages"))
    }

    /// Whether it may yet hold.
    #[must_use]
    pub fn may_hold(&self, tx: TxIndex, trace: &RegionTrace) -> bool {
        trace.metas_seen.iter().all(|(id, seen)| self.metas.entry(*id).may_hold(tx, seen))
            && trace.pages_seen.iter().all(|(id, seen)| self.pages.entry(*id).may_hold(tx, seen))
    }

    /// Makes the changes visible to higher transactions. Readers to be told are appended to `told`.
    pub fn publish(&self, tx: TxIndex, trace: &mut RegionTrace, told: &mut Vec<TxIndex>) {
        for (id, change) in &mut trace.metas {
            if let Some(change) = change.take() {
                self.metas.entry(*id).publish(tx, change, told);
            }
        }
        for (id, change) in &mut trace.pages {
            if let Some(change) = change.take() {
                self.pages.entry(*id).publish(tx, change, told);
            }
        }
    }

    /// Turns published changes into estimates.
    pub fn retract(&self, tx: TxIndex, trace: &RegionTrace) {
        for (id, _) in &trace.metas {
            self.metas.entry(*id).retract(tx);
        }
        if weakened("versions.retract-pages") {
            return;
        }
        for (id, _) in &trace.pages {
            self.pages.entry(*id).retract(tx);
        }
    }

    /// Withdraws what `previous` changed and `kept` does not.
    pub fn withdraw(
        &self,
        tx: TxIndex,
        previous: &RegionTrace,
        kept: Option<&RegionTrace>,
        told: &mut Vec<TxIndex>,
    ) {
        let empty = RegionTrace::default();
        let kept = kept.unwrap_or(&empty);
        for id in left_out(places(&previous.metas), places(&kept.metas)) {
            self.metas.entry(id).withdraw(tx, told);
        }
        if weakened("versions.withdraw-pages") {
            return;
        }
        let kept = if weakened("versions.withdraw-kept") { &[] } else { &kept.pages[..] };
        for id in left_out(places(&previous.pages), places(kept)) {
            self.pages.entry(id).withdraw(tx, told);
        }
    }

    /// Makes the changes part of the committed regions, published before or not.
    pub fn commit(
        &self,
        tx: TxIndex,
        trace: &RegionTrace,
        sums: &mut RegionSums,
        told: &mut Vec<TxIndex>,
    ) {
        for (id, change) in &trace.metas {
            match change {
                None => self.metas.entry(*id).commit(tx, told),
                Some(change) => self.metas.entry(*id).commit_change(tx, change, told),
            }
        }
        for (id, change) in &trace.pages {
            match change {
                None if weakened("versions.commit-published") => {}
                None => self.pages.entry(*id).commit(tx, told),
                Some(change) => self.pages.entry(*id).commit_change(tx, change, told),
            }
        }
        for denied in &trace.denied {
            denied.audit();
        }
        sums.add(&trace.usage, &trace.used);
    }

    /// What the block changed, once it has ended.
    #[must_use]
    pub fn finish(&self, sums: RegionSums) -> RegionChanges {
        let (metas, pages) = (self.changed_metas(), self.changed_pages());
        RegionChanges::between(&self.base, self.block, metas, pages, sums)
    }

    /// Metadata that commits have touched, as it is now.
    fn changed_metas(&self) -> impl Iterator<Item = (RegionId, Meta)> {
        self.metas.iter().filter_map(|(_, id, entry)| {
            entry.difference(|_, now| now.clone()).map(|now| (*id, now))
        })
    }

    /// Pages that commits have touched, as they are now.
    fn changed_pages(&self) -> impl Iterator<Item = (PageKey, Arc<Page>)> {
        self.pages.iter().filter_map(|(_, key, entry)| {
            Some((*key, entry.difference(|_, now| now.clone()).flatten()?))
        })
    }
}
