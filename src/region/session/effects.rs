//! What is left of a session when its transaction ends.

use im::ordmap::DiffItem;

use super::{
    super::{
        content::{PageChange, PageKey, PageSeen},
        error::RegionError,
        handle::{Address, Kind, RegionId},
        meta::{Meta, MetaChange, MetaSeen},
        rights::Permissions,
    },
    Session,
    local::Local,
};
use crate::{
    observe::{OperationKind, Usage},
    state::EntryId,
};

/// A denied access, for the audit at level Paranoid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What was tried.
    pub operation: OperationKind,
    /// By whom.
    pub actor: Address,
    /// Why it was denied.
    pub error: RegionError,
}

impl Denied {
    /// Tells whoever listens. Called when the transaction is committed, so that what only a doomed
    /// incarnation tried is not told.
    pub(crate) fn audit(&self) {
        tracing::warn!(
            target: "chorus::audit",
            operation = self.operation.name(),
            actor = %self.actor,
            error = %self.error,
            "access denied"
        );
    }
}

/// A location with what a transaction saw or did there.
#[derive(Clone, Debug)]
pub struct At<K, T> {
    /// The location.
    pub key: K,
    /// Its entry, where it was read from a table.
    pub entry: Option<EntryId>,
    /// What was seen or done.
    pub what: T,
}

/// Observations, changes and usage of a transaction.
#[derive(Debug, Default)]
pub struct Effects {
    /// Metadata it depended on.
    pub meta_seen: Vec<At<RegionId, MetaSeen>>,
    /// Metadata it changed.
    pub meta_changes: Vec<At<RegionId, MetaChange>>,
    /// Pages it depended on.
    pub pages_seen: Vec<At<PageKey, PageSeen>>,
    /// Pages it changed.
    pub page_changes: Vec<At<PageKey, PageChange>>,
    /// What it did, in numbers.
    pub usage: Usage,
    /// What it was not allowed to do, at level Paranoid.
    pub denied: Vec<Denied>,
    /// Persistent regions it used.
    pub used: Vec<RegionId>,
}

impl Session {
    /// Ends the session. With `keep` its changes stand; otherwise only what was observed remains,
    /// as for an invalid transaction or a closure that failed.
    #[must_use]
    pub fn finish(mut self, keep: bool) -> Effects {
        self.take_effects(keep)
    }

    pub(super) fn take_effects(&mut self, keep: bool) -> Effects {
        let (usage, denied) = (self.usage, std::mem::take(&mut self.denied));
        let mut effects = Effects { usage, denied, ..Effects::default() };
        for (_, name) in self.names.drain() {
            let live = name.current.and_then(|region| self.regions[region].live.as_ref());
            if let Some(change) = change(&name.found, name.generation, live)
                && keep
            {
                effects.meta_changes.push(At { key: name.id, entry: name.entry, what: change });
            }
            if live.is_some() {
                effects.used.push(name.id);
            }
            if let Some(region) = name.current.filter(|_| keep) {
                let local = &self.regions[region];
                effects.page_changes.extend(page_changes(local));
            }
            let granted = name.granted_seen.into_all();
            let seen = MetaSeen { meta: name.found, size: name.size_seen, granted };
            effects.meta_seen.push(At { key: name.id, entry: name.entry, what: seen });
        }
        for local in self.regions.iter().filter(|local| local.from_world) {
            effects.pages_seen.extend(pages_seen(local));
        }
        // Maps are iterated in an order of their own; what leaves has one that everybody can follow.
        effects.meta_changes.sort_unstable_by_key(|change| change.key);
        effects.page_changes.sort_unstable_by_key(|change| change.key);
        effects.used.sort_unstable();
        effects
    }

    /// What the transaction depended on so far, to see whether it is still so.
    pub fn observations(
        &self,
    ) -> (
        impl Iterator<Item = (EntryId, MetaSeen)> + '_,
        impl Iterator<Item = (EntryId, PageSeen)> + '_,
    ) {
        let meta = self.names.values().filter_map(|name| {
            let (meta, granted) = (name.found.clone(), name.granted_seen.all().clone());
            Some((name.entry?, MetaSeen { meta, size: name.size_seen, granted }))
        });
        let pages = self
            .regions
            .iter()
            .filter(|local| local.from_world)
            .flat_map(pages_seen)
            .filter_map(|seen| Some((seen.entry?, seen.what)));
        (meta, pages)
    }
}

/// How what stands behind an id differs from what was found there.
fn change(
    found: &Meta,
    generation: u64,
    live: Option<&super::super::meta::Live>,
) -> Option<MetaChange> {
    if generation != found.generation || live.is_some() != found.live.is_some() {
        let replaced = Some(Meta { generation, live: live.cloned() });
        return Some(MetaChange { replaced, ..MetaChange::default() });
    }
    let (before, now) = (found.live.as_ref()?, live?);
    let mut change =
        MetaChange { size: (now.size != before.size).then_some(now.size), ..MetaChange::default() };
    // As many steps as there are differences: what both share is skipped.
    for difference in before.grants.diff(&now.grants) {
        change.grants.push(match difference {
            DiffItem::Add(address, granted) => (*address, *granted),
            DiffItem::Update { new: (address, granted), .. } => (*address, *granted),
            DiffItem::Remove(address, _) => (*address, Permissions::NONE),
        });
    }
    (!change.is_empty()).then_some(change)
}

fn key_of(local: &Local, page: super::super::page_map::PageNumber) -> PageKey {
    PageKey { region: local.handle.id(), generation: local.handle.generation(), page }
}

fn page_changes(local: &Local) -> impl Iterator<Item = At<PageKey, PageChange>> + '_ {
    local.pages.iter().filter_map(|(number, leaf)| {
        let page = leaf.page.clone().filter(|_| !leaf.written.is_empty())?;
        let what = PageChange { base: leaf.base.clone(), page, written: leaf.written };
        Some(At { key: key_of(local, number), entry: leaf.entry, what })
    })
}

fn pages_seen(local: &Local) -> impl Iterator<Item = At<PageKey, PageSeen>> + '_ {
    debug_assert_eq!(local.kind, Kind::Persistent);
    local.pages.iter().filter_map(|(number, leaf)| {
        if leaf.seen.is_empty() && !leaf.presence {
            return None;
        }
        let (page, presence, words) = (leaf.base.clone(), leaf.presence, leaf.seen);
        let what = PageSeen { page, presence, words };
        Some(At { key: key_of(local, number), entry: leaf.entry, what })
    })
}
