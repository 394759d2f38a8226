//! A world of regions in two maps, for sessions that run without an engine.
// Each test program uses another part of it.
#![allow(dead_code, clippy::disallowed_types)]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use chorus::{
    region::{
        content::{PageCell, PageKey, PageSeen},
        handle::{Handle, RegionId},
        meta::{Meta, MetaCell, MetaSeen},
        page::Page,
        session::Effects,
        sidecar::Sidecar,
        world::{Found, Interrupt, World},
    },
    registry::Lease,
    state::Cell,
};

/// The state between two transactions, as far as regions go.
#[derive(Clone, Debug, Default)]
pub(crate) struct MapWorld {
    pub(crate) meta: BTreeMap<RegionId, Meta>,
    pub(crate) pages: BTreeMap<PageKey, Arc<Page>>,
    pub(crate) sidecars: Vec<Arc<Sidecar>>,
    /// What the next questions are answered with instead, in turn; beyond its end, with the answer.
    pub(crate) interrupts: VecDeque<Option<Interrupt>>,
    /// Questions so far, interrupted ones included.
    pub(crate) asked: usize,
}

impl MapWorld {
    /// Interrupts the next question.
    pub(crate) fn interrupt(&mut self, interrupt: Interrupt, times: usize) {
        self.interrupts.extend(std::iter::repeat_n(Some(interrupt), times));
    }

    pub(crate) fn attach(&mut self, bytes: &[u8]) -> Handle {
        let sidecar = Sidecar::new(bytes).unwrap();
        self.sidecars.push(sidecar.clone());
        sidecar.handle()
    }

    fn question(&mut self) -> Result<(), Interrupt> {
        self.asked += 1;
        match self.interrupts.pop_front().flatten() {
            Some(interrupt) => Err(interrupt),
            None => Ok(()),
        }
    }

    /// Becomes the world of the next transaction.
    pub(crate) fn apply(&mut self, effects: &Effects) {
        for change in &effects.meta_changes {
            MetaCell::apply(self.meta.entry(change.key).or_default(), &change.what);
        }
        for change in &effects.page_changes {
            let mut page = self.pages.get(&change.key).cloned();
            PageCell::apply(&mut page, &change.what);
            self.pages.insert(change.key, page.unwrap());
        }
        // What a destroyed generation held cannot be reached any more.
        let meta = &self.meta;
        self.pages.retain(|key, _| {
            meta.get(&key.region)
                .is_some_and(|meta| meta.live.is_some() && meta.generation == key.generation)
        });
    }

    /// Whether everything that a transaction saw is so here too.
    pub(crate) fn holds(&self, effects: &Effects) -> bool {
        let meta = effects.meta_seen.iter().all(|seen| self.meta_holds(seen.key, &seen.what));
        meta && effects.pages_seen.iter().all(|seen| self.page_holds(seen.key, &seen.what))
    }

    fn meta_holds(&self, id: RegionId, seen: &MetaSeen) -> bool {
        MetaCell::holds(&self.meta.get(&id).cloned().unwrap_or_default(), seen)
    }

    fn page_holds(&self, key: PageKey, seen: &PageSeen) -> bool {
        PageCell::holds(&self.pages.get(&key).cloned(), seen)
    }

    /// What can be compared of it: metadata that was ever set, and the bytes of present pages.
    pub(crate) fn content(&self) -> (BTreeMap<RegionId, Meta>, BTreeMap<PageKey, Vec<u8>>) {
        let meta = self.meta.iter().filter(|(_, meta)| **meta != Meta::default());
        let pages = self.pages.iter().map(|(key, page)| (*key, page.bytes().to_vec()));
        (meta.map(|(id, meta)| (*id, meta.clone())).collect(), pages.collect())
    }
}

impl World for MapWorld {
    fn meta(&mut self, id: RegionId) -> Result<Found<(Meta, Option<Lease>)>, Interrupt> {
        self.question()?;
        let meta = self.meta.get(&id).cloned().unwrap_or_default();
        Ok(Found { entry: None, value: (meta, None) })
    }

    fn page(&mut self, key: PageKey) -> Result<Found<Option<Arc<Page>>>, Interrupt> {
        self.question()?;
        Ok(Found { entry: None, value: self.pages.get(&key).cloned() })
    }

    fn sidecar(&mut self, handle: Handle) -> Option<Arc<Sidecar>> {
        self.sidecars.iter().find(|sidecar| sidecar.handle() == handle).cloned()
    }
}
