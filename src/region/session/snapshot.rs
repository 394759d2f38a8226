//! Bytes of copy-on-write mappings: private pages over a snapshot, and publishing them.
//!
//! A mapping shows its private page, else the snapshot's leaf, else what the world holds, which does
//! not change under a transaction.

use std::ops::Range;

use super::{
    super::{mask::WordMask, page::Page, page_map::PageNumber},
    Session,
    frame::Private,
    journal::Undo,
    local::Leaf,
    plan::Place,
};
use crate::sync::Arc;

impl Session {
    /// What a mapping shows of a page. The range of it is observed and touched.
    pub(super) fn page_to_read(
        &mut self,
        place: Place,
        page: PageNumber,
        range: Range<usize>,
    ) -> Option<Arc<Page>> {
        let mapping = &self.frames[place.frame].mappings[place.at];
        let region = mapping.region;
        let Some(snapshot) = &mapping.snapshot else {
            return self.shared_page(region, page, range);
        };
        let kept = snapshot.pages.get(page).filter(|leaf| leaf.loaded);
        let private = snapshot.private.get(page);
        let own = kept.map_or(WordMask::EMPTY, |leaf| leaf.written);
        let own = private.map_or(own, |private| own.union(private.own_words()));
        let shown = match (private, kept) {
            (Some(private), _) => Some(Some(private.page.clone())),
            (None, Some(leaf)) => Some(leaf.page.clone()),
            (None, None) => None,
        };
        self.observe(region, page, WordMask::covering(range).without(own));
        shown.unwrap_or_else(|| self.regions[region].pages.get(page)?.base.clone())
    }

    pub(super) fn write_private(
        &mut self,
        place: Place,
        page: PageNumber,
        range: Range<usize>,
        data: &[u8],
    ) {
        let Place { frame, at } = place;
        let region = self.mapping_at(place).region;
        self.observe(region, page, WordMask::EMPTY);
        let epoch = self.mark_epoch();
        let base = self.regions[region].pages.get(page).and_then(|leaf| leaf.base.clone());
        let Some(snapshot) = &mut self.frames[frame].mappings[at].snapshot else { return };
        let private = snapshot.private.get(page);
        let is_new = private.is_none();
        let undo = if private.is_some_and(|private| private.saved >= epoch) {
            None
        } else {
            let before = private.cloned().map(Box::new);
            Some(Undo::Private { frame, at, page, before })
        };
        if is_new {
            let kept = snapshot.pages.get(page).filter(|leaf: &&Leaf| leaf.loaded);
            let shown = kept.map_or(base, |leaf| leaf.page.clone());
            let private = Private::new(shown.unwrap_or_else(Page::zeroed), epoch);
            snapshot.private.insert(page, private);
        }
        let Some(private) = snapshot.private.get_mut(page) else { return };
        private.saved = private.saved.max(epoch);
        if !private.unpublished && !range.is_empty() {
            snapshot.unpublished.insert(page);
        }
        private.write(range, data);
        self.usage.copy_on_write_faults += u64::from(is_new);
        if let Some(undo) = undo {
            self.enter(undo);
        }
    }

    pub(super) fn publish(&mut self, place: Place) {
        let Place { frame, at } = place;
        let epoch = self.mark_epoch();
        let region = self.mapping_at(place).region;
        let Some(snapshot) = &mut self.frames[frame].mappings[at].snapshot else { return };
        let changed: Vec<(PageNumber, Private)> =
            snapshot.to_publish().map(|(page, private)| (page, private.clone())).collect();
        snapshot.unpublished.clear();
        for (page, private) in changed {
            for range in private.bytes.runs() {
                let data = &private.page.bytes()[range.clone()];
                self.write_shared(frame, region, page, range.clone(), data);
                self.usage.bytes_written += data.len() as u64;
            }
            let Some(snapshot) = &mut self.frames[frame].mappings[at].snapshot else { continue };
            let Some(published) = snapshot.private.get_mut(page) else { continue };
            published.publish();
            if published.saved < epoch {
                published.saved = epoch;
                let before = Some(Box::new(private));
                self.enter(Undo::Private { frame, at, page, before });
            }
        }
    }
}
