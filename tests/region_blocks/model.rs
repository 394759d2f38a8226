//! All regions after some blocks, kept by hand: what the table must say, and its root from scratch.

use std::{collections::BTreeMap, sync::Arc};

use chorus::region::{
    change::{RegionChange, RegionChanges},
    handle::RegionId,
    meta::Meta,
    page::Page,
    page_map::PageNumber,
    regions::Regions,
    tier::Check,
};

type Pages = BTreeMap<PageNumber, Arc<Page>>;

#[derive(Default)]
pub(crate) struct Model(BTreeMap<RegionId, (Meta, Pages)>);

impl Model {
    pub(crate) fn apply(&mut self, changes: &RegionChanges) {
        for RegionChange { id, after, pages } in &changes.regions {
            let (meta, known) = self.0.entry(*id).or_default();
            assert!(after.generation >= meta.generation, "generations only rise");
            if after.generation != meta.generation || after.live.is_none() {
                known.clear();
            }
            meta.clone_from(after);
            known.extend(pages.iter().cloned());
        }
    }

    /// A table made at once from all there is.
    pub(crate) fn rebuild(&self) -> Regions {
        let regions = self.0.iter().map(|(id, (meta, pages))| RegionChange {
            id: *id,
            after: meta.clone(),
            pages: pages.iter().map(|(number, page)| (*number, page.clone())).collect(),
        });
        let changes = RegionChanges { regions: regions.collect(), ..RegionChanges::default() };
        Regions::new().apply(&changes).unwrap()
    }

    /// That a table holds the same, byte by byte.
    pub(crate) fn check(&self, regions: &Regions) {
        let live = self.0.iter().filter(|(_, (meta, _))| meta.live.is_some());
        let expected: Vec<_> = live.map(|(id, (meta, _))| id.at(meta.generation)).collect();
        let found: Vec<_> = regions.live().map(|(handle, _)| handle).collect();
        assert_eq!(found, expected);
        let mut bytes = 0;
        for (id, (meta, pages)) in &self.0 {
            let record = regions.record(*id).unwrap();
            assert_eq!(record.meta(), meta);
            assert_eq!(record.pages().len(), pages.len());
            for (number, page) in record.pages().iter() {
                let page = page.load(record.page_sum(number).unwrap(), Check::All).unwrap();
                assert_eq!(page.bytes(), pages[&number].bytes());
            }
            bytes += record.page_bytes();
        }
        assert_eq!(regions.page_bytes(), bytes);
        assert_eq!(regions.root(), self.rebuild().root());
    }
}
